import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { Writer } from '../core/writer.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { TcgError } from '../tcg/error.ts'
import { approvalMessage } from '../tcg/policy.ts'
import { CURVES, decodePublic, OBJECT_ATTRIBUTES } from '../tcg/public.ts'
import { PinError } from './pin-error.ts'
import { PIN_POLICY_REF } from './pin-file-format.ts'

const COORDINATE = 32
const RSA_BITS = 2048
/** The largest TPMT_PUBLIC of an approver: RSA-2048's. */
export const MAX_APPROVER_PUBLIC = 300

/**
 * The security team's public key as the TPM takes it: a TPMT_PUBLIC that may verify by ECDSA P-256 or RSASSA-2048 with
 * SHA-256, and nothing else. Its name stands in the sealed PIN's policy, so this encoding must never change.
 *
 * @param pem untrusted: a public key. A private one is refused: it has no business on a host
 * @throws PinError `APPROVER_KEY_INVALID`
 */
export function approverPublic(pem: string): Uint8Array {
  if (pem.includes('PRIVATE KEY')) {
    throw invalid('the security team’s public key, found a private one, which belongs on no host')
  }
  return publicAreaOf(readKey(() => createPublicKey(pem)))
}

/** Whoever signs approvals. */
export interface Approver {
  /** TPMT_PUBLIC, as `approverPublic` gives it. */
  readonly public: Uint8Array
  /** Signs what PolicyAuthorize will verify of an approved policy. @returns r ‖ s, 64 bytes, or RSA’s 256 bytes */
  sign(approvedPolicy: Uint8Array): Uint8Array
}

/**
 * The security team's private key, for signing approvals.
 *
 * @param pem P-256 or RSA-2048, not encrypted
 * @throws PinError `APPROVER_KEY_INVALID`; no message has anything of the key
 */
export function approver(pem: string): Approver {
  const key = readKey(() => createPrivateKey(pem))
  return {
    public: publicAreaOf(createPublicKey(key)),
    sign: (approvedPolicy) =>
      new Uint8Array(sign('sha256', approvalMessage(approvedPolicy, POLICY_REF), { key, dsaEncoding: 'ieee-p1363' })),
  }
}

/** The policyRef as bytes. */
export const POLICY_REF: Uint8Array = new TextEncoder().encode(PIN_POLICY_REF)

/**
 * Reads an approver's TPMT_PUBLIC again.
 *
 * @param tpmtPublic untrusted
 * @returns how it signs
 * @throws PinError `APPROVER_KEY_INVALID` for anything that `approverPublic` does not give
 */
export function approverScheme(tpmtPublic: Uint8Array): 'ecdsa' | 'rsassa' {
  try {
    const key = decodePublic(tpmtPublic)
    const isRight =
      (key.type === 'ecc' ? key.curve === 'P-256' : key.bits === RSA_BITS) &&
      key.attributes === OBJECT_ATTRIBUTES.sign &&
      key.nameAlgorithm === 'sha256' &&
      key.authPolicy.length === 0 &&
      key.scheme?.hash === 'sha256'
    if (isRight) return key.scheme.algorithm
  } catch (cause) {
    if (!(cause instanceof TcgError)) throw cause
    throw invalid(`an approver’s key, found none: ${cause.message}`, cause)
  }
  throw invalid('a key that verifies by ECDSA P-256 or RSASSA-2048 with SHA-256, found another')
}

/** A signature of `Approver.sign` as a TPMT_SIGNATURE with SHA-256 (TPM 2.0 Part 2, 11.3.4). */
export function encodeApproverSignature(scheme: 'ecdsa' | 'rsassa', signature: Uint8Array): Uint8Array {
  const head = new Writer().u16(scheme === 'ecdsa' ? TPM_ALG.ECDSA : TPM_ALG.RSASSA).u16(TPM_ALG.SHA256)
  if (scheme === 'rsassa') return head.sized16(signature).finish()
  return head.sized16(signature.subarray(0, COORDINATE)).sized16(signature.subarray(COORDINATE)).finish()
}

function readKey(read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch (cause) {
    throw invalid('a key in PEM, not encrypted; it cannot be read', cause)
  }
}

function publicAreaOf(key: KeyObject): Uint8Array {
  const { kty, crv, n, e, x, y } = key.export({ format: 'jwk' })
  const head = (type: number) =>
    new Writer().u16(type).u16(TPM_ALG.SHA256).u32(OBJECT_ATTRIBUTES.sign).u16(0).u16(TPM_ALG.NULL)
  if (kty === 'EC' && crv === 'P-256') {
    return head(TPM_ALG.ECC)
      .u16(TPM_ALG.ECDSA)
      .u16(TPM_ALG.SHA256)
      .u16(CURVES['P-256'].id)
      .u16(TPM_ALG.NULL)
      .sized16(base64url(x))
      .sized16(base64url(y))
      .finish()
  }
  const modulus = base64url(n)
  if (kty === 'RSA' && e === 'AQAB' && modulus.length === RSA_BITS / 8) {
    const scheme = head(TPM_ALG.RSA).u16(TPM_ALG.RSASSA).u16(TPM_ALG.SHA256)
    return scheme.u16(RSA_BITS).u32(0).sized16(modulus).finish()
  }
  throw invalid('a P-256 key, or RSA-2048 with the exponent 65537, found another')
}

function base64url(text = ''): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'))
}

function invalid(expected: string, cause?: unknown): PinError {
  return new PinError('APPROVER_KEY_INVALID', `expected ${expected}`, { cause })
}
