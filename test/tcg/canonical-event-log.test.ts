import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { concat, fromHex, toHex } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'
import {
  decodeCanonicalLog,
  encodeEvent,
  eventDigest,
  MAX_LOG_BYTES,
  replayCanonicalLog,
  type VmmEvent,
} from '../../src/tcg/canonical-event-log.ts'
import type { formatVectors } from '../record/format-vectors.ts'
import { accepts, refuses } from './refusal.ts'
import { hex, sha256Pcrs, tpmVector } from './tpm-vectors.ts'

const digest = new Uint8Array(32).fill(5)
const profile: VmmEvent = { kind: 'profile', name: 'ci' }
const component: VmmEvent = { kind: 'component', name: 'vmm/qemu', sha256: digest }

const logOf = (...events: readonly VmmEvent[]) => concat(...events.map((event, i) => encodeEvent(BigInt(i), 13, event)))
const hash = (...parts: readonly Uint8Array[]) =>
  Uint8Array.from(
    createHash('sha256')
      .update(concat(...parts))
      .digest(),
  )

/** Worked by hand from docs/formats.md. */
const example = (
  JSON.parse(readFileSync(new URL('../vectors/formats.json', import.meta.url), 'utf8')) as ReturnType<
    typeof formatVectors
  >
).eventLog

/** A record around some content, with the digest that belongs to it. */
function record(
  content: Uint8Array,
  changes: { readonly recnum?: bigint; readonly pcr?: number; readonly type?: number } = {},
) {
  const { recnum = 0n, pcr = 13, type = 0x5a } = changes
  return new Writer()
    .bytes(hex('0000000008'))
    .u64(recnum)
    .bytes(hex('0100000001'))
    .u8(pcr)
    .bytes(hex('03000000250b00000020'))
    .bytes(hash(content))
    .u8(type)
    .sized32(content)
    .finish()
}

describe('encodeEvent', () => {
  it('writes the TLVs of docs/formats.md', () => {
    const content = '00000000010001000000026369'
    const expected = `0000000008${'0'.repeat(16)}01000000010d03000000250b00000020${toHex(hash(hex(content))).slice(2)}5a0000000d${content}`
    assert.equal(toHex(encodeEvent(0n, 13, profile)), `0x${expected}`)
  })

  it('refuses a PCR or an event that cannot be', () => {
    const wrong: readonly VmmEvent[] = [
      { kind: 'profile', name: '' },
      { kind: 'profile', name: 'n'.repeat(4097) },
      { kind: 'profile', name: '\ud800' },
      { kind: 'profile', name: 'ci', sha256: digest },
      { kind: 'component', name: 'qemu', sha256: digest.slice(1) },
      { kind: 'changed', name: 'qemu', sha256: new Uint8Array() },
    ]
    for (const event of wrong) refuses('EVENT_INVALID', () => encodeEvent(0n, 13, event))
    for (const pcr of [-1, 24, 1.5]) refuses('EVENT_INVALID', () => encodeEvent(0n, pcr, profile))
  })
})

describe('eventDigest', () => {
  it('is the SHA-256 of the content', () => {
    assert.deepEqual(eventDigest(profile), hash(hex('00000000010001000000026369')))
  })

  it('tells kinds, names and digests apart', () => {
    const events: readonly VmmEvent[] = [
      component,
      { ...component, kind: 'changed' },
      { ...component, name: 'vmm/qemu2' },
      { ...component, sha256: digest.with(0, 6) },
      { kind: 'changed', name: 'vmm/qemu' },
      { kind: 'component', name: 'vmm/qemu' },
    ]
    assert.equal(new Set(events.map((event) => toHex(eventDigest(event)))).size, events.length)
  })
})

