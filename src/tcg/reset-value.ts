import { BANKS, type BankName } from './bank.ts'

/**
 * What a PCR holds after a reset: ones in PCRs 17 to 22, which belong to a dynamic launch and read as ones until there is one, zeros in
 * all others (TCG PC Client Platform TPM Profile, "PCR attributes"). As long as the bank's digest.
 */
export function resetValue(bank: BankName, pcr: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(BANKS[bank].length).fill(pcr >= 17 && pcr <= 22 ? 0xff : 0)
}
