import assert from 'node:assert/strict'
import { concat, toHex } from '../../src/core/bytes.ts'
import type { BankName, PcrValues } from '../../src/tcg/bank.ts'
import { devicePathText } from '../../src/tcg/device-path.ts'
import { parseEventLog } from '../../src/tcg/event-log.ts'
import { compareWithPcrs } from '../../src/tcg/event-log-comparison.ts'
import { replayEventLog } from '../../src/tcg/event-log-replay.ts'
import { reportOf } from '../../src/tcg/event-log-report.ts'
import { EV, eventTypeName } from '../../src/tcg/event-type.ts'
import { GUID } from '../../src/tcg/guid.ts'
import { digest } from '../../src/tcg/hash.ts'
import {
  agileLog,
  SEPARATOR,
  sha1Event,
  text,
  u16,
  u32,
  u64,
  variable,
  wide,
  type WrittenEvent,
} from './event-log-bytes.ts'
import { hex, tpmVector } from './tpm-vectors.ts'

const guid = new Uint8Array(16).fill(0x22)
const GUID_TEXT = '22222222-2222-2222-2222-222222222222'

/** What is reported of one event in a log of its own, and the codes of the findings about it. */
function reported(type: number, data: Uint8Array, of = data, banks = ['sha256'] as const) {
  const report = reportOf(parseEventLog(agileLog(banks, [{ pcr: 5, type, data, of }])))
  const [, event] = report.events
  assert.ok(event !== undefined)
  return { ...event, codes: report.findings.filter((one) => one.event === 1).map(({ code }) => code) }
}

