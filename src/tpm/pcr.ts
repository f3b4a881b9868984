import { Writer } from '../core/writer.ts'
import { HASHES } from '../tcg/algorithm.ts'
import { encodePcrSelection, readPcrSelections, type PcrSelection } from '../tcg/pcr-selection.ts'
import { PASSWORD } from './commands.ts'
import type { TpmConnection } from './commands.ts'
import { TpmError } from './error.ts'
import { pcrRead } from './pcr-read.ts'

const MAX_ATTEMPTS = 8

/**
 * Reads PCRs, all of one moment: where the TPM's update counter moves between the parts, everything is read again.
 *
 * @returns the values by PCR, each as long as the bank's digest
 * @throws TpmError `PCR_NOT_ALLOCATED`, `PCRS_MOVING`
 */
export function readPcrs(connection: TpmConnection, selection: PcrSelection): ReadonlyMap<number, Uint8Array> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const values = readOnce(connection, selection)
    if (values !== undefined) return values
  }
  throw new TpmError('PCRS_MOVING', `the PCRs changed during each of ${MAX_ATTEMPTS} attempts to read them`)
}

/** Extends a PCR of the SHA-256 bank with a digest of 32 bytes. */
export function extendPcr({ commands }: TpmConnection, pcr: number, digest: Uint8Array): void {
  const values = new Writer().u32(1).u16(HASHES.sha256.algorithm).bytes(digest).finish()
  commands.PCR_Extend(pcr, [PASSWORD], values)
}

function readOnce(connection: TpmConnection, { bank, pcrs }: PcrSelection): Map<number, Uint8Array> | undefined {
  const values = new Map<number, Uint8Array>()
  let counter: number | undefined
  for (let left = pcrs; left.length > 0; left = pcrs.filter((pcr) => !values.has(pcr))) {
    const part = pcrRead(connection, encodePcrSelection({ bank, pcrs: left }), readPcrSelections, HASHES[bank].length)
    if (counter !== undefined && part.updateCounter !== counter) return undefined
    counter = part.updateCounter
    const given = part.given.find((one) => one.bank === bank)?.pcrs ?? []
    if (given.length === 0) {
      throw new TpmError('PCR_NOT_ALLOCATED', `the TPM gives no value for the PCRs ${left.join(',')} of ${bank}`)
    }
    if (given.length !== part.values.length || given.some((pcr) => !left.includes(pcr))) {
      throw new TpmError('RESPONSE_UNEXPECTED', `asked for ${left.join(',')}, the TPM gave ${given.join(',')}`)
    }
    part.values.forEach((value, i) => values.set(given[i] ?? -1, value))
  }
  return values
}
