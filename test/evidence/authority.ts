import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { tpmtPublic } from '../tcg/tpm-vectors.ts'

/** A time at which what is made here is valid unless it says otherwise. */
export const AT = new Date('2027-01-01T00:00:00Z')

/** A certification authority of a test. */
export interface Authority {
  readonly name: string
  readonly keys: CryptoKeyPair
  readonly der: Uint8Array<ArrayBuffer>
}

/** What a certificate says; what is left out is as it should be. */
export interface CertificateParts {
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly authority?: { readonly pathLength: number | undefined } | undefined
  readonly keyUsage?: x509.KeyUsageFlags | undefined
  readonly extendedKeyUsage?: readonly string[] | undefined
  readonly tpm?: { readonly manufacturer?: string; readonly model?: string; readonly version?: string }
  readonly extensions?: readonly x509.Extension[]
  readonly signingAlgorithm?: { readonly name: string; readonly hash: string; readonly saltLength?: number }
  /** One byte, in hexadecimal digits. */
  readonly serialNumber?: string
}

/** What a revocation list says; what is left out is as it should be. */
export interface ListParts {
  readonly number?: number
  readonly thisUpdate?: Date
  readonly nextUpdate?: Date | undefined
  readonly revoked?: readonly string[]
  /** The date of every entry. */
  readonly revokedOn?: Date
  readonly reason?: x509.X509CrlReason
  readonly extensions?: readonly x509.Extension[]
  readonly entryExtensions?: readonly x509.Extension[]
  readonly signingAlgorithm?: { readonly name: string; readonly hash: string }
}

export interface AuthorityParts extends CertificateParts {
  /** Itself where it is left out. */
  readonly issuer?: Authority
  readonly keys?: CryptoKeyPair
  readonly algorithm?: {
    readonly name: string
    readonly hash: string
    readonly modulusLength: number
    readonly saltLength?: number
  }
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** Makes an authority, a root or one below `issuer`. */
export async function makeAuthority(name: string, parts: AuthorityParts = {}): Promise<Authority> {
  const keys = parts.keys ?? (await makeKeys(parts.algorithm))
  const issuer = parts.issuer ?? { name, keys }
  const der = await issue(name, keys.publicKey, issuer, {
    authority: { pathLength: undefined },
    keyUsage: x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
    ...(parts.algorithm && { signingAlgorithm: parts.algorithm }),
    ...parts,
  })
  return { name, keys, der }
}

/** Makes a revocation list in the name of an authority. */
export async function makeList(
  issuer: Pick<Authority, 'name' | 'keys'>,
  parts: ListParts = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { privateKey } = issuer.keys
  const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const number = new x509.Extension('2.5.29.20', false, Uint8Array.of(2, 1, parts.number ?? 1))
  const list = await x509.X509CrlGenerator.create(
    {
      issuer: issuer.name,
      thisUpdate: parts.thisUpdate ?? new Date('2026-12-01T00:00:00Z'),
      ...('nextUpdate' in parts && parts.nextUpdate === undefined
        ? {}
        : { nextUpdate: parts.nextUpdate ?? new Date('2027-02-01T00:00:00Z') }),
      signingAlgorithm: parts.signingAlgorithm ?? (privateKey.algorithm.name === 'ECDSA' ? P256 : rsa),
      signingKey: privateKey,
      extensions: parts.number === -1 ? [] : [number, ...(parts.extensions ?? [])],
      entries: (parts.revoked ?? []).map((serialNumber) => ({
        serialNumber,
        revocationDate: parts.revokedOn ?? new Date('2026-12-01T00:00:00Z'),
        ...(parts.reason !== undefined && { reason: parts.reason }),
        extensions: [...(parts.entryExtensions ?? [])],
      })),
    },
    crypto,
  )
  return new Uint8Array(list.rawData)
}

/** A P-256 EK of which nobody needs the private key, and certificates for it. */
export async function makeEk() {
  const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits'])
  const point = new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))
  const area = tpmtPublic('swtpm-primary-ak/ek_p256.pub')
  area.set(point.subarray(1, 33), area.length - 66)
  area.set(point.subarray(33), area.length - 32)
  return {
    public: area,
    certificate: (issuer: Authority, parts: CertificateParts) =>
      issue('CN=An EK', publicKey, issuer, {
        keyUsage: x509.KeyUsageFlags.keyAgreement,
        extendedKeyUsage: ['2.23.133.8.1'],
        tpm: { manufacturer: 'id:49465800', model: 'SLB 9672' },
        ...parts,
      }),
  }
}

