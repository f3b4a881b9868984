import { readFile } from 'node:fs/promises'
import { equal } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { pcrDigest } from '../evidence/vmm-hash.ts'
import { decodeTpmsQuote } from '../tcg/tpms-attest.ts'
import type { PcrValues } from '../tcg/bank.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { TpmError } from '../tpm/error.ts'
import type { Tpm } from '../tpm/tpm.ts'
import { CollectError } from './collect-error.ts'

/** Where a host's logs are. */
export interface LogPaths {
  readonly eventLog: string
  readonly imaLog: string
  /** Left out where nobody says that the VMM is measured. */
  readonly vmmLog?: string
}

/** Where Linux gives the logs that firmware and IMA wrote (with securityfs mounted). */
export const KERNEL_LOGS = {
  eventLog: '/sys/kernel/security/tpm0/binary_bios_measurements',
  imaLog: '/sys/kernel/security/ima/binary_runtime_measurements',
} as const

/** How often everything is read again where PCRs move meanwhile. */
const ATTEMPTS = 5
/** IMA may extend its PCR at any time; its log is then longer than the quote, and still leads to it. */
const IMA_PCR = 10

/**
 * Collects evidence of this host: a quote over the nonce, the values that were quoted, EK and certificate with
 * what the TPM holds of its chain, and the logs that there are.
 *
 * @param nonce the appraiser's, at most 64 bytes
 * @throws CollectError `PCR_MOVED`, `LOG_UNREADABLE`; TpmError, DeviceError
 */
export async function collectEvidence(options: {
  readonly tpm: Pick<Tpm, 'endorsementKey' | 'readPcrs' | 'quote'>
  readonly selection: PcrSelection
  readonly nonce: Uint8Array
  readonly logs: LogPaths
}): Promise<Evidence> {
  const { tpm, selection, nonce, logs } = options
  const endorsement = await endorsementOf(tpm)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const values = await tpm.readPcrs(selection)
    const quote = await tpm.quote(selection, nonce)
    if (!equal(decodeTpmsQuote(quote.attest).pcrDigest, pcrDigest(selection, values))) continue
    const [eventLog, imaLog, vmmLog] = await Promise.all([
      readLog(logs.eventLog),
      readLog(logs.imaLog),
      logs.vmmLog === undefined ? undefined : readLog(logs.vmmLog),
    ])
    if (!isSame(values, await tpm.readPcrs(selection))) continue
    return {
      quote,
      ...(endorsement === undefined ? {} : { endorsement }),
      pcrs: new Map([[selection.bank, values]]),
      ...(eventLog === undefined ? {} : { eventLog }),
      ...(imaLog === undefined ? {} : { imaLog }),
      ...(vmmLog === undefined ? {} : { vmmLog }),
    }
  }
  throw new CollectError('PCR_MOVED', `the PCRs changed during each of ${ATTEMPTS} attempts to quote them`)
}

/** EK, certificate and what stands above it; undefined where the TPM has no certificate: a policy may do without. */
async function endorsementOf(tpm: Pick<Tpm, 'endorsementKey'>): Promise<Evidence['endorsement']> {
  try {
    const { public: ekPublic, certificate, intermediates } = await tpm.endorsementKey()
    return { ekPublic, ekCertificate: certificate, intermediates }
  } catch (error) {
    if (error instanceof TpmError && error.code === 'EK_CERTIFICATE_MISSING') return undefined
    throw error
  }
}

function isSame(before: PcrValues, after: PcrValues): boolean {
  return [...before].every(([pcr, value]) => pcr === IMA_PCR || equal(value, after.get(pcr) ?? new Uint8Array()))
}

/** Undefined where there is none. */
async function readLog(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new CollectError('LOG_UNREADABLE', `cannot read the log ${path}: ${messageOf(cause)}`, { cause })
  }
}
