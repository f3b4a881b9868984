import type { Hex } from '../core/bytes.ts'
import type { DeviceState } from '../device/device.ts'
import type { Hsm } from '../hsm/hsm.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Tpm } from '../tpm/tpm.ts'
import type { VmmProfile } from '../vmm/profile.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { Batcher, BatcherState } from './batcher.ts'
import type { Release } from './config.ts'
import type { Gate } from './gate.ts'
import type { Journal } from './journal.ts'

/** What the agent says of itself. What cannot be found out at the moment is null. */
export interface Status {
  readonly hostId: Hex
  readonly ledgerAddress: Hex
  readonly hostStatus: string | null
  readonly vmmHash: Hex | null
  readonly vmmAuthorised: boolean | null
  readonly profile: { readonly name: string; readonly note: string | null }
  readonly secureMemory: { readonly kind: string; readonly detail: string } | null
  /** The sequence number of the next record. */
  readonly nextSeq: bigint
  /** How many operations have begun and not ended. */
  readonly underWay: number
  /** How many records are not known to be on the ledger. */
  readonly pending: bigint
  readonly batches: BatcherState
  readonly devices: Readonly<
    Record<'tpm' | 'hsm' | 'gate', { readonly state: DeviceState; readonly pid: number | null }>
  >
  readonly ledger: { readonly chainId: bigint; readonly block: bigint | null }
  readonly release: Release
  readonly pid: number
  readonly version: string
}

/** Whether operations can be carried out, and what is missing where not. */
export interface Readiness {
  readonly ready: boolean
  readonly missing: readonly string[]
}

/** What status and readiness are found out from. */
export interface StatusParts {
  readonly hostId: Hex
  readonly ledgerAddress: Hex
  readonly profile: VmmProfile
  readonly release: Release
  readonly measure: () => Promise<Hex>
  readonly tpm: Tpm
  readonly hsm: Hsm
  readonly ledger: Ledger
  readonly journal: Journal
  readonly batcher: Batcher
  readonly gate: Gate
}

/** Asks every part; one that does not answer, or not in a second, leaves a null. */
export async function statusOf(parts: StatusParts): Promise<Status> {
  const { hostId, ledgerAddress, profile, release, tpm, hsm, ledger, journal, batcher } = parts
  const [vmmHash, secureMemory, block, host] = await Promise.all([
    orNull(parts.measure()),
    orNull(hsm.secureMemory()),
    orNull(ledger.latestBlock()),
    orNull(ledger.host(hostId)),
  ])
  const gatePid = parts.gate.pid
  return {
    hostId,
    ledgerAddress,
    hostStatus: host?.status ?? null,
    vmmHash,
    vmmAuthorised: vmmHash === null ? null : await orNull(ledger.isAuthorised(vmmHash)),
    profile: { name: profile.name, note: profile.note ?? null },
    secureMemory,
    nextSeq: journal.nextSeq,
    underWay: journal.openIntents().length,
    pending: journal.nextSeq - journal.confirmedSeq(),
    batches: batcher.state,
    devices: {
      tpm: { state: tpm.state, pid: tpm.pid ?? null },
      hsm: { state: hsm.state, pid: hsm.pid ?? null },
      gate: { state: gatePid === undefined ? 'backing-off' : 'ready', pid: gatePid ?? null },
    },
    ledger: { chainId: ledger.deployment.chainId, block: block?.number ?? null },
    release,
    pid: process.pid,
    version: packageJson.version,
  }
}

/** Ready is: TPM, HSM and ledger answer, the host is active there, and records get onto it. */
export async function readinessOf(parts: StatusParts): Promise<Readiness> {
  const [vmmHash, secureMemory, host] = await Promise.all([
    orNull(parts.measure()),
    orNull(parts.hsm.secureMemory()),
    orNull(parts.ledger.host(parts.hostId)),
  ])
  const { failure } = parts.batcher
  const missing = [
    vmmHash === null ? 'tpm: gives no measurement' : undefined,
    secureMemory === null ? 'hsm: does not answer' : undefined,
    host === null ? 'ledger: does not answer' : undefined,
    host !== null && host.status !== 'Active' ? `host: ${host.status}` : undefined,
    failure === undefined ? undefined : `journal: ${failure.code}`,
  ].filter((what) => what !== undefined)
  return { ready: missing.length === 0, missing }
}

/** How long a part may take to say how it is. */
const ANSWER_MS = 1000

async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(() => resolve(null), ANSWER_MS)
  try {
    return await Promise.race([answer, late])
  } catch {
    return null
  } finally {
    clearTimeout(timer)
  }
}
