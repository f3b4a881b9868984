import { equal } from '../core/bytes.ts'
import { encodeEndorsementTemplate } from '../tcg/endorsement-template.ts'
import { isCertifiedKey } from './certified-key.ts'
import type { TpmConnection } from './commands.ts'
import { findCertificate, readCertificateChain, type CertifiedPlace } from './ek-certificate.ts'
import { EK_PLACES, type EkPlace, type EkPlaceName } from './ek-place.ts'
import { TpmError } from './error.ts'
import { readNvIndex } from './nv-read.ts'
import { unwrapPublic, withPersistent, withPrimary, type TpmObject } from './objects.ts'

/** An EK in the TPM, for the time of some work. */
export interface Ek extends TpmObject {
  readonly place: EkPlace
  /** DER, untrusted; undefined where the TPM holds none that can be read. A persistent EK is its key, one made again may not be. */
  readonly certificate: Uint8Array | undefined
}

/** What a TPM shows of its EK; whether the parts belong together is the verifier's to find out. */
export interface ShownEk {
  /** TPMT_PUBLIC. */
  readonly public: Uint8Array
  /** DER. */
  readonly certificate: Uint8Array
  /** DER certificates above it, as far as the TPM holds them. */
  readonly intermediates: readonly Uint8Array[]
  readonly place: EkPlaceName
}

const MAX_TEMPLATE = 1024
/** The unique field and its lengths are what may differ: the rest is the template's. */
const MAX_NONCE = 256

/**
 * Shows the EK of the first place in an order that holds a certificate.
 *
 * @throws TpmError `EK_CERTIFICATE_MISSING`, `EK_CERTIFICATE_MALFORMED`, `EK_TEMPLATE`
 */
export function showEk(connection: TpmConnection, order: readonly EkPlaceName[]): ShownEk {
  const found = findCertificate(connection, order)
  if (found === undefined) {
    const indices = order.map((name) => `0x${EK_PLACES[name].certificate.toString(16)}`).join(', ')
    throw new TpmError(
      'EK_CERTIFICATE_MISSING',
      `the TPM holds no EK certificate (looked at the NV indices ${indices})`,
    )
  }
  const { name, certificate } = found
  const shown = withEkAt(connection, found.place, found, (ek) => Uint8Array.from(ek.public))
  return { public: shown, certificate, intermediates: readCertificateChain(connection), place: name }
}

/**
 * Works with the EK of the first place in an order that holds a certificate; where none does, of the first place.
 *
 * A persistent key is used where it is that EK: made by the template and, as far as the certificate can be read, the certified
 * key. Otherwise it is made again from its template for the time of the work.
 */
export function withEk<T>(connection: TpmConnection, order: readonly EkPlaceName[], work: (ek: Ek) => T): T {
  const found = findReadable(connection, order)
  const [first = 'rsa-2048'] = order
  return withEkAt(connection, found?.place ?? EK_PLACES[first], found, work)
}

/** A damaged certificate is told when the EK is shown; the key works without it. */
function findReadable(connection: TpmConnection, order: readonly EkPlaceName[]): CertifiedPlace | undefined {
  try {
    return findCertificate(connection, order)
  } catch (error) {
    if (error instanceof TpmError && error.code === 'EK_CERTIFICATE_MALFORMED') return undefined
    throw error
  }
}

function withEkAt<T>(
  connection: TpmConnection,
  place: EkPlace,
  certified: CertifiedPlace | undefined,
  work: (ek: Ek) => T,
): T {
  const certificate = certified?.certificate
  for (const tpmHandle of place.handles) {
    const result = withPersistent(connection, tpmHandle, (handle) => {
      const [tpm2bPublic] = connection.commands.ReadPublic(handle, [])
      const area = unwrapPublic(tpm2bPublic)
      return isEk(area, place, certificate) ? { of: work({ handle, public: area, place, certificate }) } : undefined
    })
    if (result !== undefined) return result.of
  }
  return withPrimary(connection, templateOf(connection, place), (ek) => work({ ...ek, place, certificate }))
}

/**
 * The template that this TPM's EK is made from (TCG EK Credential Profile 2.6, 2.2.1.4 and 2.2.1.5): the profile's, its unique
 * field from the TPM's own template and nonce where there are such.
 *
 * @throws TpmError `EK_TEMPLATE` where the TPM's own template differs in anything else: no verifier would take that EK
 */
function templateOf(connection: TpmConnection, { template, ownTemplate, nonce }: EkPlace): Uint8Array {
  const standard = encodeEndorsementTemplate(template)
  const own = readNvIndex(connection, ownTemplate, MAX_TEMPLATE)
  const fixed = standard.subarray(0, standard.length - uniqueBytes(template))
  if (own !== undefined && !equal(own.subarray(0, fixed.length), fixed)) {
    const where = `0x${ownTemplate.toString(16)}`
    const message = `the TPM's own EK template (NV index ${where}) is not the TCG's ${template.name} but for its unique field`
    throw new TpmError('EK_TEMPLATE', message)
  }
  const ownNonce = nonce === undefined ? undefined : readNvIndex(connection, nonce, MAX_NONCE)
  if (ownNonce !== undefined) return encodeEndorsementTemplate(template, ownNonce)
  return own ?? standard
}

/** The unique field with the lengths in it. */
function uniqueBytes({ name, key }: EkPlace['template']): number {
  const low = name.startsWith('L')
  if (key.type === 'rsa') return 2 + (low ? key.bits / 8 : 0)
  return 4 + (low ? 2 * key.bytes : 0)
}

function isEk(area: Uint8Array, { template }: EkPlace, certificate: Uint8Array | undefined): boolean {
  const standard = encodeEndorsementTemplate(template)
  const fixed = standard.subarray(0, standard.length - uniqueBytes(template))
  if (!equal(area.subarray(0, fixed.length), fixed)) return false
  return certificate === undefined || isCertifiedKey(area, certificate) !== false
}