/** An RSA-2048 EK with a given key. */
export async function makeRsaEk(publicKey: CryptoKey) {
  const { n = '' } = await crypto.subtle.exportKey('jwk', publicKey)
  const area = tpmtPublic('01-ovmf-baseline/ek.pub')
  area.set(Buffer.from(n, 'base64url'), area.length - 256)
  return {
    public: area,
    certificate: (issuer: Authority, parts: CertificateParts) =>
      issue('CN=An EK', publicKey, issuer, {
        keyUsage: x509.KeyUsageFlags.keyEncipherment,
        extendedKeyUsage: ['2.23.133.8.1'],
        tpm: { manufacturer: 'id:49465800', model: 'SLB 9672' },
        ...parts,
      }),
  }
}

/** An EK certificate for a given key. */
export function issueFor(
  publicKey: CryptoKey,
  issuer: Authority,
  parts: CertificateParts = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { keyEncipherment, keyAgreement } = x509.KeyUsageFlags
  return issue('CN=An EK', publicKey, issuer, {
    keyUsage: publicKey.algorithm.name.startsWith('RSA') ? keyEncipherment : keyAgreement,
    extendedKeyUsage: ['2.23.133.8.1'],
    tpm: { manufacturer: 'id:49465800', model: 'SLB 9672' },
    ...parts,
  })
}

async function makeKeys(rsa: AuthorityParts['algorithm']): Promise<CryptoKeyPair> {
  if (rsa === undefined) return crypto.subtle.generateKey(P256, true, ['sign', 'verify'])
  const algorithm = { ...rsa, publicExponent: Uint8Array.of(1, 0, 1) }
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function issue(
  subject: string,
  publicKey: CryptoKey,
  issuer: Pick<Authority, 'name' | 'keys'>,
  parts: CertificateParts,
): Promise<Uint8Array<ArrayBuffer>> {
  const { privateKey } = issuer.keys
  const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject,
      ...(parts.serialNumber !== undefined && { serialNumber: parts.serialNumber }),
      issuer: issuer.name,
      notBefore: parts.notBefore ?? new Date('2026-01-01T00:00:00Z'),
      notAfter: parts.notAfter ?? new Date('2028-01-01T00:00:00Z'),
      publicKey,
      signingKey: privateKey,
      signingAlgorithm: parts.signingAlgorithm ?? (privateKey.algorithm.name === 'ECDSA' ? P256 : rsa),
      extensions: extensionsOf(parts),
    },
    crypto,
  )
  return new Uint8Array(certificate.rawData)
}

function extensionsOf({
  authority,
  keyUsage,
  extendedKeyUsage,
  tpm,
  extensions = [],
}: CertificateParts): x509.Extension[] {
  const all: x509.Extension[] = [...extensions]
  if (authority !== undefined) all.push(new x509.BasicConstraintsExtension(true, authority.pathLength, true))
  if (keyUsage !== undefined) all.push(new x509.KeyUsagesExtension(keyUsage, true))
  if (extendedKeyUsage !== undefined) all.push(new x509.ExtendedKeyUsageExtension([...extendedKeyUsage]))
  if (tpm !== undefined) all.push(alternativeName(tpm))
  return all
}

function alternativeName({ manufacturer, model, version }: NonNullable<CertificateParts['tpm']>): x509.Extension {
  const attributes = [
    ...(manufacturer === undefined ? [] : [{ '2.23.133.2.1': [manufacturer] }]),
    ...(model === undefined ? [] : [{ '2.23.133.2.2': [model] }]),
    ...(version === undefined ? [] : [{ '2.23.133.2.3': [version] }]),
  ]
  return new x509.SubjectAlternativeNameExtension([{ type: 'dn', value: new x509.Name(attributes).toString() }], true)
}
