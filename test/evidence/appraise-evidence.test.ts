import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { parseAppraisalPolicy, type AppraisalPolicy } from '../../src/evidence/appraisal-policy.ts'
import { appraiseEvidence } from '../../src/evidence/appraise-evidence.ts'
import type { AppraisalContext } from '../../src/evidence/appraise-tpm.ts'
import type { ClaimCode } from '../../src/evidence/claim.ts'
import type { Evidence } from '../../src/evidence/evidence.ts'
import { parseRevocationList } from '../../src/evidence/revocation-list.ts'
import { listIssuer } from '../../src/evidence/revocation.ts'
import { policyOf } from '../../src/evidence/policy-of.ts'
import type { PcrValues } from '../../src/tcg/bank.ts'
import {
  decodeCanonicalLog,
  encodeEvent,
  replayCanonicalLog,
  type VmmEvent,
} from '../../src/tcg/canonical-event-log.ts'
import { decodeImaLog } from '../../src/tcg/ima-log.ts'
import { replayIma, type ImaScheme } from '../../src/tcg/ima-replay.ts'

import { sha256 } from '../../src/tcg/hash.ts'
import { nameOf, qualifiedName } from '../../src/tcg/name.ts'
import { decodeTpmsQuote } from '../../src/tcg/tpms-attest.ts'
import { concat, toHex, type Hex } from '../../src/core/bytes.ts'
import { agileLog } from '../tcg/event-log-bytes.ts'
import { digestField, field, imaEntry, nameField, text } from '../tcg/ima-bytes.ts'
import { predict } from '../../src/vmm/predict.ts'
import { qemuKvmProfile } from '../../src/vmm/qemu-kvm-profile.ts'
import { attestBytes, QUOTE_PARTS, signerName, type AttestParts } from '../tcg/quote-bytes.ts'
import { CAPTURES, tpmtPublic } from '../tcg/tpm-vectors.ts'
import { AT, makeAuthority, makeEk, makeList } from './authority.ts'
import { capturedContext, capturedEvidence } from './captured-evidence.ts'
import { refuses } from './refusal.ts'
import { makeSoftwareAk, type SoftwareAk } from './software-ak.ts'

const BASELINE = '01-ovmf-baseline'
const CHANGED = '02-ovmf-cmdline-vmm-changed'
const SECURE_BOOT = '04-ovmf-secureboot-shim-grub'

const evidence = capturedEvidence(BASELINE)
const context = capturedContext(BASELINE)
let policy: AppraisalPolicy

/** Names and codes of what did not pass, but for what the policy says nothing of. */
async function faults(of: Evidence, under: AppraisalPolicy, known: AppraisalContext = context) {
  const { ok, claims } = await appraiseEvidence(of, under, known)
  const found = claims.filter(({ status, code }) => status !== 'pass' && code !== 'NOT_IN_POLICY')
  assert.equal(
    ok,
    found.every(({ code }) => code === 'SIGNER_UNPLACED'),
  )
  return found.map(({ name, code }) => `${name} ${code ?? ''}`)
}

/** Asserts that a change of evidence, policy or context makes the result bad, for this claim and reason among others. */
async function fails(
  name: string,
  code: ClaimCode,
  changes: { evidence?: Partial<Evidence>; policy?: Partial<AppraisalPolicy>; context?: Partial<AppraisalContext> },
): Promise<void> {
  const found = await faults(
    { ...evidence, ...changes.evidence },
    { ...policy, ...changes.policy },
    { ...context, ...changes.context },
  )
  assert.ok(found.includes(`${name} ${code}`), `expected ${name} ${code}, found ${found.join('; ') || 'nothing'}`)
}

