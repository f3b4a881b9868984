import { equal } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { encodePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import type { AkKeeper } from './ak-keeper.ts'
import { PASSWORD } from './commands.ts'
import type { TpmConnection } from './commands.ts'
import { readEcdsaSignature } from './ecdsa-signature.ts'
import { TpmError } from './error.ts'
import { unwrap } from './objects.ts'
import { pcrDigest } from './pcr-digest.ts'
import { readPcrs } from './pcr.ts'
import { decodeSignedQuote, type TpmQuote } from './signed-quote.ts'

const MAX_ATTEST = 1024
const MAX_ATTEMPTS = 8
const KEYS_OWN_SCHEME = new Writer().u16(TPM_ALG.NULL).finish()

/**
 * Lets the AK sign the PCRs of a selection and the qualifying data (TPM 2.0 Part 3, TPM2_Quote). Where the PCRs move
 * meanwhile, the quote is of the moment at which the TPM made it. Where another key lies at the AK's handle since it was
 * opened, it is looked at again.
 */
export function quote(
  { commands }: TpmConnection,
  keeper: AkKeeper,
  selection: PcrSelection,
  qualifyingData: Uint8Array,
): TpmQuote {
  const data = new Writer().sized16(qualifyingData).finish()
  const pcrs = encodePcrSelection(selection)
  for (const isLast of [false, true]) {
    const ak = keeper.get()
    const [tpm2bAttest, signature] = commands.Quote(ak.handle, [PASSWORD], data, KEYS_OWN_SCHEME, pcrs)
    const attest = unwrap('TPM2B_ATTEST', tpm2bAttest, MAX_ATTEST)
    const { qualifiedSigner } = decodeSignedQuote(attest)
    if (equal(qualifiedSigner, ak.qualifiedName)) {
      return { akPublic: ak.public, attest, signature: readEcdsaSignature(new Reader(signature)) }
    }
    keeper.drop()
    if (isLast) break
  }
  throw new TpmError('RESPONSE_UNEXPECTED', 'expected a quote by the AK, found one by another key')
}

/**
 * A quote together with the values that it is of. Where the PCRs move between the reading and the quote, both are made
 * again.
 *
 * @throws TpmError `PCRS_MOVING` after the last of a few attempts
 */
export function quoteWithPcrs(
  connection: TpmConnection,
  keeper: AkKeeper,
  selection: PcrSelection,
  qualifyingData: Uint8Array,
): { quote: TpmQuote; values: ReadonlyMap<number, Uint8Array> } {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const values = readPcrs(connection, selection)
    const made = quote(connection, keeper, selection, qualifyingData)
    if (equal(decodeSignedQuote(made.attest).pcrDigest, pcrDigest(values))) return { quote: made, values }
  }
  throw new TpmError('PCRS_MOVING', `the PCRs changed during each of ${MAX_ATTEMPTS} attempts to quote them`)
}
