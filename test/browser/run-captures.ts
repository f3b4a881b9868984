import { toHex, type Hex } from '../../src/core/bytes.ts'
import { appraise } from '../../src/evidence/appraise.ts'
import { requireQuoteSignature, verifyQuote } from '../../src/evidence/quote.ts'
import { decodeQuoteAttest } from '../../src/tcg/attest.ts'
import { requireAttestationKey } from '../../src/tcg/attestation-key.ts'
import { decodeCanonicalLog, replayCanonicalLog } from '../../src/tcg/canonical-event-log.ts'
import { decodeAsciiImaLog } from '../../src/tcg/ima-ascii.ts'
import { imaFindings, matchFindings } from '../../src/tcg/ima-findings.ts'
import { decodeImaLog } from '../../src/tcg/ima-log.ts'
import { matchIma, replayIma } from '../../src/tcg/ima-replay.ts'
import { akQualifiedNameOf } from '../../src/tcg/name.ts'
import { parsePcrFile } from '../../src/tcg/pcr-file.ts'
import { decodePublic } from '../../src/tcg/public.ts'

/** What a host's evidence is made of, each file as hexadecimal. */
export interface CapturedFiles {
  readonly imaBinary: Hex
  readonly imaAscii: Hex
  readonly pcrs: Hex
  readonly akPublic: Hex
  readonly attest: Hex
  readonly signature: Hex
}

/** A quote of a primary key of the endorsement hierarchy, its nonce, and the log that explains it. */
export interface OwnFiles {
  readonly akPublic: Hex
  readonly attest: Hex
  readonly signature: Hex
  readonly nonce: Hex
  readonly log: Hex
}

/** Everything that is run on the captures, as text: the same in Node and in a browser, or one of them is wrong. */
export async function runCaptures(captures: readonly CapturedFiles[], own: OwnFiles): Promise<string> {
  const results = []
  for (const files of captures) results.push(await runCapture(files))
  return JSON.stringify([results, await runOwn(own)], (_, value: unknown) => plain(value))
}

async function runCapture(files: CapturedFiles): Promise<unknown> {
  const pcrs = parsePcrFile(bytes(files.pcrs))
  const log = decodeImaLog(bytes(files.imaBinary))
  const matches = matchIma(log.entries, pcrs)
  const attest = bytes(files.attest)
  const ak = requireAttestationKey(decodePublic(bytes(files.akPublic)))
  await requireQuoteSignature(ak, attest, bytes(files.signature))
  const ima = { ascii: decodeAsciiImaLog(bytes(files.imaAscii)), replayed: replayIma(log.entries), matches }
  const findings = [...imaFindings(log), ...matchFindings(log, pcrs, matches)]
  return { pcrs, log, ...ima, findings, quote: decodeQuoteAttest(attest) }
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
  if (value instanceof Map) return Array.from(value as Map<unknown, unknown>)
  return typeof value === 'bigint' ? `${value}n` : value
}
