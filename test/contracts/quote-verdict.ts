import { readFileSync } from 'node:fs'
import { Interface } from 'ethers'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { EvidenceError } from '../../src/evidence/error.ts'
import { requireQuoteSignature, verifyQuote } from '../../src/evidence/quote.ts'
import { decodeQuoteInfo } from '../../src/tcg/attest.ts'
import { requireAttestationKey } from '../../src/tcg/attestation-key.ts'
import { TcgError } from '../../src/tcg/error.ts'
import { akQualifiedNameOf } from '../../src/tcg/name.ts'
import { requireMeaningful } from '../../src/tcg/pcr-selection.ts'
import { decodePublic } from '../../src/tcg/public.ts'
import { encodeCall } from './harness-calls.ts'
import { nameOfArea, type QuoteCase } from './quote-case.ts'

/** What a verifier may be asked of a case; `info` asks of its attest's last part alone. */
export type Question = 'verify' | 'signature' | 'key' | 'info'

/** A verifier's answer in words: what it read, or why it refused. */
export interface Verdict {
  readonly isTaken: boolean
  readonly words: string
}

interface Artifact {
  readonly abi: ConstructorParameters<typeof Interface>[0]
  readonly deployedBytecode: Hex
}

const artifact = JSON.parse(
  readFileSync(new URL('../../build/contracts/harness/QuoteHarness.json', import.meta.url), 'utf8'),
) as Artifact

const HARNESS = new Interface(artifact.abi)
export const QUOTE_HARNESS_CODE = artifact.deployedBytecode

/** Where a TPMS_QUOTE_INFO stands in an attest. */
const QUOTE_INFO_OFFSET = 101

/** The call of QuoteHarness (contracts/test/harness) that asks a question. */
export function callOf(question: Question, { quote, akQualifiedName, qualifyingData }: QuoteCase): Hex {
  const { akPublic, attest, signature } = quote
  if (question === 'verify') {
    const values = [[akPublic, attest, signature], akQualifiedName, qualifyingData]
    return encodeCall(
      'verify((bytes,bytes,bytes),bytes32,bytes32)',
      ['(bytes,bytes,bytes)', 'bytes32', 'bytes32'],
      values,
    )
  }
  if (question === 'signature') {
    return encodeCall('requireSignature(bytes,bytes,bytes)', ['bytes', 'bytes', 'bytes'], [akPublic, attest, signature])
  }
  if (question === 'key') return encodeCall('requireAttestationKey(bytes)', ['bytes'], [akPublic])
  return encodeCall('requireMeaningful(bytes)', ['bytes'], [attest.slice(QUOTE_INFO_OFFSET)])
}

/** The contract's verdict, from what a call of `callOf` returned or reverted with. */
export function contractVerdict(question: Question, isRefused: boolean, answer: Hex): Verdict {
  if (isRefused) {
    const error = HARNESS.parseError(answer)
    return { isTaken: false, words: error === null ? `unknown error ${answer}` : `${error.name}(${error.args.join()})` }
  }
  if (question === 'key') return { isTaken: true, words: answer }
  if (question !== 'verify') return { isTaken: true, words: '' }
  const [attested] = HARNESS.decodeFunctionResult('verify', answer) as unknown as [readonly (string | bigint)[]]
  return { isTaken: true, words: attested.join() }
}

/** The TypeScript verifier's verdict, in the contract's words. */
export async function typescriptVerdict(question: Question, asked: QuoteCase): Promise<Verdict> {
  try {
    return { isTaken: true, words: await ask(question, asked) }
  } catch (error) {
    return { isTaken: false, words: contractWords(question, error, asked) }
  }
}

async function ask(question: Question, { quote, akQualifiedName, qualifyingData }: QuoteCase): Promise<string> {
  if (question === 'verify') {
    const { vmmHash, clock } = await verifyQuote(quote, akQualifiedName, qualifyingData)
    return [toHex(qualifyingData), clock.clock, clock.resetCount, clock.restartCount, vmmHash].join()
  }
  if (question === 'info') {
    requireMeaningful(decodeQuoteInfo(quote.attest.slice(QUOTE_INFO_OFFSET)).selections)
    return ''
  }
  const ak = requireAttestationKey(decodePublic(quote.akPublic))
  if (question === 'key') return toHex(akQualifiedNameOf(quote.akPublic))
  await requireQuoteSignature(ak, Uint8Array.from(quote.attest), Uint8Array.from(quote.signature))
  return ''
}

