import type { BankName, PcrValues } from '../tcg/bank.ts'
import type { SignedQuote } from './quote.ts'

/** What a host says of itself, at one moment (RFC 9334, "evidence"). Untrusted, all of it. */
export interface Evidence {
  readonly quote: SignedQuote
  /** The EK, and its certificate where there is one. */
  readonly endorsement?: {
    readonly ekPublic: Uint8Array
    /** DER. */
    readonly ekCertificate?: Uint8Array
    /** DER certificates above it, as far as the TPM holds them: each is believed only by its own path to a trusted root. */
    readonly intermediates?: readonly Uint8Array[]
  }
  /** Values of PCRs, by bank. Not needed where logs and reference values give them. */
  readonly pcrs?: ReadonlyMap<BankName, PcrValues>
  /** The firmware's event log, as the kernel has it. */
  readonly eventLog?: Uint8Array
  /** IMA's log, binary or text. */
  readonly imaLog?: Uint8Array
  /** The canonical event log of the VMM's measurement. */
  readonly vmmLog?: Uint8Array
}