describe('appraiseEvidence', () => {
  before(async () => {
    policy = parseAppraisalPolicy((await policyOf(evidence)).text)
  })

  for (const capture of CAPTURES) {
    for (const kind of ['ecc', 'rsa'] as const) {
      it(`takes the ${kind} evidence of ${capture} under the policy made of it`, async () => {
        const own = capturedEvidence(capture, kind)
        const made = parseAppraisalPolicy((await policyOf(own)).text)
        assert.deepEqual(await faults(own, made, capturedContext(capture)), [])
      })
    }
  }

  it('names what differs where the command line and a file of the VMM were changed', async () => {
    const changed = capturedEvidence(CHANGED)
    const ak = toHex(nameOf(changed.quote.akPublic))
    const found = await faults(
      changed,
      { ...policy, attestationKeys: new Map([[ak, ekOf(changed)]]) },
      capturedContext(CHANGED),
    )
    assert.deepEqual(found, [
      'command-line EVENT_DIFFERS',
      'ima-files IMA_FILE_DIFFERS',
      'ima:/mnt/vmm/bin/fake-vmm IMA_FILE_DIFFERS',
      'ima:/mnt/vmm/etc/agent.conf IMA_VIOLATION',
      'ima:/mnt/vmm/etc/agent.conf IMA_FILE_DIFFERS',
    ])
  })

  it('says whether Secure Boot was on', async () => {
    const own = capturedEvidence(SECURE_BOOT)
    const made = parseAppraisalPolicy((await policyOf(own)).text)
    const { claims } = await appraiseEvidence(own, made, capturedContext(SECURE_BOOT))
    assert.equal(claims.find(({ name }) => name === 'secure-boot')?.found, 'on')
    await fails('secure-boot', 'SECURE_BOOT_DIFFERS', {
      policy: { firmware: { ...policy.firmware, secureBoot: true } },
    })
    const pcrs = [...Array(15).keys()].filter((pcr) => pcr !== 7)
    await fails('secure-boot', 'SECURE_BOOT_DIFFERS', {
      evidence: await quoteOf(await makeSoftwareAk(), pcrs, {}, quotedOf(BASELINE, pcrs)),
    })
  })

  it('goes by the same values for everything, also where none were given', async () => {
    const own = capturedEvidence(SECURE_BOOT)
    const made = parseAppraisalPolicy((await policyOf(own)).text)
    const value = own.pcrs.get('sha256')?.get(7) ?? new Uint8Array()
    const events = made.firmware.events.filter(({ pcr }) => pcr !== 7)
    const firmware = { ...made.firmware, events }
    for (const references of [[value], [new Uint8Array(32), value]]) {
      const byValue = { ...made, firmware, values: new Map([...made.values, [7, references]]) }
      const most = new Map([...(own.pcrs.get('sha256') ?? [])].filter(([pcr]) => pcr !== 7))
      const less = { ...own, pcrs: new Map([['sha256' as const, most]]) }
      assert.deepEqual(await faults(less, byValue, capturedContext(SECURE_BOOT)), [])
    }
    // A quoted PCR that nobody knows leaves Secure Boot open, not off.
    const { claims } = await appraiseEvidence(
      { ...own, eventLog: agileLog(['sha256'], []), pcrs: new Map() },
      { ...made, firmware },
      capturedContext(SECURE_BOOT),
    )
    const open = claims.find(({ name }) => name === 'secure-boot')
    assert.equal(open?.code, 'PCR_VALUE_MISSING')
    assert.match(open.found, /a value that is not known/)
  })

  it('says of nothing that it passes where the values are not those that were quoted', async () => {
    const sha256 = new Map(evidence.pcrs.get('sha256'))
    sha256.set(14, new Uint8Array(32).fill(1))
    for (const [pcrs, code] of [
      [new Map([['sha256' as const, sha256]]), 'PCR_DIGEST_DIFFERS'],
      [new Map(), 'PCR_VALUE_MISSING'],
    ] as const) {
      const of = code === 'PCR_VALUE_MISSING' ? { ...policy, unextended: [] } : policy
      const { claims } = await appraiseEvidence({ ...evidence, pcrs }, of, context)
      const resting = claims.slice(claims.findIndex(({ name }) => name === 'pcr-digest') + 1)
      assert.ok(resting.length > 40)
      assert.deepEqual(
        resting.filter((one) => one.status !== 'not-covered'),
        [],
      )
      assert.equal(resting.find(({ name }) => name === 'secure-boot')?.code, code)
      assert.equal(resting.find(({ name }) => name === 'ima-boot-aggregate')?.code, code)
    }
  })

  it('denies under an empty policy', async () => {
    const found = await faults(evidence, parseAppraisalPolicy(''))
    assert.ok(found.includes('attestation-key KEY_UNKNOWN'))
    assert.ok(found.includes('pcr-0 PCR_UNEXPLAINED'))
    assert.ok(found.includes('pcr-10 PCR_UNEXPLAINED'))
  })

  it('throws where the quote is not authentic', async () => {
    const signature = evidence.quote.signature.slice()
    signature[0] = (signature[0] ?? 0) ^ 1
    await refuses('QUOTE_SIGNATURE', appraiseEvidence({ quote: { ...evidence.quote, signature } }, policy, context))
  })
})

