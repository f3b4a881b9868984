import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { concat, toHex } from '../../src/core/bytes.ts'
import { bootStateOf } from '../../src/tcg/boot-state.ts'
import { coverageInAllBanks } from '../../src/tcg/event-coverage.ts'
import { MAX_EVENT_LOG_BYTES, MAX_EVENTS, parseEventLog, type EventLog } from '../../src/tcg/event-log.ts'
import { EventLogError, type EventLogErrorCode } from '../../src/tcg/event-log-error.ts'
import { reportOf } from '../../src/tcg/event-log-report.ts'
import { replayEventLog } from '../../src/tcg/event-log-replay.ts'
import { EV, eventTypeName } from '../../src/tcg/event-type.ts'
import { parsePcrFile } from '../../src/tcg/pcr-file.ts'
import {
  agileEvent,
  agileLog,
  capturedEvents,
  SEPARATOR,
  sha1Event,
  specId,
  text,
  u16,
  u32,
  variable,
  type WrittenEvent,
} from './event-log-bytes.ts'
import { GUID } from '../../src/tcg/guid.ts'
import { CAPTURES, tpmVector } from './tpm-vectors.ts'

const SHA2 = [[0x000b, 32]] as const
const NO_ACTION = { pcr: 0, type: EV.NO_ACTION }
const separator: WrittenEvent = { pcr: 0, type: EV.SEPARATOR, data: SEPARATOR }

function refuses(code: EventLogErrorCode, bytes: Uint8Array): void {
  assert.throws(
    () => parseEventLog(bytes),
    (error) => error instanceof EventLogError && error.code === code,
    `expected ${code}`,
  )
}

/** Undefined where the log is refused. Anything thrown but an EventLogError fails the test. */
function parsed(bytes: Uint8Array): EventLog | undefined {
  try {
    return parseEventLog(bytes)
  } catch (error) {
    if (error instanceof EventLogError) return undefined
    throw error
  }
}

