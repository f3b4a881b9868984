import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { addToTrustStore, type Added } from '../auditor/add-to-trust-store.ts'
import { readPem, type PemBlock } from '../auditor/pem.ts'
import { readRevocationStore } from '../auditor/revocation-store.ts'
import { readTrustStore } from '../auditor/trust-store.ts'
import { messageOf } from '../core/error.ts'
import { parseCertificate } from '../evidence/certificate.ts'
import { verifyEkCertificate, verifyEndorsement, type EndorsedCertificate } from '../evidence/endorsement.ts'
import { stackDirectory, withDirectory, type PlaceOptions } from './context.ts'
import { UsageError } from './error.ts'
import { storedTrust } from './enrol-trust.ts'
import { hardwareRootsOf } from './hardware-roots.ts'
import { moment } from './options.ts'
import { Output, table } from './output.ts'

interface TrustOptions extends PlaceOptions {
  readonly store?: string
}

/** `attestry trust`: the TPM vendors who are trusted, and what they revoked. */
export function trustCommand(): Command {
  const add = withStore(new Command('add'))
    .description('add certification authorities and revocation lists to the trust store')
    .argument('<file...>', 'PEM, or one certificate or revocation list in DER')
    .option('--hardware', 'TPMs under these roots count as hardware', false)
    .addHelpText('after', '\nExample:\n  attestry trust add --store ./vendors --hardware vendor-root.pem')
    .action(addFiles)
  const list = withStore(new Command('list'))
    .description('list the trust store')
    .addHelpText('after', '\nExample:\n  attestry trust list --store ./vendors')
    .action(listStore)
  const check = withStore(new Command('check'))
    .description('check an EK certificate against the trust store; exit code 1 where it is not good')
    .argument('<certificate>', 'PEM or DER; further certificates in a PEM file may be intermediates')
    .option('--at <time>', 'the time for which it must be good (by default now)', moment)
    .option('--ek-public <file>', 'the EK (TPMT_PUBLIC or TPM2B_PUBLIC) that it must be for')
    .option('--require-lists', 'refuse what no revocation list covers', false)
    .addHelpText('after', '\nExample:\n  attestry trust check ek.der --ek-public ek.pub --store ./vendors')
    .action(checkCertificate)
  return [add, list, check].reduce((group, command) => group.addCommand(command), new Command('trust'))
}

function withStore(command: Command): Command {
  return withDirectory(command).option('--store <directory>', 'the trust store (by default the local stack’s)')
}

function storeOf(options: TrustOptions): string {
  return options.store === undefined ? join(stackDirectory(options), 'trust') : resolve(options.store)
}

async function addFiles(
  files: readonly string[],
  options: TrustOptions & { readonly hardware: boolean },
): Promise<void> {
  const output = new Output(options.json === true)
  const store = storeOf(options)
  // All are read before any is added: a file with a private key in it must not leave half of the others behind.
  const blocks = files.flatMap(readBlocks)
  const added: Added[] = []
  for (const block of blocks) {
    added.push(await addToTrustStore(store, block, { hardware: options.hardware, at: new Date() }))
  }
  const lines = added.flatMap(({ change, kind, name, file, warnings }) => [
    `${CHANGES[change]} ${kind} ${name}`,
    `  ${file}`,
    ...warnings.map((warning) => `  warning: ${warning}`),
  ])
  output.result({ ok: true, store, hardware: options.hardware, added }, lines.join('\n'))
}

/** What became of each, in words. */
const CHANGES = { added: 'added', marked: 'marked as hardware:', none: 'there already:' } as const

