import assert from 'node:assert/strict'
import { concat } from '../../src/core/bytes.ts'
import { compareWithIma, type ImaEvidence } from '../../src/evidence/ima-manifest.ts'
import type { BankName } from '../../src/tcg/bank.ts'
import { decodeCanonicalLog, encodeEvent, type VmmEvent } from '../../src/tcg/canonical-event-log.ts'
import { decodeImaLog } from '../../src/tcg/ima-log.ts'
import { replayIma, startIma } from '../../src/tcg/ima-replay.ts'
import { field, imaEntry, nameField, text } from '../tcg/ima-bytes.ts'
import { hex, sha256Pcrs, tpmVector } from '../tcg/tpm-vectors.ts'

const BASELINE = '01-ovmf-baseline'
const CHANGED = '02-ovmf-cmdline-vmm-changed'

/** What captures 01 measured below /mnt/vmm (captured by IMA, and hashed on the disk that was booted). */
const VMM = '/mnt/vmm/bin/fake-vmm'
const FIRMWARE = '/mnt/vmm/lib/guest-firmware.fd'
const CONFIG = '/mnt/vmm/etc/agent.conf'
const VMM_DIGEST = 'fd58caa822e6f09f3cb5ec2cd23188571e17cbf9086562502119d383378e308a'
const FIRMWARE_DIGEST = '783ba00b3d2978f4fde0e18502ee25f488cb4e4170f3e2cf01ed23f49ac58642'
const CHANGED_VMM = '1166c2dcdb1438f59e03fe795b85d1db45565df008048fdb3139e78f97a682ff'
const CONFIG_DIGESTS: readonly [string, string] = [
  '9b8ba7ecda8761c1dbb44cfc6f785b0ae1863bfc26e3586c86e146cf47f1f831',
  'e356d40dfd62fcfdf19a84bc86d882f937d0546f6f0e3dc7cfd87d3c963ee593',
]

