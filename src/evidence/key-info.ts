import { concat, fromHex } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { childrenOf, DER, readDer, tagged, wholeBytesOf, type DerValue } from './der.ts'
import { oidOf } from './x509-extension.ts'

const RSA = '1.2.840.113549.1.1.1'
/** id-RSAES-OAEP and id-RSASSA-PSS: the same key, bound to a scheme. EK certificates of some vendors have the first. */
const BOUND_RSA: readonly string[] = ['1.2.840.113549.1.1.7', '1.2.840.113549.1.1.10']
const RSA_ALGORITHM = fromHex('0x300d06092a864886f70d0101010500')

/**
 * A SubjectPublicKeyInfo that names the key alone: where an RSA key is bound to a scheme (RFC 4055, section 1.2), the scheme is
 * left out.
 *
 * @param publicKeyInfo untrusted; DER
 * @throws ReadError
 */
export function plainKeyInfo(publicKeyInfo: Uint8Array): Uint8Array {
  const { algorithm, key } = decode(publicKeyInfo)
  if (!BOUND_RSA.includes(algorithm)) return publicKeyInfo
  const content = concat(RSA_ALGORITHM, key.bytes)
  return new Writer().u8(DER.SEQUENCE).u8(0x82).sized16(content).finish()
}

/** The modulus of an RSA key, without leading zeros; undefined for another key. @throws ReadError */
export function rsaModulusOf(publicKeyInfo: Uint8Array): Uint8Array | undefined {
  const { algorithm, key } = decode(publicKeyInfo)
  if (algorithm !== RSA) return undefined
  const [modulus] = childrenOf(tagged(readDer(wholeBytesOf(key)), DER.SEQUENCE))
  const { content } = tagged(modulus, DER.INTEGER)
  return content.subarray(content[0] === 0 ? 1 : 0)
}

function decode(publicKeyInfo: Uint8Array): { readonly algorithm: string; readonly key: DerValue } {
  const [identifier, key] = childrenOf(tagged(readDer(publicKeyInfo), DER.SEQUENCE))
  const [algorithm] = childrenOf(tagged(identifier, DER.SEQUENCE))
  return { algorithm: oidOf(tagged(algorithm, DER.OID)), key: tagged(key, DER.BIT_STRING) }
}
