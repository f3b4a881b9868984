import { concat, fromHex } from '../core/bytes.ts'
import type { TpmPublic } from '../tcg/public.ts'

/** DER of a SubjectPublicKeyInfo up to the key (RFC 3279, sections 2.3.1 and 2.3.5; RFC 5480, section 2.1.1). */
const SPKI = {
  2048: fromHex('0x30820122300d06092a864886f70d01010105000382010f003082010a0282010100'),
  3072: fromHex('0x308201a2300d06092a864886f70d01010105000382018f003082018a0282018100'),
  4096: fromHex('0x30820222300d06092a864886f70d01010105000382020f003082020a0282020100'),
  'P-256': fromHex('0x3059301306072a8648ce3d020106082a8648ce3d03010703420004'),
  'P-384': fromHex('0x3076301006072a8648ce3d020106052b8104002203620004'),
  'P-521': fromHex('0x30819b301006072a8648ce3d020106052b810400230381860004'),
}
const EXPONENT_65537 = fromHex('0x0203010001')

/** A TPM's key as a SubjectPublicKeyInfo, DER. It names the key alone, no scheme. */
export function publicKeyInfoOf(key: TpmPublic): Uint8Array<ArrayBuffer> {
  if (key.type === 'rsa') return concat(SPKI[key.bits], key.modulus, EXPONENT_65537)
  return concat(SPKI[key.curve], key.x, key.y)
}
