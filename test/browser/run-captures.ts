import { toHex, type Hex } from '../../src/core/bytes.ts'
import { parseAppraisalPolicy } from '../../src/evidence/appraisal-policy.ts'
import { appraise } from '../../src/evidence/appraise.ts'
import { appraiseEvidence } from '../../src/evidence/appraise-evidence.ts'
import type { Evidence } from '../../src/evidence/evidence.ts'
import { policyOf } from '../../src/evidence/policy-of.ts'
import { verifyQuote } from '../../src/evidence/quote.ts'
import { verifyTpmQuote } from '../../src/evidence/tpm-quote.ts'
import { bootStateOf } from '../../src/tcg/boot-state.ts'
import { decodeCanonicalLog, replayCanonicalLog } from '../../src/tcg/canonical-event-log.ts'
import { compareWithPcrs, replayableBanks } from '../../src/tcg/event-log-comparison.ts'
import { replayEventLog } from '../../src/tcg/event-log-replay.ts'
import { reportOf } from '../../src/tcg/event-log-report.ts'
import { parseEventLog } from '../../src/tcg/event-log.ts'
import { decodeAsciiImaLog } from '../../src/tcg/ima-ascii.ts'
import { imaFindings, matchFindings } from '../../src/tcg/ima-findings.ts'
import { decodeImaLog } from '../../src/tcg/ima-log.ts'
import { readMeasurement } from '../../src/tcg/ima-measurement.ts'
import { matchIma, replayIma } from '../../src/tcg/ima-replay.ts'
import { akQualifiedNameOf } from '../../src/tcg/name.ts'
import { parsePcrFile } from '../../src/tcg/pcr-file.ts'
import { decodeSignature } from '../../src/tcg/signature.ts'

/** What a host's evidence is made of, each file as hexadecimal. */
export interface CapturedFiles {
  readonly eventLog: Hex
  readonly imaBinary: Hex
  readonly imaAscii: Hex
  readonly pcrs: Hex
  readonly ekPublic: Hex
  readonly ekCertificate: Hex
  readonly trustAnchors: readonly Hex[]
  readonly nonce: Hex
  /** By the ECC key and by the RSA key. */
  readonly quotes: readonly CapturedQuote[]
}

/** One quote, and the PCRs that were read for it. */
export interface CapturedQuote {
  readonly akPublic: Hex
  readonly attest: Hex
  /** As tpm2_quote wrote it. */
  readonly signature: Hex
  readonly pcrs: Hex
}

/** A quote of a primary key of the endorsement hierarchy, its nonce, and the log that explains it. */
export interface OwnFiles {
  readonly akPublic: Hex
  readonly attest: Hex
  readonly signature: Hex
  readonly nonce: Hex
  readonly log: Hex
}

/** When every certificate of the captures is valid. */
const AT = new Date('2026-11-24T00:00:00Z')

/** Everything that is run on the captures, as text: the same in Node and in a browser, or one of them is wrong. */
export async function runCaptures(captures: readonly CapturedFiles[], own: OwnFiles): Promise<string> {
  const logs = captures.map((files) => ({ firmware: runFirmware(files), ima: runIma(files) }))
  return JSON.stringify({ logs, appraised: await runAppraisals(captures), own: await runOwn(own) }, (_, value) =>
    plain(value),
  )
}

function runFirmware(files: CapturedFiles): unknown {
  const log = parseEventLog(bytes(files.eventLog))
  const replayed = replayableBanks(log).map((bank) => [bank, replayEventLog(log, bank)])
  const agreed = compareWithPcrs(log, parsePcrFile(bytes(files.pcrs)))
  return { report: reportOf(log), replayed, agreed, boot: bootStateOf(log, 'sha256') }
}

function runIma(files: CapturedFiles): unknown {
  const pcrs = parsePcrFile(bytes(files.pcrs))
  const log = decodeImaLog(bytes(files.imaBinary))
  const matches = matchIma(log.entries, pcrs)
  const entries = log.entries.map(({ pcr, digest, template, data }) => [
    ...[pcr, digest, template, data],
    readMeasurement(template, data),
  ])
  const findings = [...imaFindings(log), ...matchFindings(log, pcrs, matches)]
  const ascii = decodeAsciiImaLog(bytes(files.imaAscii)).entries.map(({ data }) => data)
  return { pcrs, bank: log.bank, entries, ascii, replayed: replayIma(log.entries), matches, findings }
}

/** Every quote, verified, and appraised with its logs under the policy that was made of each. */
async function runAppraisals(captures: readonly CapturedFiles[]): Promise<unknown> {
  const cases = captures.flatMap((files) =>
    files.quotes.map((quote) => ({ files, evidence: evidenceOf(files, quote) })),
  )
  const policies = []
  for (const { evidence } of cases) policies.push(await policyOf(evidence))
  const results = []
  for (const { files, evidence } of cases) {
    const trustAnchors = files.trustAnchors.map(bytes)
    const context = { nonce: bytes(files.nonce), at: AT, trustAnchors, hardwareRoots: new Set<Hex>() }
    const under = []
    for (const { text } of policies) under.push(await appraiseEvidence(evidence, parseAppraisalPolicy(text), context))
    results.push({ quote: await verifyTpmQuote(evidence.quote), under })
  }
  return { policies, results }
}

function evidenceOf(files: CapturedFiles, { akPublic, attest, signature, pcrs }: CapturedQuote): Evidence {
  return {
    quote: { akPublic: bytes(akPublic), attest: bytes(attest), signature: decodeSignature(bytes(signature)) },
    endorsement: { ekPublic: bytes(files.ekPublic), ekCertificate: bytes(files.ekCertificate) },
    pcrs: parsePcrFile(bytes(pcrs)),
    eventLog: bytes(files.eventLog),
    imaLog: bytes(files.imaBinary),
  }
}

async function runOwn({ akPublic, attest, signature, nonce, log }: OwnFiles): Promise<unknown> {
  const key = bytes(akPublic)
  const signed = { akPublic: key, attest: bytes(attest), signature: bytes(signature) }
  const quote = await verifyQuote(signed, akQualifiedNameOf(key), bytes(nonce))
  const events = decodeCanonicalLog(bytes(log))
  const appraise13 = (authorised: ReadonlySet<Hex>) => appraise({ quote, authorised, log: events, pcr: 13 })
  return {
    quote,
    value: replayCanonicalLog(events, 13),
    authorised: appraise13(new Set([quote.vmmHash])),
    denied: appraise13(new Set()),
  }
}

function bytes(hex: Hex): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.slice(2).match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (value instanceof Set) return Array.from(value as Set<unknown>)
  if (value instanceof Map) return Array.from(value as Map<unknown, unknown>)
  return typeof value === 'bigint' ? `${value}n` : value
}
