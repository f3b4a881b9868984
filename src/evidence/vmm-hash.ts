import { concat, toHex, type Hex } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { HASHES } from '../tcg/algorithm.ts'
import { keccak256, sha256 } from '../tcg/hash.ts'
import { encodePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import { EvidenceError } from './error.ts'

/**
 * The vmmHash that a quote would show for some PCR values (docs/formats.md, "Identifiers").
 *
 * @param values one for each selected PCR, as long as the bank's digest; others are not read
 * @throws EvidenceError `PCR_VALUES`; TcgError `SELECTION_EMPTY`, `SELECTION_INVALID`
 */
export function vmmHash(selection: PcrSelection, values: ReadonlyMap<number, Uint8Array>): Hex {
  return vmmHashOfQuoteInfo(quoteInfoOf(selection, values))
}

/**
 * The TPMS_QUOTE_INFO that a quote would carry for some PCR values (TPM 2.0 Part 2, 10.12.4): what a predicted VMM is entered
 * on the ledger with.
 *
 * @throws as `vmmHash`
 */
export function quoteInfoOf(selection: PcrSelection, values: ReadonlyMap<number, Uint8Array>): Uint8Array<ArrayBuffer> {
  return new Writer().bytes(encodePcrSelection(selection)).sized16(pcrDigest(selection, values)).finish()
}

/** The vmmHash of a TPMS_QUOTE_INFO, byte for byte as it stands in a quote. */
export function vmmHashOfQuoteInfo(quoteInfo: Uint8Array): Hex {
  return toHex(keccak256(quoteInfo))
}

/**
 * What a TPM puts in a quote for some PCR values: their SHA-256, in ascending order (TPM 2.0 Part 1, "Attesting to PCR").
 *
 * @throws EvidenceError `PCR_VALUES`
 */
export function pcrDigest(selection: PcrSelection, values: ReadonlyMap<number, Uint8Array>): Uint8Array<ArrayBuffer> {
  const { length } = HASHES[selection.bank]
  const selected = selection.pcrs.map((pcr) => {
    const value = values.get(pcr)
    if (value?.length !== length) {
      const found = value === undefined ? 'none' : `${value.length}`
      throw new EvidenceError('PCR_VALUES', `expected ${length} bytes for PCR ${pcr}, found ${found}`)
    }
    return value
  })
  return sha256(concat(...selected))
}