describe('decodeCanonicalLog', () => {
  const events = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('profile' as const), name: fc.string({ unit: 'grapheme', minLength: 1 }) }),
      fc.record({
        kind: fc.constantFrom('component' as const, 'changed' as const),
        name: fc.string({ unit: 'grapheme', minLength: 1 }),
        sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      }),
      fc.record({ kind: fc.constant('changed' as const), name: fc.string({ unit: 'grapheme', minLength: 1 }) }),
    ),
    { maxLength: 5 },
  )

  it('reads what was written', () => {
    fc.assert(
      fc.property(events, (written) => {
        const log = decodeCanonicalLog(logOf(...written))
        assert.deepEqual(
          log.map(({ event }) => ({ ...event, ...(event.sha256 && { sha256: Uint8Array.from(event.sha256) }) })),
          written.map((event) => ({ ...event })),
        )
        log.forEach(({ recnum, pcr, digest: extended, event }, i) => {
          assert.deepEqual([recnum, pcr, toHex(extended)], [BigInt(i), 13, toHex(eventDigest(event))])
        })
      }),
    )
  })

  it('reads the worked example, which is written the same way', () => {
    const bytes = fromHex(example.log)
    const log = decodeCanonicalLog(bytes)
    assert.equal(toHex(hash(bytes)), example.manifestHash)
    assert.deepEqual(
      log.map(({ event: { kind, name, sha256 }, digest: extended, ...position }) => ({
        ...position,
        event: { kind, name, ...(sha256 && { sha256: toHex(sha256) }) },
        digest: toHex(extended),
      })),
      example.events.map(({ event, digest: extended }, i) => ({
        recnum: BigInt(i),
        pcr: example.pcr,
        event,
        digest: extended,
      })),
    )
    log.forEach(({ recnum, pcr, event }, i) => {
      assert.equal(toHex(encodeEvent(recnum, pcr, event)), example.events[i]?.record)
    })
  })

  it('reads an empty log', () => {
    assert.deepEqual(decodeCanonicalLog(new Uint8Array()), [])
  })

  it('refuses every prefix that is not whole records', () => {
    const first = encodeEvent(0n, 13, profile).length
    const bytes = logOf(profile, component)
    for (let length = 1; length < bytes.length; length++) {
      if (length !== first) refuses('MALFORMED', () => decodeCanonicalLog(bytes.subarray(0, length)))
    }
  })

  it('refuses a change of any byte, or replays to another value', () => {
    const bytes = logOf(
      profile,
      component,
      { kind: 'changed', name: 'vmm/qemu' },
      { kind: 'component', name: 'libvirt' },
    )
    const value = toHex(replayCanonicalLog(decodeCanonicalLog(bytes), 13))
    bytes.forEach((byte, at) => {
      for (const flip of [0x01, 0x80]) {
        const tampered = bytes.with(at, byte ^ flip)
        assert.ok(
          !accepts(decodeCanonicalLog, tampered) ||
            toHex(replayCanonicalLog(decodeCanonicalLog(tampered), 13)) !== value,
          `byte ${at}`,
        )
      }
    })
  })

  it('refuses records that are missing, repeated or out of order', () => {
    refuses('EVENT_ORDER', () => decodeCanonicalLog(encodeEvent(1n, 13, profile)))
    const [first, second] = [encodeEvent(0n, 13, profile), encodeEvent(1n, 13, component)]
    refuses('EVENT_ORDER', () => decodeCanonicalLog(concat(first, first)))
    refuses('EVENT_ORDER', () => decodeCanonicalLog(concat(second, first)))
    refuses('EVENT_ORDER', () => decodeCanonicalLog(concat(first, encodeEvent(2n, 13, component))))
  })

  it('refuses a digest that is not that of the content', () => {
    const bytes = encodeEvent(0n, 13, profile)
    refuses('EVENT_DIGEST', () => decodeCanonicalLog(bytes.with(bytes.length - 1, 0x6a)))
    refuses('EVENT_DIGEST', () => decodeCanonicalLog(bytes.with(30, (bytes[30] ?? 0) ^ 1)))
  })

  it('refuses kinds of content and of events that are not known', () => {
    const content = hex('00000000010001000000026369')
    for (const type of [4, 5, 7, 0x5b]) refuses('EVENT_KIND', () => decodeCanonicalLog(record(content, { type })))
    refuses('EVENT_KIND', () => decodeCanonicalLog(record(content.with(5, 3))))
    refuses('EVENT_KIND', () => decodeCanonicalLog(record(hex('000000000001000000026369'))))
  })

  it('refuses content that is not the one encoding of an event', () => {
    const [first, second, changed] = ['000000000100', '000000000101', '000000000102']
    const name = '01000000026369'
    const sha256 = `0200000020${'05'.repeat(32)}`
    const wrong = [
      name + first,
      first + name + sha256,
      `${second}${name}020000001f${'05'.repeat(31)}`,
      `${first}0100000000`,
      `${first}0100000002ff63`,
      `${changed}${name}030000000100`,
    ]
    for (const content of wrong) refuses('EVENT_INVALID', () => decodeCanonicalLog(record(hex(content))))
    const trailing = hex(`${second}${name}${sha256}00`)
    refuses('MALFORMED', () => decodeCanonicalLog(record(trailing)))
  })

  it('refuses PCRs that do not exist', () => {
    refuses('EVENT_INVALID', () => decodeCanonicalLog(record(hex('00000000010001000000026369'), { pcr: 24 })))
  })

  it('refuses another bank, two digests, and an NV index for a PCR', () => {
    const bytes = encodeEvent(0n, 13, profile)
    refuses('EVENT_INVALID', () => decodeCanonicalLog(bytes.with(24, 0x0c)))
    refuses('MALFORMED', () => decodeCanonicalLog(bytes.with(23, 0x4a)))
    refuses('EVENT_INVALID', () => decodeCanonicalLog(bytes.with(13, 2)))
  })

  it('refuses a log beyond its bounds', () => {
    refuses('LOG_TOO_LARGE', () => decodeCanonicalLog(new Uint8Array(MAX_LOG_BYTES + 1)))
  })

  it('throws nothing but TcgError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 120 }), (bytes) => !accepts(decodeCanonicalLog, bytes)),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (content) => void accepts(decodeCanonicalLog, record(content))),
    )
  })
})

describe('replay', () => {
  it('gives what the TPM had after the same extensions', () => {
    const log = decodeCanonicalLog(tpmVector('swtpm-primary-ak/vmm.cel'))
    assert.deepEqual(replayCanonicalLog(log, 13), sha256Pcrs('swtpm-primary-ak/pcrs.yaml').get(13))
  })

  it('gives the value of the worked example', () => {
    assert.equal(toHex(replayCanonicalLog(decodeCanonicalLog(fromHex(example.log)), example.pcr)), example.pcrValue)
  })

  it('extends with each digest of that PCR, in order', () => {
    const [a, b] = [eventDigest(profile), eventDigest(component)]
    const log = decodeCanonicalLog(
      concat(encodeEvent(0n, 13, profile), encodeEvent(1n, 12, profile), encodeEvent(2n, 13, component)),
    )
    assert.deepEqual(replayCanonicalLog(log, 13), hash(hash(new Uint8Array(32), a), b))
    assert.deepEqual(replayCanonicalLog(log, 12), hash(new Uint8Array(32), a))
  })

  it('gives a PCR without events its value after a reset', () => {
    const pcrs = sha256Pcrs('01-ovmf-baseline/pcrs.yaml')
    for (const pcr of [13, 16, 17, 22, 23]) assert.deepEqual(replayCanonicalLog([], pcr), pcrs.get(pcr))
  })

  it('refuses a PCR that does not exist', () => {
    refuses('EVENT_INVALID', () => replayCanonicalLog([], 24))
  })
})