/** What Debian's tpm2_eventlog says of a file: events as lines, and the PCRs that it replays. */
function judgeOf(file: string): { readonly events: readonly string[]; readonly pcrs: ReturnType<typeof parsePcrFile> } {
  const yaml = execFileSync('tpm2_eventlog', [file], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const events = yaml
    .slice(0, yaml.lastIndexOf('\npcrs:'))
    .split(/^ {2}PCRIndex: /m)
    .slice(1)
    .map((event) => {
      const value = (name: string) => new RegExp(`^ *${name}: (.*)$`, 'm').exec(event)?.[1] ?? ''
      const digests = [...event.matchAll(/AlgorithmId: (\w+)\n *Digest: "(\w+)"/g)].map(
        ([, name, found]) => `${name} ${found}`,
      )
      const all = digests.length > 0 ? digests : [`sha1 ${/Digest: "(\w+)"/.exec(event)?.[1]}`]
      return [event.slice(0, event.indexOf('\n')), value('EventType'), value('EventSize'), ...all].join(' ')
    })
  return { events, pcrs: parsePcrFile(text(yaml.slice(yaml.lastIndexOf('\npcrs:')))) }
}

const linesOf = (log: EventLog) =>
  log.events.map((event) => {
    const digests = event.algorithms.map((id) => {
      const name = log.algorithms.find(({ algorithm }) => algorithm === id)?.name ?? 'none'
      return `${name} ${toHex(event.digestOf(id) ?? new Uint8Array()).slice(2)}`
    })
    return [event.pcr, eventTypeName(event.type), event.data.length, ...digests].join(' ')
  })

describe('parseEventLog', () => {
  let dir: string
  before(() => (dir = mkdtempSync(join(tmpdir(), 'attestry-eventlog-'))))
  after(() => rmSync(dir, { recursive: true }))

  for (const capture of CAPTURES) {
    it(`reads ${capture} event by event as tpm2_eventlog does, and replays it to the captured PCRs`, () => {
      const path = fileURLToPath(new URL(`../vectors/tpm/${capture}/binary_bios_measurements`, import.meta.url))
      const log = parseEventLog(tpmVector(`${capture}/binary_bios_measurements`))
      const judge = judgeOf(path)
      assert.deepEqual(linesOf(log), judge.events)
      assert.deepEqual(log.findings, [])
      const captured = parsePcrFile(tpmVector(`${capture}/pcrs.yaml`))
      for (const bank of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
        const replayed = replayEventLog(log, bank)
        assert.ok(replayed.size >= 9)
        assert.deepEqual(hexOf(replayed), hexOf(judge.pcrs.get(bank)), bank)
        for (const [pcr, value] of replayed) {
          assert.equal(toHex(value), toHex(captured.get(bank)?.get(pcr) ?? new Uint8Array()), `${bank} ${pcr}`)
        }
      }
    })

    it(`reads ${capture} in the old form as tpm2_eventlog does, and with a Spec ID event in front`, () => {
      const events = capturedEvents(capture).map(sha1Event)
      const file = join(dir, 'sha1.log')
      writeFileSync(file, concat(...events))
      const log = parseEventLog(concat(...events))
      const judge = judgeOf(file)
      assert.equal(judge.events.length, events.length)
      assert.deepEqual(linesOf(log), judge.events)
      assert.deepEqual(hexOf(replayEventLog(log, 'sha1')), hexOf(judge.pcrs.get('sha1')))
      assert.deepEqual(
        [log.spec, log.algorithms.map(({ name }) => name), replayEventLog(log, 'sha256').size],
        [undefined, ['sha1'], 0],
      )
      for (const signature of ['Spec ID Event02', 'Spec ID Event00'] as const) {
        const header = sha1Event({
          ...NO_ACTION,
          data: concat(text(`${signature}\0`), u32(0), Uint8Array.of(2, 1, 0, 2, 0)),
        })
        const headed = parseEventLog(concat(header, ...events))
        assert.deepEqual([headed.spec?.signature, headed.spec?.version, headed.findings], [signature, '1.2', []])
        assert.deepEqual(linesOf(headed).slice(1), judge.events)
        assert.deepEqual(hexOf(replayEventLog(headed, 'sha1')), hexOf(judge.pcrs.get('sha1')))
      }
    })
  }

  it('reads every prefix that ends with an event as a shorter log, and refuses every other', () => {
    for (const bytes of [
      tpmVector(`${CAPTURES[0]}/binary_bios_measurements`),
      concat(...capturedEvents(CAPTURES[0] ?? '').map(sha1Event)),
    ]) {
      const whole = parseEventLog(bytes)
      const ends = new Map(
        whole.events.map(({ data, index }) => [data.byteOffset - bytes.byteOffset + data.length, index + 1]),
      )
      for (let length = 1; length <= bytes.length; length++) {
        const found = parsed(bytes.slice(0, length))
        // What is left of an event may be zeros alone: the beginning of a PCR's number. That is padding, and said so.
        const expected = ends.get(length)
        if (expected !== undefined) assert.equal(found?.events.length, expected)
        else
          assert.ok(found === undefined || found.findings[0]?.code === 'TRAILING_PADDING', `prefix of ${length} bytes`)
      }
    }
  })

  it('takes zeros or ones behind the last event as padding, and says so; anything else is an event that was cut', () => {
    const log = agileLog(['sha256'], [separator])
    for (const byte of [0, 0xff]) {
      for (const count of [1, 12, 5000]) {
        const { events, findings } = parseEventLog(concat(log, new Uint8Array(count).fill(byte)))
        assert.equal(events.length, 2)
        assert.deepEqual(
          findings.map(({ code }) => code),
          ['TRAILING_PADDING'],
        )
      }
    }
    for (const behind of [[1], [0, 0, 0, 0, 1], [0xff, 0xff, 0xff, 0xfe]])
      refuses('LOG_TRUNCATED', concat(log, Uint8Array.from(behind)))
  })

  it('refuses a log without an event, and one beyond its bounds', () => {
    for (const bytes of [new Uint8Array(), new Uint8Array(100), new Uint8Array(32).fill(0xff)])
      refuses('LOG_EMPTY', bytes)
    refuses('LOG_TOO_LARGE', new Uint8Array(MAX_EVENT_LOG_BYTES + 1))
    const one = sha1Event(separator)
    const many = new Uint8Array(one.length * (MAX_EVENTS + 1))
    for (let i = 0; i <= MAX_EVENTS; i++) many.set(one, i * one.length)
    assert.equal(parseEventLog(many.subarray(one.length)).events.length, MAX_EVENTS)
    refuses('LOG_TOO_LARGE', many)
  })

  it('reads a log of zeros with an event behind them in linear time', () => {
    const zeros = new Uint8Array(32 * (MAX_EVENTS - 1))
    const begin = performance.now()
    assert.equal(parseEventLog(concat(zeros, sha1Event({ ...separator, data: text('x') }))).events.length, MAX_EVENTS)
    assert.ok(performance.now() - begin < 5000)
  })

  it('takes no more than 16 bytes of memory for each of the log', () => {
    const header = sha1Event({ ...NO_ACTION, data: specId([[4, 20], ...SHA2]) })
    const event = concat(u32(0), u32(EV.SEPARATOR), u32(1), u16(4), new Uint8Array(20), u32(0))
    const count = MAX_EVENTS - 1
    const bytes = new Uint8Array(header.length + count * event.length)
    bytes.set(header)
    for (let i = 0; i < count; i++) bytes.set(event, header.length + i * event.length)
    const before = process.memoryUsage().heapUsed
    const { events, findings } = parseEventLog(concat(bytes.subarray(0, -4), u32(1), text('x')))
    assert.ok(process.memoryUsage().heapUsed - before < 16 * bytes.length)
    assert.deepEqual([events.length, findings.length], [MAX_EVENTS, MAX_EVENTS - 1])
  })

  it('refuses a header that is cut, or has algorithms that cannot be', () => {
    const of = (data: Uint8Array) => sha1Event({ ...NO_ACTION, data })
    const whole = specId(SHA2)
    for (let length = 16; length < whole.length - 1; length++) refuses('LOG_HEADER', of(whole.slice(0, length)))
    refuses('LOG_HEADER', of(specId([])))
    refuses('LOG_HEADER', of(specId(Array.from({ length: 17 }, (_, i) => [0x100 + i, 32] as const))))
    refuses('LOG_ALGORITHM', of(specId([...SHA2, ...SHA2])))
    for (const [algorithm, length] of [
      [0x000b, 31],
      [0x0004, 32],
      [0x0100, 0],
      [0x0100, 65],
    ] as const) {
      refuses('LOG_ALGORITHM', of(specId([[algorithm, length]])))
    }
  })

  it('takes a header whose vendor information is missing, or not as long as it says, and says so', () => {
    for (const behind of [Uint8Array.of(), Uint8Array.of(2, 1), Uint8Array.of(0, 1, 2)]) {
      const { findings, spec } = parseEventLog(sha1Event({ ...NO_ACTION, data: specId(SHA2, behind) }))
      assert.deepEqual([spec?.regular, findings[0]?.code, findings[0]?.event], [false, 'DATA_MALFORMED', 0])
    }
    const { spec, findings } = parseEventLog(sha1Event({ ...NO_ACTION, data: specId(SHA2, Uint8Array.of(2, 7, 8)) }))
    assert.deepEqual([spec?.vendorInfo, findings], [Uint8Array.of(7, 8), []])
  })

  it('keeps the digests of an algorithm that only the header knows, and names it', () => {
    const header = sha1Event({ ...NO_ACTION, data: specId([[0x0027, 32], ...SHA2]) })
    const [strange, digest] = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(9)]
    const event = concat(u32(0), u32(EV.SEPARATOR), u32(2), u16(0x27), strange, u16(0x0b), digest, u32(4), SEPARATOR)
    const log = parseEventLog(concat(header, event))
    assert.deepEqual(
      log.algorithms.map(({ name, bank }) => [name, bank]),
      [
        ['0x0027', undefined],
        ['sha256', 'sha256'],
      ],
    )
    assert.deepEqual(
      log.events.slice(1).map((one) => [one.digestOf(0x27), one.digest('sha256')]),
      [[strange, digest]],
    )
    assert.deepEqual(
      log.findings.map(({ code }) => code),
      ['ALGORITHM_UNKNOWN'],
    )
    assert.deepEqual(Object.keys(reportOf(log).events[1]?.digests ?? {}), ['0x0027', 'sha256'])
  })

  it('takes digests in another order, and fewer of them, which it says; refuses more, others, and one twice', () => {
    const header = sha1Event({
      ...NO_ACTION,
      data: specId([
        [4, 20],
        [0x0b, 32],
      ]),
    })
    const [one, two] = [concat(u16(4), new Uint8Array(20).fill(1)), concat(u16(0x0b), new Uint8Array(32).fill(2))]
    const log = (...digests: readonly Uint8Array[]) =>
      concat(header, u32(0), u32(EV.SEPARATOR), u32(digests.length), ...digests, u32(4), SEPARATOR)
    const swapped = parseEventLog(log(two, one))
    assert.deepEqual(
      swapped.events.slice(1).map((event) => [event.digest('sha1'), event.digest('sha256')]),
      [[new Uint8Array(20).fill(1), new Uint8Array(32).fill(2)]],
    )
    assert.deepEqual(swapped.findings, [])
    const fewer = parseEventLog(log(two))
    assert.equal(fewer.events[1]?.digest('sha1'), undefined)
    assert.deepEqual([fewer.findings[0]?.code, fewer.findings[0]?.event], ['DIGEST_MISSING', 1])
    assert.equal(replayEventLog(fewer, 'sha1').size, 0)
    refuses('EVENT_ALGORITHM', log(one, two, one))
    refuses('EVENT_ALGORITHM', log(one, one))
    refuses('EVENT_ALGORITHM', log())
    refuses('EVENT_ALGORITHM', log(concat(u16(0x0c), new Uint8Array(48)), two))
    refuses('EVENT_ALGORITHM', concat(header, u32(0), u32(EV.SEPARATOR), u32(0xffffffff), one, two, u32(4), SEPARATOR))
  })

  it('refuses an event that extends a PCR that does not exist, and lets EV_NO_ACTION name any', () => {
    refuses('EVENT_PCR', agileLog(['sha256'], [{ ...separator, pcr: 24 }]))
    refuses('EVENT_PCR', sha1Event({ ...separator, pcr: 0xffffffff }))
    const { events } = parseEventLog(
      agileLog(['sha256'], [{ pcr: 0xffffffff, type: EV.NO_ACTION, data: text('short') }]),
    )
    assert.equal(events[1]?.pcr, 0xffffffff)
  })

  it('refuses sizes beyond the log’s end, without taking memory for them', () => {
    const event = agileEvent(['sha256'], separator)
    for (const size of [5, 0x7fffffff, 0xffffffff]) {
      const changed = concat(event.subarray(0, -8), u32(size), SEPARATOR)
      refuses('LOG_TRUNCATED', concat(agileLog(['sha256'], []), changed))
    }
  })

  it('never writes to its input', () => {
    const bytes = tpmVector(`${CAPTURES[2]}/binary_bios_measurements`)
    const before = Uint8Array.from(bytes)
    reportOf(parseEventLog(bytes))
    assert.deepEqual(bytes, before)
  })

  it('survives every byte being changed, and where the PCRs stay equal nothing that is covered means something else', () => {
    const bytes = agileLog(['sha256'], small)
    const whole = parseEventLog(bytes)
    const [pcrs, state] = [hexOf(replayEventLog(whole, 'sha256')), statements(whole)]
    let equalPcrs = 0
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const found = parsed(bytes.with(at, (bytes[at] ?? 0) ^ flip))
        if (found === undefined) continue
        const report = reportOf(found)
        if (JSON.stringify(hexOf(replayEventLog(found, 'sha256'))) !== JSON.stringify(pcrs)) continue
        equalPcrs++
        found.events.forEach((event, i) => {
          if (report.events[i]?.covered !== true) return
          const original = whole.events[i]
          const part = coverageInAllBanks(found, event).part
          // A value or a text is covered without its surroundings: those alone may differ.
          if (part === 'data') assert.deepEqual(event.data, original?.data, `byte ${at}`)
          assert.equal(event.pcr, original?.pcr)
        })
        for (const [name, value] of Object.entries(statements(found))) {
          assert.equal(value, state[name] ?? value, `byte ${at}: ${name}`)
        }
      }
    }
    assert.ok(equalPcrs > 100)
  })

  it('survives structured mutations of captured logs', () => {
    const events = capturedEvents(CAPTURES[2] ?? '')
    const mutation = fc.oneof(
      fc.record({ drop: fc.nat(47) }),
      fc.record({ twice: fc.nat(47) }),
      fc.record({ swap: fc.nat(46) }),
      fc.record({ retype: fc.nat(47), as: fc.constantFrom(...Object.values(EV), 0x77) }),
      fc.record({ cut: fc.nat(47), to: fc.nat(40) }),
      fc.record({ at: fc.nat(47), byte: fc.nat(3000), to: fc.nat(255) }),
    )
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 4 }), fc.boolean(), (mutations, old) => {
        const changed = mutations.reduce<readonly WrittenEvent[]>(mutate, events)
        const log = old
          ? parsed(concat(...changed.map(sha1Event)))
          : parsed(agileLog(['sha1', 'sha256', 'sha384', 'sha512'], changed))
        if (log === undefined) return
        const report = reportOf(log)
        assert.equal(report.events.length, changed.length + (old ? 0 : 1))
        // JSON takes it: nothing is of a kind that it has not.
        assert.ok(JSON.stringify(report).length > 0)
      }),
      { numRuns: 200 },
    )
  })

  it('never throws anything else, whatever the bytes', () => {
    const bytes = tpmVector(`${CAPTURES[0]}/binary_bios_measurements`)
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 8 }).map((changes) => {
        const copy = Uint8Array.from(bytes)
        for (const [at, to] of changes) copy[at] = to
        return copy
      }),
    )
    fc.assert(
      fc.property(any, (input) => {
        const log = parsed(input)
        if (log !== undefined) reportOf(log)
      }),
      { numRuns: 500 },
    )
  })
})

