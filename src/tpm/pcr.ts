import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import { HASHES } from '../tcg/algorithm.ts'
import { decodePcrSelections, encodePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import { PASSWORD } from './commands.ts'
import type { TpmCommands, TpmConnection } from './commands.ts'
import { TpmError } from './error.ts'

/** A TPML_DIGEST holds at most this many (TPM 2.0 Part 2, 10.9.5). */
const MAX_DIGESTS = 8
const MAX_ATTEMPTS = 8

/**
 * Reads PCRs, all of one moment: where the TPM's update counter moves between the parts, everything is read again.
 *
 * @returns the values by PCR, each as long as the bank's digest
 * @throws TpmError `PCR_NOT_ALLOCATED`, `PCRS_MOVING`
 */
export function readPcrs({ commands }: TpmConnection, selection: PcrSelection): ReadonlyMap<number, Uint8Array> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const values = readOnce(commands, selection)
    if (values !== undefined) return values
  }
  throw new TpmError('PCRS_MOVING', `the PCRs changed during each of ${MAX_ATTEMPTS} attempts to read them`)
}

/** Extends a PCR of the SHA-256 bank with a digest of 32 bytes. */
export function extendPcr({ commands }: TpmConnection, pcr: number, digest: Uint8Array): void {
  const values = new Writer().u32(1).u16(HASHES.sha256.algorithm).bytes(digest).finish()
  commands.PCR_Extend(pcr, [PASSWORD], values)
}

function readOnce(commands: TpmCommands, { bank, pcrs }: PcrSelection): Map<number, Uint8Array> | undefined {
  const values = new Map<number, Uint8Array>()
  let counter: number | undefined
  for (let left = pcrs; left.length > 0; left = pcrs.filter((pcr) => !values.has(pcr))) {
    const [updateCounter, read, digests] = commands.PCR_Read([], encodePcrSelection({ bank, pcrs: left }))
    if (counter !== undefined && updateCounter !== counter) return undefined
    counter = updateCounter
    const given = decodePcrSelections(read).find((one) => one.bank === bank)?.pcrs ?? []
    if (given.length === 0) {
      throw new TpmError('PCR_NOT_ALLOCATED', `the TPM gives no value for the PCRs ${left.join(',')} of ${bank}`)
    }
    const parts = readDigests(digests, HASHES[bank].length)
    if (given.length !== parts.length || given.some((pcr) => !left.includes(pcr))) {
      throw new TpmError('RESPONSE_UNEXPECTED', `asked for ${left.join(',')}, the TPM gave ${given.join(',')}`)
    }
    parts.forEach((value, i) => values.set(given[i] ?? -1, value))
  }
  return values
}

function readDigests(tpmlDigest: Uint8Array, length: number): Uint8Array[] {
  const reader = new Reader(tpmlDigest)
  const count = Math.min(reader.u32(), MAX_DIGESTS)
  const digests = Array.from({ length: count }, () => reader.sized16(length))
  reader.end('TPML_DIGEST')
  if (digests.some((digest) => digest.length !== length)) {
    throw new TpmError('RESPONSE_UNEXPECTED', `expected PCR values of ${length} bytes`)
  }
  return digests
}
