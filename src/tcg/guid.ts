/** GUIDs that firmware logs name (UEFI 2.10, 3.3, 32.3.6.1 and 32.4.1; shim). */
export const GUID = {
  GLOBAL_VARIABLE: '8be4df61-93ca-11d2-aa0d-00e098032b8c',
  IMAGE_SECURITY_DATABASE: 'd719b2cb-3d3a-4596-a3bc-dad00e67656f',
  SHIM_LOCK: '605dab50-e046-4300-abb6-3dd810dd8b23',
  CERT_X509: 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072',
  CERT_SHA256: 'c1c41626-504c-4092-aca9-41f936934328',
  CERT_SHA384: 'ff3e5307-9fd0-48c9-85f1-8ad56c701e01',
  CERT_SHA512: '093e0fae-a6c4-4f50-9f1b-d41e2b89c19a',
  CERT_SHA1: '826ca512-cf10-4ac9-b187-be01496631bd',
  CERT_RSA2048: '3c5766e8-269c-4e34-aa14-ed776e85b3b6',
  CERT_X509_SHA256: '3bd2a492-96c0-4079-b420-fcf98ef103ed',
  CERT_X509_SHA384: '7076876e-80c2-4ee6-aad2-28b349a6865b',
  CERT_X509_SHA512: '446dbf63-2502-4cda-bcfa-2465d2b0fe9d',
} as const

/** A GUID as text: the first three fields are little-endian (UEFI 2.10, appendix A). @param bytes 16 of them */
export function guidText(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15]
  return order.map((i) => (i < 0 ? '-' : (bytes[i] ?? 0).toString(16).padStart(2, '0'))).join('')
}
