import { concat, equal } from '../core/bytes.ts'
import type { BankName, PcrValues } from './bank.ts'
import { COMPUTABLE_BANKS, digest } from './hash.ts'
import type { ImaMeasurement } from './ima-measurement.ts'

/** The name of a log's first entry: what firmware and boot loader left in the TPM before IMA began. */
export const BOOT_AGGREGATE = 'boot_aggregate'

/**
 * Whether a boot aggregate is the hash of the PCRs 0 to 9 of its algorithm's bank, of 0 to 7 for SHA-1 (Linux 5.8 on,
 * ima_calc_boot_aggregate). PCR 8 and 9 may have moved since where a boot stage came after IMA.
 *
 * @param measurement the first entry's; untrusted
 * @param pcrs by bank
 * @returns undefined where the PCRs are not all there
 */
export function bootAggregateHolds(
  { algorithm, digest: aggregate }: ImaMeasurement,
  pcrs: ReadonlyMap<BankName, PcrValues>,
): boolean | undefined {
  const bank = COMPUTABLE_BANKS.find((name) => name === algorithm)
  if (bank === undefined) return undefined
  const values = Array.from({ length: bank === 'sha1' ? 8 : 10 }, (_, pcr) => pcrs.get(bank)?.get(pcr))
  const present = values.filter((value) => value !== undefined)
  if (present.length < values.length) return undefined
  return equal(digest(bank, concat(...present)), aggregate)
}