/**
 * The reasons side by side: each of TypeScript's beside the contract's one. An EvidenceError's code, then that of the TcgError
 * that caused it. TypeScript is finer where one error of the contract stands twice.
 */
export const REASONS: readonly (readonly [typescript: string, contract: string])[] = [
  ['QUOTE_MALFORMED LENGTH', 'AttestLengthIs'],
  ['QUOTE_MALFORMED MAGIC', 'AttestNotQuote'],
  ['QUOTE_MALFORMED TYPE', 'AttestNotQuote'],
  ['QUOTE_MALFORMED MALFORMED', 'AttestMalformed'],
  ['QUOTE_MALFORMED SELECTION_INVALID', 'SelectionUnsupported'],
  ['QUOTE_MALFORMED SELECTION_BANK', 'SelectionUnsupported'],
  ['QUOTE_MALFORMED SELECTION_REPEATED', 'SelectionUnsupported'],
  ['QUOTE_MALFORMED DIGEST_LENGTH', 'QuoteInfoMalformed'],
  ['AK_UNSUITABLE MALFORMED', 'AttestationKeyUnsupported'],
  ['AK_UNSUITABLE DIGEST_LENGTH', 'AttestationKeyUnsupported'],
  ['AK_UNSUITABLE NAME_ALGORITHM', 'AttestationKeyUnsupported'],
  ['AK_UNSUITABLE KEY_UNSUPPORTED', 'AttestationKeyUnsupported'],
  ['AK_UNSUITABLE AK_TYPE', 'AttestationKeyUnsupported'],
  ['AK_UNSUITABLE AK_SCHEME', 'AttestationKeyUnsupported'],
  ['AK_UNSUITABLE AK_VALUE', 'AttestationKeyInvalid'],
  ['AK_UNSUITABLE AK_ATTRIBUTES', 'AttestationKeyAttributesAre'],
  ['QUOTE_KEY', 'AttestationKeyIs'],
  ['QUOTE_SIGNER', 'SignerIs'],
  ['QUOTE_NONCE', 'BindingIs'],
  ['QUOTE_SIGNATURE', 'QuoteSignatureInvalid'],
]

/** The same of a TPMS_QUOTE_INFO, asked alone: `decodeQuoteInfo`, then `requireMeaningful`. */
export const INFO_REASONS: readonly (readonly [typescript: string, contract: string])[] = [
  ['MALFORMED', 'QuoteInfoMalformed'],
  ['DIGEST_LENGTH', 'QuoteInfoMalformed'],
  ['SELECTION_INVALID', 'SelectionUnsupported'],
  ['SELECTION_BANK', 'SelectionUnsupported'],
  ['SELECTION_REPEATED', 'SelectionUnsupported'],
  ['SELECTION_EMPTY', 'SelectionMeaningless'],
  ['SELECTION_RESETTABLE', 'SelectionMeaningless'],
]

/** What the contract's errors say besides their names, from what was asked. */
const ARGUMENTS: Readonly<Record<string, (asked: QuoteCase) => string>> = {
  AttestLengthIs: ({ quote }) => `${quote.attest.length}`,
  AttestationKeyAttributesAre: ({ quote }) => `${Number(toHex(quote.akPublic.slice(4, 8)))}`,
  AttestationKeyIs: ({ quote }) => toHex(nameOfArea(quote.akPublic)),
  SignerIs: ({ quote }) => toHex(quote.attest.slice(10, 42)),
  BindingIs: ({ quote }) => toHex(quote.attest.slice(44, 76)),
}

function contractWords(question: Question, error: unknown, asked: QuoteCase): string {
  const reason = reasonOf(question, error)
  const contract = (question === 'info' ? INFO_REASONS : REASONS).find(([typescript]) => typescript === reason)?.[1]
  if (contract === undefined) throw new Error(`the table has no reason ${reason}`, { cause: error })
  return `${contract}(${ARGUMENTS[contract]?.(asked) ?? ''})`
}

/** Anything but the two classes of errors is a fault of the verifier. */
function reasonOf(question: Question, error: unknown): string {
  if (error instanceof TcgError) return question === 'info' ? error.code : `AK_UNSUITABLE ${error.code}`
  if (!(error instanceof EvidenceError)) throw error
  return error.cause instanceof TcgError ? `${error.code} ${error.cause.code}` : error.code
}