describe('compareWithIma', () => {
  const manifest = (...events: readonly (readonly [VmmEvent['kind'], string, string?])[]) => {
    const all: VmmEvent[] = [
      { kind: 'profile', name: 'qemu-kvm' },
      ...events.map(([kind, name, digest]) => ({ kind, name, ...(digest && { sha256: hex(digest) }) })),
    ]
    return decodeCanonicalLog(Buffer.concat(all.map((event, i) => encodeEvent(BigInt(i), 13, event))))
  }
  const baseline = manifest(
    ['component', VMM, VMM_DIGEST],
    ['component', FIRMWARE, FIRMWARE_DIGEST],
    ['component', '/usr/libexec'],
  )
  const captured = (name: string, required = false): ImaEvidence => ({
    log: tpmVector(`${name}/ima_binary_runtime_measurements`),
    pcr: new Map([['sha256', pcr10(name)]]),
    required,
  })
  const pcr10 = (name: string) => {
    const value = sha256Pcrs(`${name}/pcrs.yaml`).get(10)
    assert.ok(value !== undefined)
    return value
  }
  /** A log of such entries, and the PCR 10 that it gives. */
  const made = (...entries: readonly Uint8Array[]): ImaEvidence => {
    const log = Buffer.concat(entries)
    const series = replayIma(decodeImaLog(log).entries, startIma(['sha256'])).series.find(
      ({ scheme }) => scheme === 'hash',
    )
    const pcr = new Map<BankName, Uint8Array>([['sha256', series?.pcrs.get(10) ?? new Uint8Array(32)]])
    return { log, pcr, required: false }
  }
  const ng = (path: string, digest: string, algorithm = 'sha256') =>
    imaEntry(concat(field(text(`${algorithm}:\0`), hex(digest)), nameField(path)))
  const codes = (...args: Parameters<typeof compareWithIma>) => {
    const { result, findings } = compareWithIma(...args)
    return { result, codes: findings.map(({ code, name }) => [code, name]) }
  }

  it('agrees with what a kernel saw of the files that the manifest names', () => {
    const found = compareWithIma(baseline, captured(BASELINE, true))
    assert.deepEqual(found, { result: 'pass', covered: 6, agreed: [VMM, FIRMWARE], findings: [] })
  })

  it('names the file of a changed VMM, and what was expected and seen', () => {
    const found = compareWithIma(baseline, captured(CHANGED))
    assert.equal(found.result, 'fail')
    assert.deepEqual(
      found.findings.map(({ code, name, entry }) => [code, name, entry]),
      [['IMA_DIFFERS', VMM, 1]],
    )
    assert.match(found.findings[0]?.detail ?? '', new RegExp(`expected 0x${VMM_DIGEST}, IMA saw 0x${CHANGED_VMM}`))
    assert.deepEqual(found.agreed, [FIRMWARE])
  })

  it('takes a change that the manifest logged as well', () => {
    const honest = manifest(['component', VMM, VMM_DIGEST], ['changed', VMM, CHANGED_VMM])
    assert.equal(compareWithIma(honest, captured(CHANGED)).result, 'pass')
  })

  it('finds a file that IMA saw first as the manifest has it and then otherwise, and its violation', () => {
    const [first, second] = CONFIG_DIGESTS
    const silent = manifest(['component', CONFIG, first])
    assert.deepEqual(codes(silent, captured(CHANGED)), {
      result: 'fail',
      codes: [
        ['IMA_VIOLATION', CONFIG],
        ['IMA_CHANGED', CONFIG],
      ],
    })
    const honest = manifest(['component', CONFIG, first], ['changed', CONFIG, second])
    assert.deepEqual(codes(honest, captured(CHANGED)), { result: 'fail', codes: [['IMA_VIOLATION', CONFIG]] })
  })

  it('refuses a log that does not replay to PCR 10, is cut off by PCR 10, or is of another bank', () => {
    const evidence = captured(BASELINE)
    const refused = (changed: Partial<ImaEvidence>, code: string) =>
      assert.deepEqual(codes(baseline, { ...evidence, ...changed }), { result: 'fail', codes: [[code, undefined]] })
    refused({ pcr: new Map([['sha256', pcr10(CHANGED)]]) }, 'IMA_PCR')
    refused({ pcr: new Map([['sha256', new Uint8Array(32)]]) }, 'IMA_PCR')
    refused({ pcr: new Map() }, 'IMA_PCR')
    refused({ pcr: new Map([['sha1', new Uint8Array(20)]]) }, 'IMA_PCR')
    const log = evidence.log ?? new Uint8Array()
    // What a host would rewrite to hide another VMM: the file's digest.
    const at = Buffer.from(log).indexOf(hex(VMM_DIGEST))
    refused({ log: log.with(at, 0) }, 'IMA_PCR')
    refused({ log: new Uint8Array() }, 'IMA_PCR')
  })

  it('does not look at entries that came after the PCR was read', () => {
    const [good, bad] = [ng(VMM, VMM_DIGEST), ng(VMM, CHANGED_VMM)]
    const { pcr } = made(good)
    const found = compareWithIma(baseline, { ...made(good, bad), pcr })
    assert.deepEqual([found.result, found.covered], ['pass', 1])
    assert.equal(compareWithIma(baseline, made(good, bad)).result, 'fail')
  })

  it('believes no SHA-1', () => {
    const evidence = made(ng(VMM, VMM_DIGEST))
    const padded = replayIma(decodeImaLog(evidence.log ?? new Uint8Array()).entries, startIma(['sha256'])).series.find(
      ({ scheme }) => scheme === 'sha1-padded',
    )
    const pcr = new Map<BankName, Uint8Array>([['sha256', padded?.pcrs.get(10) ?? new Uint8Array(32)]])
    assert.deepEqual(codes(baseline, { ...evidence, pcr }), { result: 'fail', codes: [['IMA_SHA1', undefined]] })
  })

  it('leaves open what IMA hashed otherwise', () => {
    const other = made(ng(VMM, 'ab'.repeat(64), 'sha512'))
    assert.deepEqual(codes(baseline, other), { result: 'not covered', codes: [['IMA_UNCOMPARABLE', VMM]] })
  })

  it('says in words that a kernel has no IMA, or saw nothing, which fails only where IMA is required', () => {
    const absent = { log: undefined, pcr: new Map<BankName, Uint8Array>([['sha256', new Uint8Array(32)]]) }
    const idle = made(ng('/usr/bin/true', 'ab'.repeat(32)))
    for (const [evidence, code] of [
      [absent, 'IMA_ABSENT'],
      [idle, 'IMA_UNSEEN'],
    ] as const) {
      assert.deepEqual(codes(baseline, { ...evidence, required: false }), {
        result: 'not covered',
        codes: [[code, undefined]],
      })
      assert.deepEqual(codes(baseline, { ...evidence, required: true }), { result: 'fail', codes: [[code, undefined]] })
    }
    assert.match(compareWithIma(baseline, { ...absent, required: false }).findings[0]?.detail ?? '', /no IMA log/)
  })

  it('does not take a log that was withheld for a kernel without IMA', () => {
    const withheld = {
      log: undefined,
      pcr: new Map<BankName, Uint8Array>([['sha256', pcr10(BASELINE)]]),
      required: false,
    }
    assert.deepEqual(codes(baseline, withheld), { result: 'fail', codes: [['IMA_PCR', undefined]] })
  })

  it('finds a file by the path that its name stands for, with a space in it too', () => {
    const named = manifest(['component', 'pkcs11-module', VMM_DIGEST])
    const pathOf = (name: string) => (name === 'pkcs11-module' ? '/opt/my hsm/module.so' : undefined)
    assert.equal(compareWithIma(named, made(ng('/opt/my_hsm/module.so', VMM_DIGEST)), pathOf).result, 'pass')
    assert.equal(compareWithIma(named, made(ng('/opt/my_hsm/module.so', CHANGED_VMM)), pathOf).result, 'fail')
    assert.equal(compareWithIma(named, made(ng('/opt/my_hsm/module.so', CHANGED_VMM))).result, 'not covered')
  })

  it('refuses a malformed log', () => {
    const evidence = captured(BASELINE)
    const log = evidence.log?.subarray(0, -1)
    assert.throws(() => compareWithIma(baseline, { ...evidence, log }), { code: 'IMA_MALFORMED' })
  })
})
