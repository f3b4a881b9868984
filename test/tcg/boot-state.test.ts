import assert from 'node:assert/strict'
import { concat, toHex } from '../../src/core/bytes.ts'
import { bootStateOf, type BootState } from '../../src/tcg/boot-state.ts'
import { parseEventLog } from '../../src/tcg/event-log.ts'
import type { FindingCode } from '../../src/tcg/event-log-finding.ts'
import { EV } from '../../src/tcg/event-type.ts'
import { GUID } from '../../src/tcg/guid.ts'
import { digest } from '../../src/tcg/hash.ts'
import { agileLog, capturedEvents, SEPARATOR, text, u32, variable, wide, type WrittenEvent } from './event-log-bytes.ts'
import { tpmVector } from './tpm-vectors.ts'

const stateOf = (events: readonly WrittenEvent[]) => bootStateOf(parseEventLog(agileLog(['sha256'], events)), 'sha256')
const codes = (state: BootState): readonly FindingCode[] => [...new Set(state.findings.map(({ code }) => code))]

/** An event of some PCR, with the digest of its data unless another is said. */
const event = (pcr: number, type: number, data: Uint8Array, of = data): WrittenEvent => ({ pcr, type, data, of })
const separator = (pcr: number) => event(pcr, EV.SEPARATOR, SEPARATOR)
const config = (name: string, value: Uint8Array, guid: string = GUID.GLOBAL_VARIABLE) =>
  event(7, EV.EFI_VARIABLE_DRIVER_CONFIG, variable(guid, name, value))
const secureBoot = (value: number) => config('SecureBoot', Uint8Array.of(value))
const owner = new Uint8Array(16).fill(0x11)
const certificate = Uint8Array.of(0x30, 0x82, 0, 1, 9)
const authority = (name: string, value: Uint8Array) =>
  event(7, EV.EFI_VARIABLE_AUTHORITY, variable(GUID.IMAGE_SECURITY_DATABASE, name, value))
const x509Type = Uint8Array.from(Buffer.from('a159c0a5e494a74a87b5ab155c2bf072', 'hex'))
const list = concat(x509Type, u32(28 + 21), u32(0), u32(21), owner, certificate)
const db = config('db', list, GUID.IMAGE_SECURITY_DATABASE)

const application = (fill: number): WrittenEvent => ({
  pcr: 4,
  type: EV.EFI_BOOT_SERVICES_APPLICATION,
  data: new Uint8Array(32),
  digests: { sha256: new Uint8Array(32).fill(fill) },
})
const calling = event(4, EV.EFI_ACTION, text('Calling EFI Application from Boot Option'))

const grub = (prefix: string, line: string) => event(8, EV.IPL, text(`${prefix}: ${line}\0`), text(line))
const load = grub('grub_cmd', 'linux /k quiet')
const line = grub('kernel_cmdline', '/k quiet')