describe('appraiseEvidence, who and when', () => {
  it('wants the nonce that was asked with (threats, class 3)', async () => {
    await fails('nonce', 'NONCE_DIFFERS', { context: { nonce: new Uint8Array(32) } })
    const rest = without(context, 'nonce')
    assert.deepEqual(await faults(evidence, policy, rest), ['nonce NONCE_MISSING'])
    assert.deepEqual(await faults(evidence, { ...policy, freshness: 'none' }, rest), [])
    const ak = await makeSoftwareAk()
    const empty = await ak.quote({ extraData: new Uint8Array() })
    await fails('nonce', 'NONCE_MISSING', { evidence: { quote: empty }, context: { nonce: new Uint8Array() } })
    // A nonce that was asked with counts even where the policy does without.
    await fails('nonce', 'NONCE_DIFFERS', { policy: { freshness: 'none' }, context: { nonce: new Uint8Array(3) } })
  })

  it('wants a key that was enrolled', async () => {
    await fails('attestation-key', 'KEY_UNKNOWN', { policy: { attestationKeys: new Map() } })
    await fails('attestation-key', 'KEY_UNKNOWN', {
      policy: { attestationKeys: new Map<Hex, Hex>([[`0x000b${'00'.repeat(32)}`, ekOf(evidence)]]) },
    })
  })

  it('does not mind where the key stands, where it is enrolled', async () => {
    const rest = without(evidence, 'endorsement')
    const found = await faults(rest, { ...policy, tpm: { ...policy.tpm, assurance: 'none' } })
    assert.deepEqual(found, ['signer SIGNER_UNPLACED'])
  })

  it('wants a clock that is safe and goes forward; equal is a replay (threats, class 6)', async () => {
    const { quote } = await quoteOf(await makeSoftwareAk(), [13], { safe: 0 })
    await fails('clock', 'CLOCK_UNSAFE', { evidence: { quote } })
    const shown = { resetCount: 2, restartCount: 0, clock: 25337n }
    const clock = (after: typeof shown) => ({ clock: { requireSafe: true, after } })
    await fails('clock-forward', 'CLOCK_NOT_FORWARD', { policy: clock(shown) })
    await fails('clock-forward', 'CLOCK_NOT_FORWARD', { policy: clock({ ...shown, resetCount: 3, clock: 0n }) })
    assert.deepEqual(await faults(evidence, { ...policy, ...clock({ ...shown, clock: 25336n }) }), [])
  })

  it('believes resets and firmware only of a key to which its TPM tells them', async () => {
    const ak = await makeSoftwareAk()
    const under = {
      ...{ attestationKeys: new Map([[toHex(nameOf(ak.public)), undefined]]) },
      ...{ tpm: { ...policy.tpm, assurance: 'none' as const, minFirmware: 1n } },
      clock: { requireSafe: true, after: { resetCount: 0, restartCount: 0, clock: 0n } },
    }
    const obfuscated = ['clock-forward CLOCK_OBFUSCATED', 'firmware-version CLOCK_OBFUSCATED']
    const found = async (path: Parameters<typeof qualifiedName>) => {
      const quote = await ak.sign(attestBytes({ ...QUOTE_PARTS, qualifiedSigner: qualifiedName(...path) }))
      const all = await faults({ ...evidence, quote }, { ...policy, ...under })
      return all.filter((fault) => /^(?:clock|firmware-version)/.test(fault))
    }
    const { ekPublic } = evidence.endorsement
    for (const hierarchy of ['endorsement', 'platform'] as const)
      assert.deepEqual(await found([hierarchy, [ak.public]]), [])
    assert.deepEqual(await found(['endorsement', [ekPublic, ak.public]]), [])
    assert.deepEqual(await found(['owner', [ak.public]]), obfuscated)
    assert.deepEqual(await found(['owner', [ekPublic, ak.public]]), obfuscated)
  })

  it('asks of revocation lists what policy and trust store say', async () => {
    const root = await makeAuthority('CN=Maker')
    const ek = await makeEk()
    const certificate = await ek.certificate(root, {})
    const own = { ...evidence, endorsement: { ekPublic: ek.public, ekCertificate: certificate } }
    const judge = async (requireRevocation: boolean, known: Partial<AppraisalContext>) => {
      const under = { ...policy, tpm: { ...policy.tpm, requireRevocation } }
      const { claims } = await appraiseEvidence(own, under, { ...context, at: AT, trustAnchors: [root.der], ...known })
      const { status, found } = claims.find(({ name }) => name === 'endorsement') ?? {}
      return status === 'pass' ? status : /\((CRL_\w+)\)$/.exec(found ?? '')?.[1]
    }
    const revocationLists = [await makeList(root, { number: 5 })]
    const issuer = listIssuer(parseRevocationList(revocationLists[0] ?? new Uint8Array()))
    const seen = (number: bigint) => ({ revocationLists, leastNumbers: new Map([[issuer, number]]) })
    assert.equal(await judge(false, {}), 'pass')
    assert.equal(await judge(true, {}), 'CRL_MISSING')
    assert.equal(await judge(true, seen(5n)), 'pass')
    assert.equal(await judge(true, seen(6n)), 'CRL_OLDER')
  })

  it('wants an EK certificate of a trusted root, a maker and an assurance (threats, class 11)', async () => {
    await fails('endorsement', 'ENDORSEMENT_MISSING', {
      evidence: { endorsement: { ekPublic: evidence.endorsement.ekPublic } },
    })
    await fails('endorsement', 'ENDORSEMENT_INVALID', { context: { trustAnchors: [] } })
    await fails('endorsement', 'ENDORSEMENT_INVALID', { context: { at: new Date('2020-01-01') } })
    await fails('assurance', 'ASSURANCE_LOW', { policy: { tpm: { ...policy.tpm, assurance: 'Hardware' } } })
    const manufacturers = ['id:49465800']
    await fails('manufacturer', 'MANUFACTURER_DIFFERS', { policy: { tpm: { ...policy.tpm, manufacturers } } })
    assert.deepEqual(await faults(evidence, { ...policy, tpm: { ...policy.tpm, manufacturers: ['id:00001014'] } }), [])
    const minFirmware = 0x2019102300163637n
    await fails('firmware-version', 'FIRMWARE_OLD', { policy: { tpm: { ...policy.tpm, minFirmware } } })
    assert.deepEqual(await faults(evidence, { ...policy, tpm: { ...policy.tpm, minFirmware: minFirmware - 1n } }), [])
  })
})

