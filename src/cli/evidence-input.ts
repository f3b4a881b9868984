import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { readPem } from '../auditor/pem.ts'
import { concat, fromHex } from '../core/bytes.ts'
import { DER } from '../evidence/der.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { decodeEvidence, MAX_EVIDENCE_FILE } from '../evidence/evidence-file.ts'
import { parsePcrFile } from '../tcg/pcr-file.ts'
import { decodeSignature } from '../tcg/signature.ts'
import { readInput } from './context.ts'
import { UsageError } from './error.ts'

/** Evidence as the caller names it: one file of `evidence collect`, or the files that other tools write. */
export interface EvidenceFiles {
  readonly attest?: string
  readonly signature?: string
  readonly public?: string
  readonly ek?: string
  readonly ekCertificate?: string
  readonly ekIntermediates?: string
  readonly pcrs?: string
  readonly eventlog?: string
  readonly ima?: string
  readonly vmmLog?: string
}

/** The options that name separate files. */
export function withEvidenceFiles(command: Command): Command {
  return command
    .argument('[file]', 'a file that "attestry evidence collect" wrote; or name the parts:')
    .option('--attest <file>', 'the quote (TPMS_ATTEST; tpm2_quote -m)')
    .option('--signature <file>', 'its signature (TPMT_SIGNATURE; tpm2_quote -s)')
    .option('--public <file>', "the attestation key's public area (TPM2B_PUBLIC; tpm2_readpublic -o)")
    .option('--ek <file>', "the EK's public area (TPM2B_PUBLIC)")
    .option('--ek-certificate <file>', "the EK's certificate (DER)")
    .option('--ek-intermediates <file>', 'certificates between it and its root, that came with it (PEM, or one in DER)')
    .option('--pcrs <file>', 'PCR values (tpm2_pcrread, tpm2_quote -o, sysfs, or attestry pcrs --json)')
    .option('--eventlog <file>', "the firmware's event log (binary_bios_measurements)")
    .option('--ima <file>', "IMA's log (binary_runtime_measurements, or ascii)")
    .option('--vmm-log <file>', "the VMM's canonical event log")
}

/**
 * Reads evidence.
 *
 * @throws UsageError `USAGE`, `FILE_UNREADABLE`; AuditError; EvidenceError `EVIDENCE_MALFORMED`; TcgError, PcrFileError
 */
export function readEvidence(file: string | undefined, parts: EvidenceFiles): Evidence {
  const { attest, signature, public: akPublic } = parts
  if (file !== undefined) {
    const named = Object.entries(parts).find(([key, value]) => key in PARTS && value !== undefined)
    if (named !== undefined) throw new UsageError('USAGE', `${file} is whole evidence: leave out --${named[0]}`)
    const bytes = readInput(file)
    if (bytes.length > MAX_EVIDENCE_FILE) throw new UsageError('FILE_UNREADABLE', `${file} is too large`)
    return decodeEvidence(new TextDecoder().decode(bytes))
  }
  if (attest === undefined || signature === undefined || akPublic === undefined) {
    throw new UsageError('USAGE', 'name a file of evidence, or --attest, --signature and --public')
  }
  const { ek, ekCertificate, ekIntermediates, pcrs, eventlog, ima, vmmLog } = parts
  for (const [option, path] of Object.entries({
    'ek-certificate': ekCertificate,
    'ek-intermediates': ekIntermediates,
  })) {
    if (ek === undefined && path !== undefined) throw new UsageError('USAGE', `--${option} is looked at only with --ek`)
  }
  const certificate = {
    ...(ekCertificate === undefined ? {} : { ekCertificate: readInput(ekCertificate) }),
    ...(ekIntermediates === undefined ? {} : { intermediates: readCertificates(ekIntermediates) }),
  }
  return {
    quote: {
      akPublic: readPublic(akPublic),
      attest: readInput(attest),
      signature: decodeSignature(readInput(signature)),
    },
    ...(ek === undefined ? {} : { endorsement: { ekPublic: readPublic(ek), ...certificate } }),
    ...(pcrs === undefined ? {} : { pcrs: parsePcrFile(readInput(pcrs)) }),
    ...(eventlog === undefined ? {} : { eventLog: readInput(eventlog) }),
    ...(ima === undefined ? {} : { imaLog: readInput(ima) }),
    ...(vmmLog === undefined ? {} : { vmmLog: readInput(vmmLog) }),
  }
}

/**
 * A nonce: hexadecimal digits, or a file that holds them or the very bytes. 8 to 64 bytes: a shorter one can be guessed, or comes again.
 *
 * @throws UsageError `USAGE`, `FILE_UNREADABLE`
 */
export function readNonce(text: string): Uint8Array {
  const digits = (value: string) =>
    /^(?:0x)?(?:[0-9a-fA-F]{2})+$/.test(value) ? fromHex(`0x${value.replace(/^0x/, '')}`) : undefined
  const given = digits(text)
  const bytes = given ?? (text !== '' && existsSync(resolve(text)) ? readInput(text) : undefined)
  if (bytes === undefined) throw new UsageError('USAGE', '--nonce: expected hexadecimal digits, or a file')
  const nonce = given ?? digits(Buffer.from(bytes).toString('latin1').trim()) ?? bytes
  if (nonce.length < 8 || nonce.length > 64) {
    throw new UsageError('USAGE', `--nonce: expected 8 to 64 bytes, found ${nonce.length}`)
  }
  return concat(nonce)
}

const PARTS: Readonly<Record<keyof EvidenceFiles, true>> = {
  attest: true,
  signature: true,
  public: true,
  ek: true,
  ekCertificate: true,
  ekIntermediates: true,
  pcrs: true,
  eventlog: true,
  ima: true,
  vmmLog: true,
}

/** Certificates of a PEM file, or one in DER. */
function readCertificates(path: string): readonly Uint8Array[] {
  const bytes = readInput(path)
  if (bytes[0] === DER.SEQUENCE) return [bytes]
  return readPem(Buffer.from(bytes).toString('latin1'), path).map(({ kind, der }) => {
    if (kind === 'certificate') return der
    throw new UsageError('FILE_UNREADABLE', `${path}: expected certificates, found a revocation list`)
  })
}

/** A TPMT_PUBLIC, with or without the length that a TPM2B_PUBLIC has in front. */
function readPublic(path: string): Uint8Array {
  const bytes = readInput(path)
  const [high = 0, low = 0] = bytes
  if (bytes.length > 2 && (high << 8) + low === bytes.length - 2) return bytes.subarray(2)
  if (Buffer.from(bytes.subarray(0, 5)).toString('latin1') === '-----') {
    throw new UsageError('FILE_UNREADABLE', `${path}: expected a TPM2B_PUBLIC; PEM does not say what the key may do`)
  }
  return bytes
}
