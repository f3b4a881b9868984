import { concat } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { HASHES } from './algorithm.ts'
import { TcgError } from './error.ts'
import { sha256 } from './hash.ts'
import { encodePcrSelection, type PcrSelection } from './pcr-selection.ts'

/** TPM_CC (TPM 2.0 Part 2, 6.5.2). */
const [POLICY_PCR, POLICY_AUTHORIZE] = [0x17f, 0x16a]
/** The policyDigest of a session that has just begun, by SHA-256. */
const NOTHING = new Uint8Array(HASHES.sha256.length)

/**
 * The policyDigest of a session in which PolicyPCR was all that was sent (TPM 2.0 Part 3, "TPM2_PolicyPCR"), by SHA-256:
 * 32 bytes.
 *
 * @param values one for each selected PCR, as long as the bank's digest; others are not read
 * @throws TcgError `SELECTION_EMPTY`, `SELECTION_INVALID`; `DIGEST_LENGTH` for a value that is missing or has another length
 */
export function pcrPolicy(selection: PcrSelection, values: ReadonlyMap<number, Uint8Array>): Uint8Array<ArrayBuffer> {
  const pcrs = encodePcrSelection(selection)
  return sha256(
    new Writer().bytes(NOTHING).u32(POLICY_PCR).bytes(pcrs).bytes(selectedDigest(selection, values)).finish(),
  )
}

/**
 * The digest of selected PCR values that PolicyPCR and PolicyAuthorize of a SHA-256 session compare (TPM 2.0 Part 3,
 * "TPM2_PolicyPCR"): the values in ascending order, hashed.
 *
 * @throws TcgError `DIGEST_LENGTH`
 */
export function selectedDigest(
  { bank, pcrs }: PcrSelection,
  values: ReadonlyMap<number, Uint8Array>,
): Uint8Array<ArrayBuffer> {
  const { length } = HASHES[bank]
  const parts = pcrs.map((pcr) => {
    const value = values.get(pcr)
    if (value?.length === length) return value
    const found = value === undefined ? 'none' : `${value.length}`
    throw new TcgError('DIGEST_LENGTH', `expected ${length} bytes for PCR ${pcr}, found ${found}`)
  })
  return sha256(concat(...parts))
}

/**
 * The policyDigest after PolicyAuthorize (TPM 2.0 Part 3, "TPM2_PolicyAuthorize"), by SHA-256: 32 bytes. It depends on
 * who approves and for what, and not on what was approved: that is why an object with it outlives what is approved.
 *
 * @param keyName the approver's TPM name
 */
export function authorizedPolicy(keyName: Uint8Array, policyRef: Uint8Array): Uint8Array<ArrayBuffer> {
  const who = sha256(new Writer().bytes(NOTHING).u32(POLICY_AUTHORIZE).bytes(keyName).finish())
  return sha256(concat(who, policyRef))
}

/** What an approver signs by SHA-256: the digest of it is PolicyAuthorize's aHash (TPM 2.0 Part 3). */
export function approvalMessage(approvedPolicy: Uint8Array, policyRef: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(approvedPolicy, policyRef)
}