describe('appraiseEvidence, of an attestation key and the EK beside it', () => {
  let forged: Pick<Evidence, 'quote' | 'endorsement'>
  let akName: Hex

  before(async () => {
    const ak = await makeSoftwareAk()
    const attest = decodeTpmsQuote(evidence.quote.attest)
    // Everything is a real machine's, but for the key: it is in no TPM, and names whichever place it likes.
    const qualifiedSigner = qualifiedName('endorsement', [evidence.endorsement.ekPublic, ak.public])
    const selections = [bank(0x000b, attest.selections[0]?.pcrs ?? [])]
    const parts = {
      ...QUOTE_PARTS,
      qualifiedSigner,
      selections,
      extraData: attest.extraData,
      pcrDigest: attest.pcrDigest,
    }
    forged = { quote: await ak.sign(attestBytes(parts)), endorsement: evidence.endorsement }
    akName = toHex(nameOf(ak.public))
  })

  it('takes no key beside the EK of another machine', async () => {
    const other = toHex(sha256(tpmtPublic('swtpm-primary-ak/ek_rsa.pub')))
    for (const assurance of ['Software', 'none'] as const) {
      const under = (ek: Hex | undefined) =>
        faults(
          { ...evidence, ...forged },
          { ...policy, attestationKeys: new Map([[akName, ek]]), tpm: { ...policy.tpm, assurance } },
        )
      assert.deepEqual(await under(other), ['attestation-key-ek EK_DIFFERS'])
      assert.deepEqual(await under(undefined), assurance === 'none' ? [] : ['attestation-key-ek EK_DIFFERS'])
    }
  })

  it('wants an EK to be shown where an endorsement is asked for', async () => {
    const found = await faults(without(evidence, 'endorsement'), policy)
    assert.ok(found.includes('attestation-key-ek EK_DIFFERS'))
    assert.ok(found.includes('endorsement ENDORSEMENT_MISSING'))
  })

  it('believes nothing that a key says of its own place before it is enrolled', async () => {
    await fails('signer', 'KEY_UNKNOWN', { evidence: forged })
    await fails('attestation-key-ek', 'KEY_UNKNOWN', { evidence: forged })
  })
})

describe('appraiseEvidence, of an EK certificate that came with the ones above it', () => {
  const [issuer = new Uint8Array(), root = new Uint8Array()] = context.trustAnchors
  const sent = (...intermediates: readonly Uint8Array[]): Evidence => ({
    ...evidence,
    endorsement: { ...evidence.endorsement, intermediates },
  })
  const under = (...trustAnchors: readonly Uint8Array[]): AppraisalContext => ({ ...context, trustAnchors })

  it('finds the path to a trusted root by them, and only by them', async () => {
    assert.deepEqual(await faults(sent(issuer), policy, under(root)), [])
    for (const intermediates of [[], [root]]) {
      const found = await faults(sent(...intermediates), policy, under(root))
      assert.deepEqual(found, ['endorsement ENDORSEMENT_INVALID'])
    }
  })

  it('never takes one of them for a root', async () => {
    for (const anchors of [[], [issuer]]) {
      const found = await faults(sent(issuer, root), policy, under(...anchors))
      assert.deepEqual(found, ['endorsement ENDORSEMENT_INVALID'])
    }
  })
})

describe('appraiseEvidence, PCRs', () => {
  it('wants the right bank alone, every PCR that a rule speaks of, and none that can be reset (threats, class 2)', async () => {
    await fails('pcr-selection', 'SELECTION_DIFFERS', { policy: { bank: 'sha384' } })
    await fails('pcr-selection', 'SELECTION_DIFFERS', { policy: { pcrs: [0, 15] } })
    await fails('pcr-selection', 'SELECTION_DIFFERS', { policy: { unextended: [17] } })
    const ak = await makeSoftwareAk()
    const [under, known] = [softwarePolicy(ak, '[quote]\npcrs = [13]\nunextended = [13]'), without(context, 'nonce')]
    assert.deepEqual(await faults(await quoteOf(ak, [13]), under, known), [])
    const only = ['pcr-selection SELECTION_DIFFERS']
    for (const pcr of [16, 23]) {
      const values = new Map([[pcr, [new Uint8Array(32)]]])
      assert.deepEqual(await faults(await quoteOf(ak, [13, pcr]), { ...under, values }, known), only)
    }
    const two = { selections: [bank(0x000b, [13]), bank(0x000c, [13])] }
    assert.deepEqual(await faults(await quoteOf(ak, [13], two), under, known), only)
  })

  it('believes no IMA log whose PCR is not quoted', async () => {
    const own = capturedEvidence(BASELINE)
    const ak = await makeSoftwareAk()
    const { quote, pcrs } = await quoteOf(ak, [13])
    const under =
      parseAppraisalPolicy(`freshness = "none"\n[[attestation_keys]]\nname = "${toHex(nameOf(ak.public))}"\n[tpm]\nassurance = "none"
[quote]\nunextended = [13]\n[ima]\nunlisted = "allow"`)
    const rest = without(context, 'nonce')
    assert.deepEqual(await faults({ quote, pcrs, imaLog: own.imaLog }, under, rest), [
      'pcr-selection SELECTION_DIFFERS',
      'ima-log PCR_VALUE_MISSING',
    ])
  })

  it('wants the values that were quoted, of every PCR that was', async () => {
    const sha256 = new Map(evidence.pcrs.get('sha256'))
    sha256.set(14, new Uint8Array(32).fill(1))
    await fails('pcr-digest', 'PCR_DIGEST_DIFFERS', { evidence: { pcrs: new Map([['sha256', sha256]]) } })
    await fails('pcr-digest', 'PCR_VALUE_MISSING', { evidence: { pcrs: new Map() }, policy: { unextended: [] } })
    // Without values, what the policy and the logs say they must be will do.
    assert.deepEqual(await faults({ ...evidence, pcrs: new Map() }, policy), [])
  })

  it('wants a log to agree even where a reference value does', async () => {
    const own = evidence.pcrs.get('sha256')?.get(9) ?? new Uint8Array()
    const changes = { evidence: { eventLog: capturedEvidence(CHANGED).eventLog } }
    await fails('pcr-9', 'LOG_DIFFERS', { ...changes, policy: { values: new Map([[9, [own]]]) } })
  })

  it('leaves no quoted PCR unexplained, and compares one without events with its reset value (threats, class 7)', async () => {
    await fails('pcr-14', 'PCR_UNEXPLAINED', { policy: { unextended: [8, 11, 12, 13] } })
    await fails('pcr-10', 'PCR_UNEXPLAINED', { policy: { ima: undefined } })
    await fails('pcr-9', 'PCR_DIFFERS', { policy: { unextended: [8, 9, 11, 12, 13, 14] } })
    await fails('pcr-9', 'PCR_DIFFERS', { policy: { values: new Map([[9, [new Uint8Array(32)]]]) } })
    const own = evidence.pcrs.get('sha256')?.get(9) ?? new Uint8Array()
    assert.deepEqual(await faults(evidence, { ...policy, values: new Map([[9, [new Uint8Array(32), own]]]) }), [])
  })

  it('refuses firmware that measured nothing, even where that is expected', async () => {
    const ak = await makeSoftwareAk()
    const { quote, pcrs } = await quoteOf(ak, [0, 13])
    await fails('pcr-0', 'PCR_ZERO', { evidence: { quote, pcrs }, policy: { unextended: [0, 13] } })
  })
})