function listStore(options: TrustOptions): void {
  const output = new Output(options.json === true)
  const store = storeOf(options)
  const hardware = hardwareRootsOf(store)
  const certificates = readTrustStore(store).map((der) => {
    const { subject, subjectName, issuerName, fingerprint, notAfter } = parseCertificate(der)
    const kind = subjectName === issuerName ? 'root' : 'intermediate'
    return { kind, subject, fingerprint, notAfter: notAfter.toISOString(), hardware: hardware.has(fingerprint) }
  })
  const lists = readRevocationStore(store).lists.map(({ list }) => ({
    issuer: list.issuer,
    fingerprint: list.fingerprint,
    number: list.number,
    thisUpdate: list.thisUpdate.toISOString(),
    nextUpdate: list.nextUpdate.toISOString(),
    revoked: list.revoked.size,
  }))
  const rows = [
    ...certificates.map(({ kind, subject, notAfter, hardware: of }) => [
      of ? `${kind}, hardware` : kind,
      `until ${notAfter.slice(0, 10)}`,
      subject,
    ]),
    ...lists.map(({ issuer, number, nextUpdate }) => [`list ${number}`, `until ${nextUpdate.slice(0, 10)}`, issuer]),
  ]
  output.result({ ok: true, store, certificates, lists }, table(rows))
}

interface CheckOptions extends TrustOptions {
  readonly at?: bigint
  readonly ekPublic?: string
  readonly requireLists: boolean
}

async function checkCertificate(path: string, options: CheckOptions): Promise<void> {
  const output = new Output(options.json === true)
  const store = storeOf(options)
  const [ekCertificate, ...intermediates] = readBlocks(path)
    .filter(({ kind }) => kind === 'certificate')
    .map(({ der }) => der)
  if (ekCertificate === undefined) throw new UsageError('FILE_UNREADABLE', `${path} holds no certificate`)
  const at = options.at === undefined ? new Date() : new Date(Number(options.at) * 1000)
  const claim = { ...storedTrust(store, options.requireLists), ekCertificate, intermediates, at }
  const checked =
    options.ekPublic === undefined
      ? await verifyEkCertificate(claim)
      : await verifyEndorsement({ ...claim, ekPublic: readEkPublic(options.ekPublic) })
  const revocation = checked.revocation.map((one) => ({ ...one, list: one.list ?? null }))
  output.result({ ok: true, at: at.toISOString(), ...checked, revocation }, checkedText(checked))
}

function checkedText(checked: EndorsedCertificate): string {
  const { subject, root, assurance, tpm, revocation, findings } = checked
  const { vendor, vendorId, model = '', firmware } = tpm ?? {}
  const version = firmware === undefined ? '' : `firmware ${firmware.major}.${firmware.minor}`
  return [
    `certificate ${subject}`,
    `root        ${root}`,
    `assurance   ${assurance}`,
    `TPM         ${[vendor ?? vendorId ?? 'not named', model, version].filter((word) => word !== '').join(', ')}`,
    ...('hostId' in checked ? [`host        ${String(checked.hostId)}`] : []),
    ...revocation.map(({ status, subject: of }) => `revocation  ${status}: ${of}`),
    ...findings.map(({ code, detail }) => `finding     ${code}\n            ${detail}`),
  ].join('\n')
}

/** The blocks of a PEM file, or of one in DER: a certificate or, where it is none, a revocation list. */
function readBlocks(path: string): readonly PemBlock[] {
  const bytes = readBytes(path)
  if (bytes[0] !== 0x30) return readPem(bytes.toString('latin1'), path)
  const der = Uint8Array.from(bytes)
  try {
    parseCertificate(der)
    return [{ kind: 'certificate', der }]
  } catch {
    return [{ kind: 'revocation-list', der }]
  }
}

/** A TPM2B_PUBLIC has its length in front; no TPMT_PUBLIC begins with its own. */
function readEkPublic(path: string): Uint8Array {
  const bytes = Uint8Array.from(readBytes(path))
  const length = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)
  return length === bytes.length - 2 ? bytes.subarray(2) : bytes
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(resolve(path))
  } catch (cause) {
    throw new UsageError('FILE_UNREADABLE', `cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
}