describe('bootStateOf', () => {
  it('lists what capture 04 says: Secure Boot, its keys, the boot order, applications, authorities, and the command line', () => {
    const log = parseEventLog(tpmVector('04-ovmf-secureboot-shim-grub/binary_bios_measurements'))
    for (const bank of ['sha256', 'sha384', 'sha512'] as const) {
      const state = bootStateOf(log, bank)
      assert.deepEqual(state.findings, [])
      assert.equal(state.secureBoot.enabled, true)
      assert.deepEqual(
        Object.entries(state.secureBoot.databases).map(([name, entries]) => [name, entries.length]),
        [
          ['PK', 1],
          ['KEK', 2],
          ['db', 2],
          ['dbx', 1],
        ],
      )
      assert.deepEqual(state.bootOrder, ['Boot0001', 'Boot0000', 'Boot0002'])
      assert.deepEqual(
        state.bootOptions.map(({ name, description }) => [name, description]),
        [
          ['Boot0001', 'UEFI Misc Device'],
          ['Boot0000', 'UiApp'],
          ['Boot0002', 'EFI Internal Shell'],
        ],
      )
      assert.deepEqual(
        state.bootApplications?.map((one) => [one.digest, one.devicePath.split('/').at(-1)]),
        [24, 30, 41, 42].map((index, i) => [
          toHex(log.events[index]?.digest(bank) ?? new Uint8Array()),
          ['\\EFI\\BOOT\\BOOTX64.EFI', '\\EFI\\BOOT\\grubx64.efi', '', ''][i],
        ]),
      )
      assert.deepEqual(
        state.secureBoot.authorities?.map(({ name, beforeSeparator }) => [name, beforeSeparator]),
        [
          ['db', false],
          ['SbatLevel', false],
          ['MokListRT', false],
        ],
      )
      assert.deepEqual(state.commandLine, {
        event: 43,
        source: 'grub',
        text: '/vmlinuz console=ttyS0 ima_policy=tcb panic=-1 root=none',
      })
    }
  })

  it('gives a certificate’s SHA-256 as its fingerprint, and a hash as it is', () => {
    const { databases } = bootStateOf(
      parseEventLog(tpmVector('04-ovmf-secureboot-shim-grub/binary_bios_measurements')),
      'sha256',
    ).secureBoot
    // The Microsoft Corporation UEFI CA 2011, and the dbx that holds the SHA-256 of nothing.
    assert.ok(
      databases.db?.some(
        ({ type, owner: by, fingerprint }) =>
          type === 'x509' &&
          by === '77fa9abd-0359-4d32-bd60-28f4e78f784b' &&
          fingerprint === '0x48e99b991f57fc52f76149599bff0a58c47154229b9f8d603ac40d3500248507',
      ),
    )
    assert.equal(databases.dbx?.[0]?.fingerprint, toHex(digest('sha256', new Uint8Array())))
  })

  it('says of captures 01 and 02 that Secure Boot is off, and nothing of a command line that the log does not have', () => {
    for (const capture of ['01-ovmf-baseline', '02-ovmf-cmdline-vmm-changed']) {
      const state = bootStateOf(parseEventLog(tpmVector(`${capture}/binary_bios_measurements`)), 'sha256')
      assert.deepEqual([state.secureBoot.enabled, state.commandLine, state.findings], [false, undefined, []])
      assert.deepEqual(state.bootOrder, ['Boot0000'])
    }
  })

  describe('of Secure Boot', () => {
    const of = (...events: readonly WrittenEvent[]) => stateOf([...events, separator(4)])

    it('says what is there before the separator', () => {
      for (const value of [0, 1]) {
        const state = of(secureBoot(value), db, separator(7))
        assert.equal(state.secureBoot.enabled, value === 1)
        assert.deepEqual(state.secureBoot.databases.db, [
          {
            type: 'x509',
            owner: '11111111-1111-1111-1111-111111111111',
            fingerprint: toHex(digest('sha256', certificate)),
          },
        ])
        assert.deepEqual(codes(state), [])
      }
    })

    it('says nothing where the variable was measured twice, even with the same value', () => {
      for (const second of [0, 1]) {
        const state = of(secureBoot(1), secureBoot(second), separator(7))
        assert.equal(state.secureBoot.enabled, undefined)
        assert.deepEqual(codes(state), ['VARIABLE_REPEATED'])
      }
    })

    it('says nothing where SecureBoot stands behind the separator, alone or again', () => {
      const alone = of(separator(7), secureBoot(1))
      assert.equal(alone.secureBoot.enabled, undefined)
      assert.deepEqual(codes(alone), ['VARIABLE_AFTER_SEPARATOR', 'AUTHORITIES_AMBIGUOUS'])
      const state = of(secureBoot(0), separator(7), secureBoot(1))
      assert.equal(state.secureBoot.enabled, undefined)
      assert.deepEqual(codes(state), ['VARIABLE_REPEATED', 'VARIABLE_AFTER_SEPARATOR', 'AUTHORITIES_AMBIGUOUS'])
    })

    it('is not deceived where SecureBoot=0 is hidden under another type and another is extended later', () => {
      for (const type of [EV.EFI_ACTION, EV.EFI_VARIABLE_AUTHORITY, EV.IPL, EV.EFI_VARIABLE_BOOT, 0x77]) {
        for (const late of [[], [secureBoot(1)]]) {
          const hidden = { ...secureBoot(0), type }
          const state = of(hidden, separator(7), ...late)
          assert.equal(state.secureBoot.enabled, undefined)
          assert.ok(state.findings.length > 0, `type 0x${type.toString(16)}`)
        }
      }
    })

    it('is not deceived where SecureBoot=0 is hidden with other data', () => {
      const { data } = secureBoot(0)
      for (const hidden of [
        event(7, EV.EFI_ACTION, text('nothing to see'), data),
        event(7, EV.EFI_VARIABLE_DRIVER_CONFIG, secureBoot(1).data, data),
      ]) {
        const state = of(hidden, secureBoot(1), separator(7))
        assert.equal(state.secureBoot.enabled, undefined)
        assert.deepEqual(codes(state), ['EVENT_UNEXPLAINED'])
      }
    })

    it('is not deceived where the separator is hidden under another type, and another is extended later', () => {
      for (const data of [SEPARATOR, text('an action')]) {
        for (const type of [EV.EFI_ACTION, EV.EFI_VARIABLE_DRIVER_CONFIG]) {
          const hidden = event(7, type, data, SEPARATOR)
          const state = of(secureBoot(0), hidden, secureBoot(1), separator(7))
          assert.equal(state.secureBoot.enabled, undefined)
          assert.deepEqual(codes(state), ['TYPE_SWAPPED', 'SEPARATOR_REPEATED'])
          assert.equal(of(secureBoot(1), hidden).secureBoot.enabled, undefined)
        }
      }
    })

    it('takes no event for a separator because of its type', () => {
      const state = of(secureBoot(1), event(7, EV.SEPARATOR, SEPARATOR, text('something else')))
      assert.equal(state.secureBoot.enabled, undefined)
      assert.deepEqual(codes(state), ['SEPARATOR_MISSING'])
    })

    it('says nothing without a separator, with two, and after an error', () => {
      assert.deepEqual(codes(of(secureBoot(1))), ['SEPARATOR_MISSING'])
      assert.deepEqual(codes(of(secureBoot(1), separator(7), separator(7))), ['SEPARATOR_REPEATED'])
      const error = event(7, EV.SEPARATOR, Uint8Array.of(1, 0, 0, 0))
      assert.deepEqual(codes(of(secureBoot(1), error)), ['SEPARATOR_ERROR', 'SEPARATOR_MISSING'])
      for (const events of [
        [secureBoot(1)],
        [secureBoot(1), separator(7), separator(7)],
        [secureBoot(1), error, separator(7)],
      ]) {
        assert.equal(of(...events).secureBoot.enabled, undefined)
      }
    })

    it('does not take an event of another PCR, another GUID, or a value that is neither', () => {
      assert.equal(of({ ...secureBoot(1), pcr: 1 }, separator(7)).secureBoot.enabled, undefined)
      const other = config('SecureBoot', Uint8Array.of(1), GUID.SHIM_LOCK)
      assert.equal(of(other, separator(7)).secureBoot.enabled, undefined)
      for (const value of [Uint8Array.of(2), Uint8Array.of(), Uint8Array.of(1, 1)]) {
        const state = of(config('SecureBoot', value), separator(7))
        assert.deepEqual([state.secureBoot.enabled, codes(state)], [undefined, ['VARIABLE_INVALID']])
      }
    })

    it('names authorities where nothing can be one under another label', () => {
      const entry = concat(owner, certificate)
      const state = of(
        secureBoot(1),
        db,
        authority('db', entry),
        separator(7),
        authority('db', entry),
        authority('db', certificate),
      )
      assert.deepEqual(
        state.secureBoot.authorities?.map(({ beforeSeparator, signature }) => [beforeSeparator, signature?.owner]),
        [
          [true, '11111111-1111-1111-1111-111111111111'],
          [false, '11111111-1111-1111-1111-111111111111'],
          [false, ''],
        ],
      )
      assert.deepEqual(codes(state), [])
      for (const hidden of [
        { ...authority('db', entry), type: EV.EFI_VARIABLE_DRIVER_CONFIG },
        config('Other', Uint8Array.of(1)),
      ]) {
        const found = of(secureBoot(1), db, separator(7), hidden)
        assert.equal(found.secureBoot.authorities, undefined)
        assert.ok(codes(found).includes('AUTHORITIES_AMBIGUOUS'))
      }
    })

    it('does not take a database that is labelled as an authority, nor one that is cut', () => {
      const labelled = of(secureBoot(1), { ...db, type: EV.EFI_VARIABLE_AUTHORITY }, separator(7))
      assert.equal(labelled.secureBoot.databases.db, undefined)
      assert.deepEqual(codes(labelled), ['TYPE_SWAPPED'])
      const cut = of(secureBoot(1), config('db', list.slice(0, -1), GUID.IMAGE_SECURITY_DATABASE), separator(7))
      assert.equal(cut.secureBoot.databases.db, undefined)
      assert.deepEqual(codes(cut), ['VARIABLE_INVALID', 'AUTHORITIES_AMBIGUOUS'])
    })
  })

  describe('of boot applications', () => {
    const of = (...events: readonly WrittenEvent[]) => stateOf([separator(7), ...events])

    it('lists digests in order, around the separator', () => {
      const state = of(application(1), calling, separator(4), application(2))
      assert.deepEqual(
        state.bootApplications?.map((one) => one.digest),
        [1, 2].map((fill) => toHex(new Uint8Array(32).fill(fill))),
      )
      assert.deepEqual(codes(state), [])
    })

    it('says nothing where an event could be a hidden application', () => {
      for (const type of [EV.EFI_ACTION, EV.IPL, EV.SEPARATOR, EV.EFI_VARIABLE_BOOT, 0x77]) {
        const state = of(application(1), calling, separator(4), { ...application(2), type, data: text('calling') })
        assert.equal(state.bootApplications, undefined)
        assert.deepEqual(codes(state), ['EVENT_UNEXPLAINED'])
      }
    })

    it('says nothing where an action or a separator is passed off as an application', () => {
      for (const of256 of [text('Calling EFI Application from Boot Option'), SEPARATOR]) {
        const swapped = event(4, EV.EFI_BOOT_SERVICES_APPLICATION, new Uint8Array(32), of256)
        const state = of(application(1), swapped, separator(4))
        assert.equal(state.bootApplications, undefined)
        assert.ok(codes(state).includes('TYPE_SWAPPED'))
      }
    })

    it('says nothing without exactly one separator', () => {
      assert.equal(of(application(1)).bootApplications, undefined)
      assert.equal(of(application(1), separator(4), separator(4)).bootApplications, undefined)
    })
  })

  describe('of the boot order', () => {
    const boot = (name: string, value: Uint8Array, whole = false) => {
      const data = variable(GUID.GLOBAL_VARIABLE, name, value)
      return event(1, whole ? EV.EFI_VARIABLE_BOOT2 : EV.EFI_VARIABLE_BOOT, data, whole ? data : value)
    }
    const order = Uint8Array.of(2, 0, 1, 0)

    it('reads it with and without its name covered', () => {
      for (const whole of [false, true])
        assert.deepEqual(stateOf([boot('BootOrder', order, whole)]).bootOrder, ['Boot0002', 'Boot0001'])
    })

    it('says nothing of two, nor where another value without a covered name could be it', () => {
      for (const events of [
        [boot('BootOrder', order), boot('BootOrder', order)],
        [boot('BootOrder', order, true), boot('BootOrder', Uint8Array.of(1, 0), true)],
        [boot('BootOrder', order), boot('Boot0001', Uint8Array.of(1, 0))],
        [boot('Boot0001', order)],
        [boot('BootOrder', Uint8Array.of(1), true)],
      ]) {
        const state = stateOf(events)
        assert.equal(state.bootOrder, undefined)
        assert.ok(codes(state).includes('BOOT_ORDER_AMBIGUOUS'))
      }
    })

    it('does not take one that no digest covers, nor one of another PCR', () => {
      const uncovered = event(1, EV.EFI_VARIABLE_BOOT, boot('BootOrder', order).data, text('other'))
      assert.equal(stateOf([uncovered]).bootOrder, undefined)
      assert.equal(stateOf([{ ...boot('BootOrder', order), pcr: 5 }]).bootOrder, undefined)
    })
  })

  describe('of the command line', () => {
    const systemd = (pcr: number, words: string) => event(pcr, EV.IPL, wide(`${words}\0`))

    it('reads GRUB’s where its command has the same arguments, quoted or not', () => {
      assert.deepEqual(stateOf([load, line]).commandLine, { event: 2, source: 'grub', text: '/k quiet' })
      const quoted = [grub('grub_cmd', 'linux /k a b'), grub('kernel_cmdline', '/k "a b"')]
      assert.equal(stateOf(quoted).commandLine?.text, '/k "a b"')
    })

    it('reads systemd’s from PCR 12, and from 8 as well where both say the same', () => {
      assert.deepEqual(stateOf([systemd(12, 'quiet')]).commandLine, { event: 1, source: 'systemd', text: 'quiet' })
      assert.equal(stateOf([systemd(8, 'quiet'), systemd(12, 'quiet')]).commandLine?.text, 'quiet')
    })

    it('says nothing where commands, prefixes or texts leave a doubt', () => {
      const junk = event(8, EV.IPL, text('kernel_cmdline: /k good\0'), text('/k evil'))
      for (const [name, events] of Object.entries({
        'no command': [line],
        'no line': [load],
        'another command': [grub('grub_cmd', 'linux /k evil'), line],
        'two commands': [load, grub('grub_cmd', 'linux /k evil'), line],
        'two lines': [load, line, grub('kernel_cmdline', '/k evil')],
        'an echo relabelled as the line, the line as a command': [
          grub('grub_cmd', 'linux /k evil'),
          grub('grub_cmd', '/k evil'),
          grub('kernel_cmdline', '/k good'),
        ],
        'a text that is not what was hashed': [load, line, junk],
        'a command under another type': [{ ...grub('grub_cmd', 'linux /k evil'), type: EV.ACTION }, load, line],
        'two of systemd': [systemd(12, 'quiet'), systemd(12, 'debug')],
        'GRUB and systemd': [load, line, systemd(12, 'quiet')],
        'something unexplained beside systemd': [systemd(12, 'quiet'), event(12, EV.IPL, wide('x\0'), text('other'))],
      })) {
        const state = stateOf(events)
        assert.equal(state.commandLine, undefined, name)
        assert.ok(codes(state).includes('COMMAND_LINE_AMBIGUOUS'), name)
      }
    })

    it('does not take one of another PCR, nor text under another type', () => {
      assert.equal(
        stateOf([
          { ...load, pcr: 9 },
          { ...line, pcr: 9 },
        ]).commandLine,
        undefined,
      )
      assert.equal(stateOf([{ ...systemd(12, 'quiet'), type: EV.EVENT_TAG }]).commandLine, undefined)
      assert.equal(stateOf([systemd(11, 'quiet')]).commandLine, undefined)
    })
  })

  it('never says of capture 04, with one event’s type changed, what the capture does not say', () => {
    const events = capturedEvents('04-ovmf-secureboot-shim-grub')
    const statements = (state: BootState) => ({
      enabled: state.secureBoot.enabled,
      databases: state.secureBoot.databases,
      authorities: state.secureBoot.authorities,
      order: state.bootOrder,
      applications: state.bootApplications?.map((one) => one.digest),
      line: state.commandLine?.text,
    })
    const truth = statements(
      bootStateOf(parseEventLog(agileLog(['sha1', 'sha256', 'sha384', 'sha512'], events)), 'sha256'),
    )
    const types = Object.values(EV).filter((type) => type !== EV.NO_ACTION)
    events.forEach((one, i) => {
      for (const type of types) {
        const changed = agileLog(['sha1', 'sha256', 'sha384', 'sha512'], events.with(i, { ...one, type }))
        const { databases, ...found } = statements(bootStateOf(parseEventLog(changed), 'sha256'))
        for (const [name, value] of Object.entries(found)) {
          if (value !== undefined)
            assert.deepEqual(value, truth[name as keyof typeof truth], `${i + 1} as ${type}: ${name}`)
        }
        for (const [name, value] of Object.entries(databases)) {
          assert.deepEqual(value, truth.databases[name as keyof typeof databases], `${i + 1} as ${type}: ${name}`)
        }
      }
    })
  })
})