describe('appraiseEvidence, the firmware’s log', () => {
  const events = (change: (rules: AppraisalPolicy['firmware']['events']) => AppraisalPolicy['firmware']['events']) => ({
    firmware: { ...policy.firmware, events: change(policy.firmware.events) },
  })

  it('wants a log that leads to the quoted values', async () => {
    const rest = without(evidence, 'eventLog')
    assert.ok((await faults(rest, policy)).includes('firmware-log LOG_MISSING'))
    await fails('firmware-log', 'LOG_INVALID', { evidence: { eventLog: evidence.eventLog.slice(0, -1) } })
    await fails('pcr-9', 'LOG_DIFFERS', { evidence: { eventLog: capturedEvidence(CHANGED).eventLog } })
  })

  it('wants each event of the policy in its place, and no other', async () => {
    const last = (rules: AppraisalPolicy['firmware']['events']) => rules.findLastIndex(({ pcr }) => pcr === 9)
    await fails('pcr-9-event-22', 'EVENT_UNEXPECTED', { policy: events((rules) => rules.toSpliced(last(rules), 1)) })
    const added = { name: 'another', pcr: 9, allowed: { kind: 'digest', digests: [new Uint8Array(32)] } } as const
    await fails('another', 'EVENT_MISSING', { policy: events((rules) => [...rules, added]) })
    const swapped = events((rules) => {
      const [i, j] = [rules.findIndex(({ pcr }) => pcr === 9), last(rules)]
      return rules.map((rule, at) => (at === i ? (rules[j] ?? rule) : at === j ? (rules[i] ?? rule) : rule))
    })
    await fails('command-line', 'EVENT_DIFFERS', { policy: swapped })
  })

  it('tells a command line by its digest', async () => {
    const lines = (...commandLines: readonly string[]) =>
      events((rules) =>
        rules.map((rule) =>
          rule.name === 'command-line' ? { ...rule, allowed: { kind: 'command-line', commandLines } } : rule,
        ),
      )
    const booted = 'console=ttyS0 ima_policy=tcb panic=-1 initrd=initrd'
    assert.deepEqual(await faults(evidence, { ...policy, ...lines('quiet', booted) }), [])
    await fails('command-line', 'COMMAND_LINE_DIFFERS', { policy: lines(`${booted} `) })
    await fails('command-line', 'COMMAND_LINE_DIFFERS', { policy: lines() })
  })
})

