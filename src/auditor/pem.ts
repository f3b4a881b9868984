import { AuditError } from './error.ts'

/** One block of a PEM file, decoded. */
export interface PemBlock {
  readonly kind: 'certificate' | 'revocation-list'
  readonly der: Uint8Array
}

const KINDS: Readonly<Record<string, PemBlock['kind']>> = {
  CERTIFICATE: 'certificate',
  'X509 CRL': 'revocation-list',
}
const BLOCK = /-----BEGIN (CERTIFICATE|X509 CRL)-----([A-Za-z0-9+/=\s]+)-----END \1-----/g

/**
 * The certificates and revocation lists of a PEM file (RFC 7468); words between them are left alone.
 *
 * @param text untrusted
 * @param name what messages call it
 * @throws AuditError `TRUST_STORE_PRIVATE_KEY`; `TRUST_STORE_MALFORMED` where a block is something else, broken, or missing
 */
export function readPem(text: string, name: string): readonly PemBlock[] {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new AuditError(
      'TRUST_STORE_PRIVATE_KEY',
      `${name} holds a private key: keep it elsewhere, and take it for known`,
    )
  }
  const blocks = [...text.matchAll(BLOCK)].flatMap(([, label = '', base64 = '']) => {
    const kind = KINDS[label]
    return kind === undefined ? [] : [{ kind, der: Uint8Array.from(Buffer.from(base64, 'base64')) }]
  })
  // A block that begins and does not match would be dropped in silence, and a chain with it.
  const begun = text.split('-----BEGIN ').length - 1
  if (blocks.length === 0 || blocks.length !== begun) {
    throw new AuditError(
      'TRUST_STORE_MALFORMED',
      `${name}: expected PEM certificates or revocation lists, nothing else`,
    )
  }
  return blocks
}

/** A PEM file of one block. */
export function writePem({ kind, der }: PemBlock): string {
  const label = kind === 'certificate' ? 'CERTIFICATE' : 'X509 CRL'
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