describe('reportOf', () => {
  it('decodes each kind of data', () => {
    const option = concat(u32(1), u16(4), wide('Disk\0'), hex('7fff0400'), Uint8Array.of(7))
    const gpt = concat(text('EFI PART'), new Uint8Array(48), guid, new Uint8Array(12), u32(128), u32(0))
    const partition = concat(guid, guid, u64(1), u64(2), u64(0), wide('ESP'), new Uint8Array(66))
    const global = (name: string, value: Uint8Array) => variable(GUID.GLOBAL_VARIABLE, name, value)
    const named = (name: string) => ({ guid: GUID.GLOBAL_VARIABLE, name })
    const cases: readonly (readonly [number, Uint8Array, object])[] = [
      [EV.SEPARATOR, hex('ffffffff'), { value: 0xffffffff }],
      [EV.EFI_ACTION, text('Exit'), { text: 'Exit' }],
      [EV.ACTION, text('Calling INT 19h\0'), { text: 'Calling INT 19h' }],
      [EV.POST_CODE, text('POST CODE'), { text: 'POST CODE' }],
      [EV.POST_CODE, concat(u64(16), u64(32)), { base: '0x10', length: '0x20' }],
      [EV.S_CRTM_VERSION, wide('1.2\0'), { version: '1.2' }],
      [EV.S_CRTM_VERSION, hex('0000'), { version: '' }],
      [EV.S_CRTM_VERSION, hex('ff00ff'), { hex: '0xff00ff' }],
      [EV.IPL, wide('root=/dev/sda\0'), { text: 'root=/dev/sda', encoding: 'utf-16' }],
      [EV.IPL, hex('00ff'), { hex: '0x00ff' }],
      [
        EV.EVENT_TAG,
        concat(u32(0x8f3b22ec), u32(13), text('Linux initrd\0')),
        { tag: '0x8f3b22ec', name: 'linux initrd', text: 'Linux initrd' },
      ],
      [
        EV.EVENT_TAG,
        concat(u32(1), u32(1), hex('aa'), u32(2), u32(0)),
        {
          events: [
            { tag: '0x00000001', hex: '0xaa' },
            { tag: '0x00000002', hex: '0x' },
          ],
        },
      ],
      [
        EV.EFI_VARIABLE_BOOT2,
        global('BootOrder', hex('02000a00')),
        { ...named('BootOrder'), order: ['Boot0002', 'Boot000A'] },
      ],
      [
        EV.EFI_VARIABLE_BOOT2,
        global('Boot0001', option),
        { ...named('Boot0001'), attributes: 1, description: 'Disk', devicePath: '', optionalData: '0x07' },
      ],
      [EV.EFI_VARIABLE_DRIVER_CONFIG, global('SecureBoot', hex('01')), { ...named('SecureBoot'), enabled: true }],
      [EV.EFI_VARIABLE_DRIVER_CONFIG, global('PK', hex('')), { ...named('PK'), signatures: [] }],
      [EV.EFI_VARIABLE_AUTHORITY, global('Shim', hex('aabb')), { ...named('Shim'), value: '0xaabb' }],
      [
        EV.EFI_GPT_EVENT,
        concat(gpt, u64(1), partition),
        {
          disk: GUID_TEXT,
          partitions: [{ type: GUID_TEXT, guid: GUID_TEXT, first: '0x1', last: '0x2', attributes: '0x0', name: 'ESP' }],
        },
      ],
      [
        EV.EFI_BOOT_SERVICES_DRIVER,
        concat(u64(1), u64(2), u64(3), u64(4), hex('7fff0400')),
        { location: '0x1', length: '0x2', linkTimeAddress: '0x3', devicePath: '' },
      ],
      [EV.EFI_PLATFORM_FIRMWARE_BLOB, concat(u64(1), u64(2)), { base: '0x1', length: '0x2' }],
      [
        EV.EFI_PLATFORM_FIRMWARE_BLOB2,
        concat(Uint8Array.of(2), text('FV'), u64(1), u64(2)),
        { description: 'FV', base: '0x1', length: '0x2' },
      ],
      [EV.EFI_HANDOFF_TABLES, concat(u64(1), guid, u64(9)), { tables: [{ guid: GUID_TEXT, address: '0x9' }] }],
      [
        EV.EFI_HANDOFF_TABLES2,
        concat(Uint8Array.of(1), text('T'), u64(1), guid, u64(9)),
        { description: 'T', tables: [{ guid: GUID_TEXT, address: '0x9' }] },
      ],
      [EV.EFI_HCRTM_EVENT, text('HCRTM'), { text: 'HCRTM' }],
      [EV.NO_ACTION, text('StartupLocality\0\x03'), { signature: 'StartupLocality', locality: 3 }],
      [EV.NO_ACTION, concat(text('SP800-155 Event\0'), hex('aa')), { signature: 'SP800-155 Event', hex: '0xaa' }],
      [EV.NO_ACTION, text('short'), { hex: toHex(text('short')) }],
      [0x99, hex('aa'), { hex: '0xaa' }],
    ]
    for (const [type, data, expected] of cases) {
      const found = reported(type, data)
      assert.deepEqual(found.data, expected, eventTypeName(type))
      assert.deepEqual(found.codes, [], eventTypeName(type))
    }
  })

  it('gives data that are not what their type promises in hexadecimal, and says so', () => {
    const global = variable(GUID.GLOBAL_VARIABLE, 'SecureBoot', hex('01'))
    for (const [type, data] of [
      [EV.SEPARATOR, hex('0000')],
      [EV.EFI_ACTION, hex('ff')],
      [EV.EVENT_TAG, concat(u32(1), u32(2), hex('aa'))],
      [EV.EFI_VARIABLE_BOOT2, global.slice(0, -1)],
      [EV.EFI_VARIABLE_BOOT2, concat(global, hex('00'))],
      [EV.EFI_GPT_EVENT, new Uint8Array(200)],
      [EV.EFI_BOOT_SERVICES_APPLICATION, concat(u64(1), u64(2), u64(3), u64(5), hex('7fff0400'))],
      [EV.EFI_PLATFORM_FIRMWARE_BLOB, u64(1)],
      [EV.EFI_PLATFORM_FIRMWARE_BLOB2, Uint8Array.of(9, 1)],
      [EV.EFI_HANDOFF_TABLES, concat(u64(2), guid, u64(9))],
    ] as const) {
      const found = reported(type, data)
      assert.deepEqual(found.data, { hex: toHex(data) }, eventTypeName(type))
      assert.equal(found.codes[0], 'DATA_MALFORMED', eventTypeName(type))
      assert.equal(found.covered, false, eventTypeName(type))
    }
  })

  it('covers data by a rule for their type alone', () => {
    const boot = variable(GUID.GLOBAL_VARIABLE, 'Boot0001', hex('aabb'))
    for (const [type, data, of, part] of [
      [EV.EFI_VARIABLE_BOOT, boot, boot, 'data'],
      [EV.EFI_VARIABLE_BOOT, boot, hex('aabb'), 'value'],
      [EV.EFI_VARIABLE_DRIVER_CONFIG, boot, hex('aabb'), null],
      [EV.EFI_VARIABLE_BOOT2, boot, hex('aabb'), null],
      [EV.EFI_ACTION, text('Exit\0'), text('Exit'), 'text'],
      [EV.EFI_ACTION, text('Exit\0'), text('Exit\0'), 'data'],
      [EV.EFI_ACTION, text('Exit'), text('Exi'), null],
      [EV.IPL, text('grub_cmd: boot\0'), text('boot'), 'text'],
      [EV.IPL, text('grub_cmd: boot\0'), text('grub_cmd: boot'), 'text'],
      [EV.IPL, text('grub_cmd: boot\0'), text('grub_cmd: boot\0'), 'data'],
      [EV.IPL, text('module_cmdline: x\0'), text('x'), 'text'],
      [EV.IPL, text('other_cmd: boot\0'), text('boot'), null],
      [EV.IPL, wide('.linux\0'), text('.linux\0'), 'text'],
      [EV.IPL, wide('linux\0'), text('linux\0'), null],
      [EV.IPL, text('MokList\0'), hex('00'), null],
      // Their digests are of something else: equal to that of the data only by a changed type.
      [EV.EFI_BOOT_SERVICES_APPLICATION, new Uint8Array(32), new Uint8Array(32), null],
      [EV.POST_CODE, text('POST CODE'), text('POST CODE'), null],
      [EV.EFI_PLATFORM_FIRMWARE_BLOB, new Uint8Array(16), new Uint8Array(16), null],
      [0x99, hex('aa'), hex('aa'), null],
    ] as const) {
      const found = reported(type, data, of)
      assert.deepEqual(
        [found.coveredPart, found.covered],
        [part, part !== null],
        `${eventTypeName(type)} ${toHex(data)}`,
      )
    }
  })

  it('says where a digest is not that of the data though the type’s always is', () => {
    for (const type of [EV.SEPARATOR, EV.EFI_VARIABLE_BOOT2, EV.EFI_ACTION, EV.S_CRTM_VERSION]) {
      assert.ok(reported(type, SEPARATOR, hex('aa')).codes.includes('DIGEST_MISMATCH'))
    }
    assert.deepEqual(reported(EV.IPL, text('MokList\0'), hex('aa')).codes, [])
  })

  it('covers nothing where one SHA-2 bank says otherwise, whichever', () => {
    const data = text('an action')
    const banks = ['sha1', 'sha256', 'sha384'] as const
    for (const bank of banks) {
      const other = { [bank]: digest(bank, text('another')) }
      const [, event] = reportOf(
        parseEventLog(agileLog(banks, [{ pcr: 4, type: EV.EFI_ACTION, data, digests: other }])),
      ).events
      assert.equal(event?.covered, bank === 'sha1')
    }
    const changed = agileLog(banks, [{ pcr: 4, type: EV.EFI_ACTION, data, digests: { sha384: new Uint8Array(48) } }])
    assert.ok(
      reportOf(parseEventLog(changed)).findings.some(({ code, event }) => code === 'DIGESTS_DISAGREE' && event === 1),
    )
  })

  it('takes SHA-1 only where the log has nothing else, and states nothing of the boot by it', () => {
    const event: WrittenEvent = { pcr: 7, type: EV.SEPARATOR, data: SEPARATOR }
    for (const bytes of [sha1Event(event), agileLog(['sha1'], [event])]) {
      const report = reportOf(parseEventLog(bytes))
      assert.equal(report.events.at(-1)?.covered, true)
      assert.equal(report.bootState, null)
      assert.ok(report.findings.some(({ code }) => code === 'SHA1_ONLY'))
    }
    assert.equal(reportOf(parseEventLog(sha1Event(event))).spec, 'TCG_PCR_EVENT')
  })

  it('shows nothing that a terminal obeys', () => {
    for (const data of [text('\u001b[2J'), text('a\nb'), text('\u202egnp.exe')]) {
      assert.deepEqual(reported(EV.IPL, data).data, { hex: toHex(data) })
    }
  })
})

