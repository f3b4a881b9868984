import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { encodePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import { withAk } from './attestation-key.ts'
import { PASSWORD } from './commands.ts'
import type { TpmConnection } from './commands.ts'
import { readEcdsaSignature } from './ecdsa-signature.ts'
import { unwrap } from './objects.ts'

/** A quote as it goes to the ledger. */
export interface TpmQuote {
  /** The AK's TPMT_PUBLIC. */
  readonly akPublic: Uint8Array
  /** TPMS_ATTEST. */
  readonly attest: Uint8Array
  /** r ‖ s, 64 bytes, s at most half the group's order. */
  readonly signature: Uint8Array
}

const MAX_ATTEST = 1024

/**
 * Lets the AK sign the PCRs of a selection and the qualifying data (TPM 2.0 Part 3, TPM2_Quote). Where the PCRs move
 * meanwhile, the quote is of the moment at which the TPM made it.
 */
export function quote(
  connection: TpmConnection,
  akHandle: number,
  selection: PcrSelection,
  qualifyingData: Uint8Array,
): TpmQuote {
  const data = new Writer().sized16(qualifyingData).finish()
  const keysOwnScheme = new Writer().u16(TPM_ALG.NULL).finish()
  return withAk(connection, akHandle, (ak) => {
    const [tpm2bAttest, signature] = connection.commands.Quote(
      ak.handle,
      [PASSWORD],
      data,
      keysOwnScheme,
      encodePcrSelection(selection),
    )
    const attest = unwrap('TPM2B_ATTEST', tpm2bAttest, MAX_ATTEST)
    return { akPublic: ak.public, attest, signature: readEcdsaSignature(new Reader(signature)) }
  })
}