/** A small log of a boot. */
const small: readonly WrittenEvent[] = [
  { pcr: 0, type: EV.NO_ACTION, data: text('StartupLocality\0\x03') },
  { pcr: 0, type: EV.S_CRTM_VERSION, data: text('1.0') },
  { pcr: 7, type: EV.EFI_VARIABLE_DRIVER_CONFIG, data: variable(GUID.GLOBAL_VARIABLE, 'SecureBoot', Uint8Array.of(0)) },
  { pcr: 7, type: EV.SEPARATOR, data: SEPARATOR },
  {
    pcr: 1,
    type: EV.EFI_VARIABLE_BOOT,
    data: variable(GUID.GLOBAL_VARIABLE, 'BootOrder', Uint8Array.of(1, 0)),
    of: Uint8Array.of(1, 0),
  },
  { pcr: 4, type: EV.EFI_ACTION, data: text('Calling EFI Application from Boot Option') },
  { pcr: 4, type: EV.SEPARATOR, data: SEPARATOR },
  { pcr: 8, type: EV.IPL, data: text('grub_cmd: linux /k quiet\0'), of: text('linux /k quiet') },
  { pcr: 8, type: EV.IPL, data: text('kernel_cmdline: /k quiet\0'), of: text('/k quiet') },
]

function statements(log: EventLog): Readonly<Record<string, string>> {
  const state = bootStateOf(log, 'sha256')
  const of = { secureBoot: state.secureBoot.enabled, order: state.bootOrder, line: state.commandLine?.text }
  return Object.fromEntries(
    Object.entries(of).flatMap(([name, value]) => (value === undefined ? [] : [[name, JSON.stringify(value)]])),
  )
}

function hexOf(values: ReadonlyMap<number, Uint8Array> = new Map()): Readonly<Record<string, string>> {
  return Object.fromEntries([...values].map(([pcr, value]) => [pcr, toHex(value)]))
}

interface Mutation {
  readonly drop?: number
  readonly twice?: number
  readonly swap?: number
  readonly retype?: number
  readonly as?: number
  readonly cut?: number
  readonly at?: number
  readonly byte?: number
  readonly to?: number
}

function mutate(events: readonly WrittenEvent[], mutation: Mutation): readonly WrittenEvent[] {
  const { drop, twice, swap, retype, as = 0, cut, at, byte = 0, to = 0 } = mutation
  return events.flatMap((event, i) => {
    if (i === drop) return []
    if (i === twice) return [event, event]
    if (i === swap) return events[i + 1] ?? []
    if (swap !== undefined && i === swap + 1) return events[swap] ?? []
    if (i === retype) return { ...event, type: as }
    if (i === cut) return { ...event, data: event.data.slice(0, to) }
    if (i === at && event.data.length > 0) return { ...event, data: event.data.with(byte % event.data.length, to) }
    return event
  })
}