describe('devicePathText', () => {
  it('words nodes as UEFI does, and those that it does not know by their bytes', () => {
    const end = '7fff0400'
    for (const [bytes, words] of [
      [`02010c00d041030a00000000010106000003${end}`, 'PciRoot(0x0)/Pci(0x3,0x0)'],
      [`04040a00610062000000${end}`, 'ab'],
      [`03171000010000000102030405060708${end}`, 'NVMe(0x1,08-07-06-05-04-03-02-01)'],
      [`03121000ffff`, undefined],
      [`03120a000100ffff0000${end}`, 'Sata(0x1,0xffff,0x0)'],
      [`0101060000017f010400010106000002${end}`, 'Pci(0x1,0x0),Pci(0x2,0x0)'],
      [`09090500aa${end}`, 'Path(9,9,aa)'],
      [`0101050000${end}`, 'Path(1,1,00)'],
      [`01010300${end}`, undefined],
      [`${end}00`, undefined],
      ['', undefined],
      [`${'09090400'.repeat(129)}${end}`, undefined],
    ] as const) {
      assert.equal(devicePathText(hex(bytes)), words, bytes)
    }
  })
})

describe('replayEventLog', () => {
  const extend = (value: Uint8Array, data: Uint8Array) => digest('sha256', concat(value, digest('sha256', data)))
  const zeros = new Uint8Array(32)
  const started = (locality: number): WrittenEvent => ({
    pcr: 0,
    type: EV.NO_ACTION,
    data: text(`StartupLocality\0${String.fromCharCode(locality)}`),
  })
  const version: WrittenEvent = { pcr: 0, type: EV.S_CRTM_VERSION, data: text('1') }
  const pcr = (index: number, ...events: readonly WrittenEvent[]) =>
    replayEventLog(parseEventLog(agileLog(['sha256'], events)), 'sha256').get(index)

  it('starts PCR 0 with the locality, PCR 17 to 22 with ones, and every other with zeros', () => {
    for (const locality of [0, 3, 4]) {
      assert.deepEqual(pcr(0, started(locality), version), extend(zeros.with(31, locality), version.data))
      assert.deepEqual(pcr(1, started(locality), { ...version, pcr: 1 }), extend(zeros, version.data))
    }
    assert.deepEqual(pcr(0, version), extend(zeros, version.data))
    for (const index of [16, 17, 22, 23]) {
      const value = index === 17 || index === 22 ? new Uint8Array(32).fill(0xff) : zeros
      assert.deepEqual(pcr(index, { ...version, pcr: index }), extend(value, version.data))
    }
  })

  it('starts PCR 0 with 4 where an H-CRTM event is the first, and no event names a locality', () => {
    const hcrtm: WrittenEvent = { pcr: 0, type: EV.EFI_HCRTM_EVENT, data: text('HCRTM') }
    assert.deepEqual(pcr(0, hcrtm, version), extend(extend(zeros.with(31, 4), hcrtm.data), version.data))
    assert.deepEqual(pcr(0, version, hcrtm), extend(extend(zeros, version.data), hcrtm.data))
    assert.deepEqual(pcr(0, started(3), hcrtm), extend(zeros.with(31, 3), hcrtm.data))
  })

  it('does not take a locality that cannot be, is late, or is a second, and says so', () => {
    for (const [events, locality] of [
      [[started(2), version], 0],
      [[version, started(3)], 0],
      [[started(3), started(4), version], 3],
    ] as const) {
      assert.deepEqual(pcr(0, ...events), extend(zeros.with(31, locality), version.data))
      const { findings } = reportOf(parseEventLog(agileLog(['sha256'], events)))
      assert.ok(findings.some(({ code }) => code === 'LOCALITY_INVALID'))
    }
    assert.deepEqual(pcr(0, { ...started(3), pcr: 1 }, version), extend(zeros, version.data))
    assert.deepEqual(pcr(0, { ...started(3), type: EV.EFI_ACTION }), extend(zeros, started(3).data))
  })

  it('never extends EV_NO_ACTION', () => {
    assert.equal(pcr(0, started(0)), undefined)
    const digests = { sha256: new Uint8Array(32).fill(1) }
    assert.deepEqual(pcr(0, { ...started(0), digests }, version), extend(zeros, version.data))
  })
})