describe('appraiseEvidence, IMA’s log', () => {
  const files = (change: (files: Map<string, readonly string[]>) => void) => {
    const changed = new Map(policy.ima?.files)
    change(changed)
    return { ima: policy.ima && { ...policy.ima, files: changed } }
  }
  const VMM = '/mnt/vmm/bin/fake-vmm'

  it('wants a log that leads to the quoted value, of this boot', async () => {
    const rest = without(evidence, 'imaLog')
    assert.ok((await faults(rest, policy)).includes('ima-log LOG_MISSING'))
    await fails('ima-log', 'LOG_INVALID', { evidence: { imaLog: evidence.imaLog.slice(0, -1) } })
    await fails('ima-log', 'LOG_DIFFERS', { evidence: { imaLog: capturedEvidence(CHANGED).imaLog } })
    await fails('ima-log', 'LOG_DIFFERS', { evidence: { imaLog: new Uint8Array() } })
  })

  it('takes a log that has grown since, and says what is missing where no value says how far it counts', async () => {
    const imaLog = concat(evidence.imaLog, evidence.imaLog)
    assert.deepEqual(await faults({ ...evidence, imaLog }, policy), [])
    const { ok, claims } = await appraiseEvidence({ ...evidence, imaLog, pcrs: new Map() }, policy, context)
    assert.equal(ok, false)
    assert.match(claims.find(({ name }) => name === 'ima-log')?.found ?? '', /went on after the quote.*--pcrs/)
  })

  it('believes nothing that rests on SHA-1', async () => {
    const ak = await makeSoftwareAk()
    const imaLog = imaEntry(concat(digestField(7), nameField('boot_aggregate')))
    const rest = without(context, 'nonce')
    const under = softwarePolicy(ak, '[ima]\nunlisted = "allow"')
    const hashed = await quoteOf(ak, [10], {}, new Map([[10, imaPcr(imaLog)]]))
    assert.deepEqual(await faults({ ...hashed, imaLog }, under, rest), [])
    const padded = await quoteOf(ak, [10], {}, new Map([[10, imaPcr(imaLog, 'sha1-padded')]]))
    assert.deepEqual(await faults({ ...padded, imaLog }, under, rest), [
      'pcr-10 PCR_UNEXPLAINED',
      'ima-log LOG_DIFFERS',
    ])
  })

  it('reads no PCR that is not quoted, and no entry of a template that is not known', async () => {
    const ak = await makeSoftwareAk()
    const rest = without(context, 'nonce')
    const under = softwarePolicy(ak, '[ima]\nunlisted = "allow"')
    const aggregate = imaEntry(concat(digestField(7), nameField('boot_aggregate')))
    const { quote, pcrs } = await quoteOf(ak, [10], {}, new Map([[10, imaPcr(aggregate)]]))
    const more = new Map([
      ...(pcrs.get('sha256') ?? []),
      ...[...Array(10).keys()].map((pcr) => [pcr, new Uint8Array(32)] as const),
    ])
    const own = { quote, pcrs: new Map([['sha256' as const, more]]), imaLog: aggregate }
    const { ok, claims } = await appraiseEvidence(own, under, rest)
    assert.equal(ok, true)
    assert.equal(claims.find(({ name }) => name === 'ima-boot-aggregate')?.code, 'NOT_IN_POLICY')
    const imaLog = concat(aggregate, imaEntry(concat(digestField(1), nameField('/bin/one')), { template: 'other' }))
    const host = await quoteOf(ak, [10], {}, new Map([[10, imaPcr(imaLog)]]))
    assert.deepEqual(await faults({ ...host, imaLog }, under, rest), [
      'ima-files IMA_FILE_DIFFERS',
      'ima:#1 IMA_ENTRY_INVALID',
    ])
  })

  it('compares the boot aggregate whether or not the values were given', async () => {
    const ak = await makeSoftwareAk()
    const pcrs = [...Array(11).keys()]
    const imaLog = imaEntry(concat(digestField(7), nameField('boot_aggregate')))
    const ten = imaPcr(imaLog)
    const values = new Map(pcrs.map((pcr) => [pcr, pcr === 10 ? ten : new Uint8Array(32).fill(pcr + 1)]))
    const own = await quoteOf(ak, pcrs, {}, values)
    const references = pcrs.slice(0, 10).map((pcr) => `${pcr} = ["${toHex(values.get(pcr) ?? ten)}"]`)
    const under = parseAppraisalPolicy(
      `freshness = "none"\n[[attestation_keys]]\nname = "${toHex(nameOf(ak.public))}"\n[tpm]\nassurance = "none"\n[ima]\n[values]\n${references.join('\n')}`,
    )
    const rest = without(context, 'nonce')
    for (const given of [own.pcrs, new Map()]) {
      const found = await faults({ quote: own.quote, pcrs: given, imaLog }, under, rest)
      assert.deepEqual(found, ['ima-boot-aggregate IMA_AGGREGATE_DIFFERS'])
    }
  })

  it('wants every file listed, with a content that may be', async () => {
    await fails(`ima:${VMM}`, 'IMA_FILE_UNLISTED', { policy: files((all) => all.delete(VMM)) })
    await fails(`ima:${VMM}`, 'IMA_FILE_DIFFERS', {
      policy: files((all) => all.set(VMM, [`sha256:${'00'.repeat(32)}`])),
    })
    const allow = { ima: policy.ima && { ...policy.ima, files: new Map(), unlisted: 'allow' as const } }
    assert.deepEqual(await faults(evidence, { ...policy, ...allow }), [])
  })

  it('refuses violations unless they are allowed', async () => {
    const own = capturedEvidence(CHANGED)
    const made = parseAppraisalPolicy((await policyOf(own)).text)
    assert.equal(made.ima?.violations, 'allow')
    const denied = { ...made, ima: { ...made.ima, violations: 'deny' as const } }
    const found = await faults(own, denied, capturedContext(CHANGED))
    assert.deepEqual(found, ['ima-files IMA_FILE_DIFFERS', 'ima:/mnt/vmm/etc/agent.conf IMA_VIOLATION'])
  })
})

