import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { BANKS, type BankName, type PcrValues } from '../tcg/bank.ts'
import { PCR_COUNT } from '../tcg/pcr-selection.ts'
import { MAX_INTERMEDIATES } from './chain.ts'
import { EvidenceError } from './error.ts'
import type { Evidence } from './evidence.ts'

const FORMAT = 'attestry/evidence/1'
/** The largest file, in characters. */
export const MAX_EVIDENCE_FILE = 256 * 1024 * 1024
const SMALL = 65_536
const LOG = MAX_EVIDENCE_FILE / 2

/** Evidence as one JSON text (docs/cli.md, "evidence"). */
export function encodeEvidence({ quote, endorsement, pcrs, eventLog, imaLog, vmmLog }: Evidence): string {
  const hex = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : toHex(bytes))
  const file = {
    format: FORMAT,
    quote: { akPublic: hex(quote.akPublic), attest: hex(quote.attest), signature: hex(quote.signature) },
    endorsement: endorsement && {
      ekPublic: hex(endorsement.ekPublic),
      ekCertificate: hex(endorsement.ekCertificate),
      intermediates: endorsement.intermediates?.map(toHex),
    },
    pcrs: pcrs && Object.fromEntries([...pcrs].map(([bank, values]) => [bank, encodePcrs(values)])),
    logs: { firmware: hex(eventLog), ima: hex(imaLog), vmm: hex(vmmLog) },
  }
  return `${JSON.stringify(file, null, 1)}\n`
}

/**
 * Decodes a file of evidence, strictly: a member that is not known makes it invalid.
 *
 * @param text untrusted
 * @throws EvidenceError `EVIDENCE_MALFORMED`
 */
export function decodeEvidence(text: string): Evidence {
  if (text.length > MAX_EVIDENCE_FILE) throw malformed('evidence', `at most ${MAX_EVIDENCE_FILE} characters`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw malformed('evidence', 'JSON', cause)
  }
  const file = members(value, 'evidence', ['format', 'quote', 'endorsement', 'pcrs', 'logs'])
  if (file['format'] !== FORMAT) throw malformed('format', `"${FORMAT}"`)
  const quote = members(file['quote'], 'quote', ['akPublic', 'attest', 'signature'])
  const logs = members(file['logs'] ?? {}, 'logs', ['firmware', 'ima', 'vmm'])
  return {
    quote: {
      akPublic: bytes(quote['akPublic'], 'quote.akPublic', SMALL),
      attest: bytes(quote['attest'], 'quote.attest', SMALL),
      signature: bytes(quote['signature'], 'quote.signature', SMALL),
    },
    ...(file['endorsement'] === undefined ? {} : { endorsement: endorsementOf(file['endorsement']) }),
    ...(file['pcrs'] === undefined ? {} : { pcrs: pcrsOf(file['pcrs']) }),
    ...(logs['firmware'] === undefined ? {} : { eventLog: bytes(logs['firmware'], 'logs.firmware', LOG) }),
    ...(logs['ima'] === undefined ? {} : { imaLog: bytes(logs['ima'], 'logs.ima', LOG) }),
    ...(logs['vmm'] === undefined ? {} : { vmmLog: bytes(logs['vmm'], 'logs.vmm', LOG) }),
  }
}

function encodePcrs(values: PcrValues): Readonly<Record<string, Hex>> {
  return Object.fromEntries([...values].map(([pcr, value]) => [pcr, toHex(value)]))
}

function endorsementOf(value: unknown): NonNullable<Evidence['endorsement']> {
  const parts = members(value, 'endorsement', ['ekPublic', 'ekCertificate', 'intermediates'])
  const { ekPublic, ekCertificate, intermediates } = parts
  return {
    ekPublic: bytes(ekPublic, 'endorsement.ekPublic', SMALL),
    ...(ekCertificate === undefined ? {} : { ekCertificate: bytes(ekCertificate, 'endorsement.ekCertificate', SMALL) }),
    ...(intermediates === undefined ? {} : { intermediates: intermediatesOf(intermediates) }),
  }
}

function intermediatesOf(value: unknown): readonly Uint8Array[] {
  const path = 'endorsement.intermediates'
  if (!Array.isArray(value) || value.length > MAX_INTERMEDIATES) {
    throw malformed(path, `a list of at most ${MAX_INTERMEDIATES}`)
  }
  return value.map((der: unknown, i) => bytes(der, `${path}[${i}]`, SMALL))
}

function pcrsOf(value: unknown): ReadonlyMap<BankName, PcrValues> {
  const names = Object.keys(BANKS) as BankName[]
  const banks = members(value, 'pcrs', names)
  const given = names.filter((bank) => banks[bank] !== undefined)
  return new Map(given.map((bank) => [bank, valuesOf(banks[bank], `pcrs.${bank}`, BANKS[bank].length)]))
}

function valuesOf(value: unknown, path: string, length: number): PcrValues {
  const pcrs = members(
    value,
    path,
    Array.from({ length: PCR_COUNT }, (_, pcr) => String(pcr)),
  )
  return new Map(
    Object.entries(pcrs).map(([pcr, one]) => {
      const digest = bytes(one, `${path}.${pcr}`, length)
      if (digest.length !== length) throw malformed(`${path}.${pcr}`, `${length} bytes`)
      return [Number(pcr), digest]
    }),
  )
}

/** An object with none but these members, by their names. */
function members(value: unknown, path: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(path, 'an object')
  const other = Object.keys(value).find((key) => !known.includes(key))
  if (other !== undefined) throw malformed(`${path}.${other}`, `none but ${known.join(', ')}`)
  return Object.fromEntries(Object.entries(value))
}

function bytes(value: unknown, path: string, most: number): Uint8Array {
  const expected = `0x and hexadecimal digits, at most ${most} bytes`
  if (typeof value !== 'string' || value.length > 2 + 2 * most) throw malformed(path, expected)
  try {
    return fromHex(value)
  } catch (cause) {
    throw malformed(path, expected, cause)
  }
}

function malformed(path: string, expected: string, cause?: unknown): EvidenceError {
  return new EvidenceError('EVIDENCE_MALFORMED', `${path}: expected ${expected}`, { cause })
}