describe('compareWithPcrs', () => {
  const log = parseEventLog(tpmVector('01-ovmf-baseline/binary_bios_measurements'))
  const replayed = replayEventLog(log, 'sha256')
  const given = (bank: BankName, values: PcrValues) => compareWithPcrs(log, new Map([[bank, values]]))
  const codesOf = (comparison: ReturnType<typeof given>) => comparison.findings.map(({ code }) => code)

  it('agrees with what the log replays to', () => {
    assert.deepEqual(given('sha256', replayed), { compared: replayed.size, agree: true, findings: [] })
  })

  it('names each PCR that differs', () => {
    for (const [pcr, value] of replayed) {
      const found = given('sha256', new Map([...replayed, [pcr, value.with(0, (value[0] ?? 0) ^ 1)]]))
      assert.equal(found.agree, false)
      assert.deepEqual(codesOf(found), ['PCR_MISMATCH'])
      assert.match(found.findings[0]?.detail ?? '', new RegExp(`^PCR ${pcr} of sha256`))
    }
  })

  it('does not count a PCR without events: equal to its value after a reset, or a finding', () => {
    const untouched = new Map([
      [10, new Uint8Array(32)],
      [17, new Uint8Array(32).fill(0xff)],
    ])
    assert.deepEqual(codesOf(given('sha256', new Map([...replayed, ...untouched]))), [])
    const extended = given('sha256', new Map([...replayed, [10, new Uint8Array(32).fill(1)], [17, new Uint8Array(32)]]))
    assert.deepEqual([extended.agree, codesOf(extended)], [true, ['PCR_NOT_IN_LOG', 'PCR_NOT_IN_LOG']])
  })

  it('does not agree where nothing was compared', () => {
    const none = given('sha256', new Map([[10, new Uint8Array(32)]]))
    assert.deepEqual([none.agree, codesOf(none)], [false, ['NOTHING_COMPARED']])
    const other = given('sm3_256', replayed)
    assert.deepEqual([other.agree, codesOf(other)], [false, ['BANK_NOT_IN_LOG', 'NOTHING_COMPARED']])
  })
})