describe('appraiseEvidence, the VMM’s log', () => {
  const profile = { kind: 'profile', name: 'test' } as const
  const first = { kind: 'component', name: '/usr/bin/vmm', sha256: new Uint8Array(32).fill(1) } as const
  const second = { kind: 'component', name: '/usr/lib/part', sha256: new Uint8Array(32).fill(2) } as const
  let ak: SoftwareAk
  let own: Evidence & { readonly vmmLog: Uint8Array }
  let known: AppraisalContext
  let made: AppraisalPolicy

  /** A host that measured these events. */
  async function measured(...events: readonly VmmEvent[]) {
    const vmmLog = concat(...events.map((event, i) => encodeEvent(BigInt(i), 13, event)))
    const value = replayCanonicalLog(decodeCanonicalLog(vmmLog), 13)
    return { ...(await quoteOf(ak, [13], {}, new Map([[13, value]]))), vmmLog }
  }

  before(async () => {
    ak = await makeSoftwareAk()
    own = await measured(profile, first, second)
    known = { ...context, nonce: QUOTE_PARTS.extraData }
    made = parseAppraisalPolicy((await policyOf(own)).text)
  })

  it('refuses a component that changed while it ran, and makes no policy of it', async () => {
    const changed = await measured(profile, first, second, { kind: 'changed', name: second.name })
    assert.deepEqual(await faults(changed, made, known), [`vmm:${second.name} COMPONENT_CHANGED`])
    await refuses('EVIDENCE_UNSUITABLE', policyOf(changed))
  })

  it('wants a profile first, and once', async () => {
    assert.deepEqual(await faults(await measured(first, second), made, known), ['vmm-log LOG_INVALID'])
    const twice = await measured(profile, first, second, profile)
    assert.deepEqual(await faults(twice, made, known), ['vmm-log LOG_INVALID'])
  })

  it('wants at least one component', async () => {
    const none = { ...made, vmm: { pcr: 13, components: new Map() } }
    assert.deepEqual(await faults(await measured(profile), none, known), ['vmm-log LOG_INVALID'])
    // Which no policy can list: such a PCR is explained by its value.
    assert.equal(parseAppraisalPolicy((await policyOf(await measured(profile))).text).vmm, undefined)
  })

  it('makes no policy of a log that has a component twice', async () => {
    await refuses('EVIDENCE_UNSUITABLE', policyOf(await measured(profile, first, { ...first, sha256: second.sha256 })))
  })

  it('wants every component of the policy as it may be, and no other', async () => {
    assert.deepEqual(await faults(own, made, known), [])
    const [name = ''] = made.vmm?.components.keys() ?? []
    const change = (act: (all: Map<string, readonly Uint8Array[] | 'absent'>) => void): AppraisalPolicy => {
      const components = new Map(made.vmm?.components)
      act(components)
      return { ...made, vmm: made.vmm && { ...made.vmm, components } }
    }
    assert.deepEqual(
      await faults(
        own,
        change((all) => all.delete(name)),
        known,
      ),
      [`vmm:${name} COMPONENT_UNLISTED`],
    )
    const other = change((all) => all.set(name, [new Uint8Array(32)]))
    assert.deepEqual(await faults(own, other, known), [`vmm:${name} COMPONENT_DIFFERS`])
    const more = change((all) => all.set('/absent', [new Uint8Array(32)]))
    assert.deepEqual(await faults(own, more, known), ['vmm:/absent COMPONENT_MISSING'])
  })

  it('takes what the profile of real hosts logs under the policy made of it, with all that is absent', async () => {
    const options = { pkcs11Module: process.execPath, selection: { bank: 'sha256', pcrs: [13] }, pcr: 13 } as const
    const { components, ...rest } = qemuKvmProfile(options)
    // Where the system's parts are; Attestry's own take long to hash, and are never absent.
    const parts = components.filter(({ name }) => name.startsWith('/') || name.startsWith('modules/'))
    const replaced = new Map([['/usr/bin/qemu-system-x86_64', process.execPath]])
    const { events } = await predict({ ...rest, components: parts }, { replaced })
    assert.ok(events.some(({ kind, sha256 }) => kind === 'component' && sha256 === undefined))
    const host = await measured(...events)
    assert.deepEqual(await faults(host, parseAppraisalPolicy((await policyOf(host)).text), known), [])
  })

  it('wants what was absent to be absent, and to be said so', async () => {
    const gone = { kind: 'component', name: '/usr/lib64/qemu' } as const
    const partly = await measured(profile, first, gone)
    const under = parseAppraisalPolicy((await policyOf(partly)).text)
    assert.equal(under.vmm?.components.get(gone.name), 'absent')
    assert.deepEqual(await faults(partly, under, known), [])
    const there = await measured(profile, first, { ...gone, sha256: second.sha256 })
    assert.deepEqual(await faults(there, under, known), [`vmm:${gone.name} COMPONENT_DIFFERS`])
    assert.deepEqual(await faults(await measured(profile, first), under, known), [`vmm:${gone.name} COMPONENT_MISSING`])
    const without = await measured(profile, { kind: 'component', name: first.name }, second)
    assert.deepEqual(await faults(without, made, known), [`vmm:${first.name} COMPONENT_DIFFERS`])
  })

  it('wants a log that leads to the quoted value', async () => {
    const rest = without(own, 'vmmLog')
    assert.deepEqual(await faults(rest, made, known), ['pcr-13 PCR_UNEXPLAINED', 'vmm-log LOG_MISSING'])
    const cut = { ...own, vmmLog: own.vmmLog.slice(0, -1) }
    assert.deepEqual(await faults(cut, made, known), ['pcr-13 PCR_UNEXPLAINED', 'vmm-log LOG_INVALID'])
  })
})

