import type { Domain } from '../record/eip712.ts'
import { stringify } from '../record/json.ts'
import { FormatError, type Parser } from '../record/parse.ts'
import { readInput } from './context.ts'
import { UsageError } from './error.ts'
import { OutputFile } from './output-file.ts'

/** Signed things are small; what is larger is something else. */
const MAX_BYTES = 65_536

/** Writes something signed to a file. @throws UsageError FILE_UNWRITABLE */
export async function writeSigned(path: string, signed: object): Promise<void> {
  const file = await OutputFile.open(path, 0o644)
  await file.keep(`${stringify(signed, 2)}\n`)
}

/**
 * Reads something signed from a file, for the contract that it must be signed for.
 *
 * @throws UsageError FILE_UNREADABLE, USAGE where it is for another chain or contract; FormatError
 */
export function readSigned<T extends { readonly domain: Domain }>(path: string, parse: Parser<T>, here: Domain): T {
  const bytes = readInput(path)
  let value: unknown
  try {
    if (bytes.length > MAX_BYTES) throw new RangeError('too large')
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new FormatError(path, `JSON of at most ${MAX_BYTES} bytes`)
  }
  const signed = parse(value, path)
  const { chainId, verifyingContract } = signed.domain
  if (chainId === here.chainId && verifyingContract === here.verifyingContract) return signed
  const found = `chain ${chainId}, contract ${verifyingContract}`
  throw new UsageError('USAGE', `${path}: signed for ${found}; here are ${here.chainId} and ${here.verifyingContract}`)
}
