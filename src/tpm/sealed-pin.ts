import { equal, toHex } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { nameOf } from '../tcg/name.ts'
import { authorizedPolicy } from '../tcg/policy.ts'
import { OBJECT_ATTRIBUTES } from '../tcg/public.ts'
import { approverScheme, MAX_APPROVER_PUBLIC, POLICY_REF } from './approver-key.ts'
import { PinError } from './pin-error.ts'
import { hexMember, PIN_POLICY_REF, readMembers } from './pin-file-format.ts'

/** A PIN that one TPM has sealed for who can show an approval. Holds no secret: only that TPM can open it. */
export interface SealedPin {
  /** TPMT_PUBLIC of the key that approves. */
  readonly approver: Uint8Array
  /** The name of the EK of the TPM that sealed it: 34 bytes, or as long as the EK's own hash makes it. */
  readonly ek: Uint8Array
  /** TPMT_PUBLIC of the sealed object. */
  readonly public: Uint8Array
  /** TPM2B_PRIVATE of the sealed object, without its length: encrypted by the TPM for itself. */
  readonly private: Uint8Array
}

/** The longest PIN that a TPM seals, in bytes: MAX_SYM_DATA (TPM 2.0 Part 2, "TPM2B_SENSITIVE_DATA"). */
export const MAX_PIN_BYTES = 128

const TYPE = 'attestry/sealed-pin/1'
const TPM_ALG_KEYEDHASH = 0x0008
const DIGEST = 32
const [NAME_BYTES, MAX_NAME_BYTES] = [34, 66]
const MAX_PRIVATE = 1024

/**
 * The public area of a sealed PIN (TPM 2.0 Part 2, 12.2.4): stays in its TPM, below its parent; opened and administered
 * by its policy alone, never by its authorisation value, which is empty; outside of the dictionary-attack protection,
 * since there is nothing to guess.
 *
 * @param unique what the TPM fills in: 32 bytes, none in a template
 */
export function sealedPinPublic(approver: Uint8Array, unique = new Uint8Array()): Uint8Array {
  const { fixedTPM, fixedParent, adminWithPolicy, noDA } = OBJECT_ATTRIBUTES
  return new Writer()
    .u16(TPM_ALG_KEYEDHASH)
    .u16(TPM_ALG.SHA256)
    .u32(fixedTPM | fixedParent | adminWithPolicy | noDA)
    .sized16(authorizedPolicy(nameOf(approver), POLICY_REF))
    .u16(TPM_ALG.NULL)
    .sized16(unique)
    .finish()
}

/** Whether a public area is that of a PIN sealed for this approver. @param tpmtPublic untrusted */
export function isSealedPinPublic(tpmtPublic: Uint8Array, approver: Uint8Array): boolean {
  const unique = tpmtPublic.slice(-DIGEST)
  return unique.length === DIGEST && equal(tpmtPublic, sealedPinPublic(approver, unique))
}

/** A sealed PIN as the file that the agent's configuration names. */
export function writeSealedPin({ approver, ek, public: area, private: blob }: SealedPin): string {
  const file = { type: TYPE, policyRef: PIN_POLICY_REF, approver: toHex(approver), ek: toHex(ek) }
  return `${JSON.stringify({ ...file, public: toHex(area), private: toHex(blob) }, undefined, 2)}\n`
}

/**
 * Reads a sealed PIN.
 *
 * @param bytes untrusted; at most 64 KiB
 * @throws PinError `SEALED_PIN_INVALID`
 */
export function readSealedPin(bytes: Uint8Array): SealedPin {
  const code = 'SEALED_PIN_INVALID'
  const names = ['type', 'policyRef', 'approver', 'ek', 'public', 'private'] as const
  const file = readMembers(bytes, names, code)
  if (file.type !== TYPE) throw new PinError(code, `type: expected ${TYPE}`)
  if (file.policyRef !== PIN_POLICY_REF) throw new PinError(code, `policyRef: expected ${PIN_POLICY_REF}`)
  const approver = hexMember(file.approver, 'approver', 1, MAX_APPROVER_PUBLIC, code)
  requireApprover(approver)
  const area = hexMember(file.public, 'public', DIGEST, MAX_APPROVER_PUBLIC, code)
  if (!isSealedPinPublic(area, approver)) {
    throw new PinError(code, 'public: expected an object that only this approver’s word opens, found another')
  }
  const ek = hexMember(file.ek, 'ek', NAME_BYTES, MAX_NAME_BYTES, code)
  return { approver, ek, public: area, private: hexMember(file.private, 'private', 1, MAX_PRIVATE, code) }
}

function requireApprover(approver: Uint8Array): void {
  try {
    approverScheme(approver)
  } catch (cause) {
    if (!(cause instanceof PinError)) throw cause
    throw new PinError('SEALED_PIN_INVALID', `approver: ${cause.message}`, { cause })
  }
}