describe('policyOf', () => {
  it('makes no policy of values that were not quoted, or of a quote that is not authentic', async () => {
    await refuses('PCR_VALUES', policyOf({ ...evidence, pcrs: new Map() }))
    const sha256 = new Map(evidence.pcrs.get('sha256')).set(0, new Uint8Array(32))
    await refuses('PCR_VALUES', policyOf({ ...evidence, pcrs: new Map([['sha256', sha256]]) }))
    await refuses(
      'QUOTE_SIGNATURE',
      policyOf({ ...evidence, quote: { ...evidence.quote, signature: new Uint8Array(64) } }),
    )
  })

  it('writes a command line as it is where the log has it, so that another one can be read', async () => {
    const { eventLog } = capturedEvidence(SECURE_BOOT)
    const own = capturedEvidence(SECURE_BOOT)
    const made = parseAppraisalPolicy((await policyOf(own)).text)
    const rule = made.firmware.events.find(({ name }) => name === 'command-line')
    const booted = '/vmlinuz console=ttyS0 ima_policy=tcb panic=-1 root=none'
    assert.deepEqual(rule?.allowed, { kind: 'command-line', commandLines: [booted] })
    const other = { kind: 'command-line', commandLines: ['/vmlinuz quiet'] } as const
    const events = made.firmware.events.map((one) => (one === rule ? { ...one, allowed: other } : one))
    const under = { ...made, firmware: { ...made.firmware, events } }
    const { claims } = await appraiseEvidence(own, under, capturedContext(SECURE_BOOT))
    const { expected, found, code } = claims.find(({ name }) => name === 'command-line') ?? {}
    assert.deepEqual([expected, found, code], ['"/vmlinuz quiet"', JSON.stringify(booted), 'COMMAND_LINE_DIFFERS'])
    // A text that was not hashed is not shown.
    const log = Buffer.from(eventLog)
    const at = log.indexOf('kernel_cmdline: /vmlinuz console')
    log.write('kernel_cmdline: /vmlinux', at)
    const lying = await appraiseEvidence(
      { ...own, eventLog: Uint8Array.from(log) },
      under,
      capturedContext(SECURE_BOOT),
    )
    assert.match(lying.claims.find(({ name }) => name === 'command-line')?.found ?? '', /^0x[0-9a-f]{64}$/)
  })

  it('gives each event a name of its own', async () => {
    for (const capture of CAPTURES) {
      const { firmware } = parseAppraisalPolicy((await policyOf(capturedEvidence(capture))).text)
      const names = firmware.events.map(({ name }) => name)
      assert.equal(new Set(names).size, names.length)
      assert.ok(names.includes('pcr-0 EV_EFI_PLATFORM_FIRMWARE_BLOB #2'))
    }
  })

  it('says what it lets pass, and what it could not list', async () => {
    assert.deepEqual((await policyOf(evidence)).notes, [])
    const { notes } = await policyOf(without(capturedEvidence(CHANGED), 'endorsement'))
    assert.deepEqual(
      notes.map((note) => note.split(':')[0]),
      ['assurance = "none"', 'violations = "allow"'],
    )
    const weak = concat(field(text('sha1:\0'), new Uint8Array(20).fill(1)), nameField('/bin/weak'))
    const imaLog = concat(imaEntry(concat(digestField(7), nameField('boot_aggregate'))), imaEntry(weak))
    const ten = imaPcr(imaLog)
    const own = await quoteOf(await makeSoftwareAk(), [10], { safe: 0 }, new Map([[10, ten]]))
    const made = await policyOf({ ...own, imaLog })
    assert.deepEqual(made.notes.slice(1), [
      'require_safe = false: the TPM’s clock may have been turned back',
      'not listed, for their hash is weak or unknown: /bin/weak (sha1)',
    ])
    assert.equal(parseAppraisalPolicy(made.text).ima?.files.size, 0)
  })

  it('says by what each PCR is explained', async () => {
    const { pcrs } = await policyOf(evidence)
    assert.deepEqual(Object.fromEntries(pcrs.map(({ pcr, explainedBy }) => [pcr, explainedBy])), {
      ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7, 9].map((pcr) => [pcr, 'firmware events'])),
      ...Object.fromEntries([8, 11, 12, 13, 14].map((pcr) => [pcr, 'never extended'])),
      10: 'IMA',
    })
  })
})

function ekOf({ endorsement }: { readonly endorsement: { readonly ekPublic: Uint8Array } }): Hex {
  return toHex(sha256(endorsement.ekPublic))
}

function without<Value extends object, Key extends keyof Value>(value: Value, key: Key): Omit<Value, Key> {
  const { [key]: left, ...rest } = value
  assert.notEqual(left, undefined)
  return rest
}

function bank(hash: number, pcrs: readonly number[]) {
  const select = [0, 0, 0]
  for (const pcr of pcrs) select[pcr >> 3] = (select[pcr >> 3] ?? 0) | (1 << (pcr & 7))
  return { hash, select }
}

/** A policy for the quotes of a key, beside what else it says. */
function softwarePolicy(ak: SoftwareAk, rest: string): AppraisalPolicy {
  const name = toHex(nameOf(ak.public))
  return parseAppraisalPolicy(
    `freshness = "none"\n[[attestation_keys]]\nname = "${name}"\n[tpm]\nassurance = "none"\n${rest}`,
  )
}

/** What a log makes of SHA-256 PCR 10. */
function imaPcr(imaLog: Uint8Array, by: ImaScheme = 'hash'): Uint8Array {
  const all = replayIma(decodeImaLog(imaLog).entries).series
  const own = all.find(({ bank, scheme }) => bank === 'sha256' && scheme === by)
  return own?.pcrs.get(10) ?? new Uint8Array()
}

/** The values of some PCRs of a capture. */
function quotedOf(capture: string, pcrs: readonly number[]): PcrValues {
  const values = capturedEvidence(capture).pcrs.get('sha256')
  return new Map(pcrs.map((pcr) => [pcr, values?.get(pcr) ?? new Uint8Array()]))
}

/** A quote of PCRs, all zero unless other values are given. */
async function quoteOf(
  ak: SoftwareAk,
  pcrs: readonly number[],
  changes: Partial<AttestParts> = {},
  values: PcrValues = new Map(pcrs.map((pcr) => [pcr, new Uint8Array(32)])),
) {
  const pcrDigest = Uint8Array.from(
    createHash('sha256')
      .update(Buffer.concat([...values.values()]))
      .digest(),
  )
  const parts = { ...QUOTE_PARTS, selections: [bank(0x000b, pcrs)], pcrDigest, ...changes }
  const quote = await ak.sign(attestBytes({ ...parts, qualifiedSigner: signerName(ak.qualifiedName) }))
  return { quote, pcrs: new Map([['sha256' as const, values]]) }
}
