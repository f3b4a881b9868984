import { randomBytes } from 'node:crypto'
import { verifyQuote } from '../evidence/quote.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import type { Tpm } from '../tpm/tpm.ts'

/** What the ledger knows of a host's TPM. */
export interface KnownTpm {
  /** SHA-256 of the EK's public area, 32 bytes. */
  readonly hostId: Uint8Array
  /** SHA-256 part of the AK's qualified name, 32 bytes. */
  readonly akQualifiedName: Uint8Array
}

/** A TPM whose answers are shown to be that TPM's, whatever lies between: a quote, by whoever verifies it. */
export type PinnedTpm = Pick<Tpm, 'quote' | 'extendPcr'> & {
  readPcrs(selection: PcrSelection): Promise<ReadonlyMap<number, Uint8Array>>
  readCounter(): Promise<bigint>
  incrementCounter(): Promise<bigint>
}

const NONCE_BYTES = 32

/**
 * The TPM that the ledger knows. PCRs come with a quote by its AK over a nonce of their own, which takes as long as a
 * quote does; the counter comes through a session salted to its EK. Whether a PCR was extended shows the next reading.
 *
 * Each may throw what `Tpm` throws; a quote by another key is an EvidenceError, another EK a TpmError `EK_MISMATCH`.
 */
export function pinnedTpm(tpm: Tpm, { hostId, akQualifiedName }: KnownTpm): PinnedTpm {
  return {
    quote: (selection, qualifyingData) => tpm.quote(selection, qualifyingData),
    extendPcr: (pcr, digest) => tpm.extendPcr(pcr, digest),
    readCounter: () => tpm.readCounter(hostId),
    incrementCounter: () => tpm.incrementCounter(hostId),
    async readPcrs(selection) {
      const nonce = new Uint8Array(randomBytes(NONCE_BYTES))
      const { quote, values } = await tpm.quoteWithPcrs(selection, nonce)
      await verifyQuote(quote, akQualifiedName, nonce)
      return values
    },
  }
}
