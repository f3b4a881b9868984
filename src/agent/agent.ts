import { equal, fromHex, type Hex } from '../core/bytes.ts'
import { vmmHash } from '../evidence/vmm-hash.ts'
import type { Hsm } from '../hsm/hsm.ts'
import { readDeployment } from '../ledger/deployment.ts'
import { Ledger } from '../ledger/ledger.ts'
import type { Host } from '../ledger/state.ts'
import { sha256 } from '../record/hash.ts'
import type { ReceiptGroup } from '../record/receipt.ts'
import { primaryQualifiedName } from '../tcg/name.ts'
import { Tpm } from '../tpm/tpm.ts'
import { watchVmm } from '../vmm/watch.ts'
import { Api } from './api.ts'
import { Batcher } from './batcher.ts'
import type { AgentConfig } from './config.ts'
import { checkCounter } from './counter.ts'
import { Engine, recordInterrupted } from './engine.ts'
import { AgentError, type JournalError } from './error.ts'
import { Gate } from './gate.ts'
import { Journal } from './journal.ts'
import { jsonLog, type Log } from './log.ts'
import { openHsm } from './open-hsm.ts'
import { pinnedTpm, type PinnedTpm } from './pinned-tpm.ts'
import { profileOf } from './propose.ts'
import { ReceiptSigner } from './receipt-signer.ts'
import { readinessOf, statusOf, type StatusParts } from './status.ts'

/** A running agent. */
export interface Agent {
  readonly hostId: Hex
  readonly ledgerAddress: Hex
  /** Resolves where journal and ledger contradict each other: nothing is committed any more, and the agent should end. */
  readonly failed: Promise<JournalError>
  /** Lets operations that are under way end, and stops everything that was started. */
  close(): Promise<void>
}

/** How long operations that are under way at the end may wait for the ledger. */
const CLOSE_GRACE_MS = 5000

/**
 * Starts the agent: measures the VMM, checks ledger, host, devices and journal against each other, and serves the API.
 *
 * A VMM that is not authorised does not keep it from starting: operations are denied then, and their denial is on record. One
 * that is not approved keeps a sealed PIN, and so the HSM, from opening.
 *
 * @throws AgentError, JournalError; what ledger, TPM, HSM and VMM throw. Nothing is left running then.
 */
export async function runAgent(config: AgentConfig, log: Log = stderrLog): Promise<Agent> {
  await using started = new AsyncDisposableStack()
  const { tpm: tpmConfig, vmm, api } = config
  const deployment = await readDeployment(config.ledger.deployment)
  const ledger = await Ledger.connect(config.ledger.rpc, deployment, config.ledger.timeoutMs)
  started.defer(() => ledger.close())
  const tpm = new Tpm(tpmConfig)
  started.defer(() => tpm.close())
  const { hostId, host } = await identify(tpm, ledger)
  const pinned = pinnedTpm(tpm, { hostId: fromHex(hostId, 32), akQualifiedName: fromHex(host.akQualifiedName, 32) })
  // Before the HSM: a sealed PIN opens by what the PCRs say, which must be what the files are now.
  const profile = profileOf(config)
  const watch = await watchVmm(pinned, profile, vmm.log, ({ kind, name }) => log('warn', 'vmm.changed', { kind, name }))
  started.defer(() => watch.close())
  const hsm = openHsm(config, deployment)
  started.defer(() => hsm.close())
  const ledgerAddress = await enrolledAddress(hsm, hostId, host)

  const { address: auditLog } = deployment.contracts.auditLog
  const journal = Journal.open(config.state, { hostId, chainId: deployment.chainId, auditLog })
  started.defer(() => journal.close())
  const signTransaction = (unsigned: Hex) => hsm.sign({ kind: 'transaction', unsigned })
  const signer = { address: ledgerAddress, signTransaction }
  const batcher = new Batcher({ hostId, selection: vmm.selection, tpm: pinned, ledger, signer, journal }, log)
  await checkCounter(journal, pinned)
  await batcher.reconcile()

  const measureBy = (of: Pick<PinnedTpm, 'readPcrs'>) => async () => {
    await watch.verifyComponents()
    return vmmHash(vmm.selection, await of.readPcrs(vmm.selection))
  }
  // Before and after each operation, where a quote would take too long: its record is proven by the quote of its batch.
  const measure = measureBy(tpm)
  const measured = await measureBy(pinned)()

  const interrupted = recordInterrupted(journal, now())
  batcher.start()
  started.defer(() => batcher.close())

  const domain = ledger.domain('auditLog')
  const signGroup = (group: ReceiptGroup) => hsm.sign({ kind: 'receipt', group })
  const receipts = new ReceiptSigner({ signGroup, includeWithinBlocks: config.ledger.includeWithinBlocks })
  const { maxInputBytes, release, releaseTimeoutMs } = api
  const { stalenessS } = config.ledger
  const parts = { measure, hsm, ledger, journal, receipts, batcher, log, stalenessS, releaseTimeoutMs, now }
  const engine = new Engine({ hostId, domain, maxInputBytes }, parts)

  const mode = api.allowedUids.length === 0 ? 0o600 : 0o666
  const gate = new Gate(api.socket, mode, (socket, peer) => server.accept(socket, peer), log)
  const status: StatusParts = {
    ...{ hostId, ledgerAddress, profile, release, measure, tpm, hsm, ledger, journal, batcher },
    gate,
  }
  const server = new Api({
    ...{ engine, maxInputBytes, release, log },
    status: () => statusOf(status),
    readiness: () => readinessOf(status),
    allowedUids: new Set([0, process.getuid?.() ?? 0, ...api.allowedUids]),
  })
  started.defer(() => server.close())
  started.defer(() => drain(engine, batcher))
  started.defer(() => gate.close())
  await gate.open()

  log('info', 'agent.started', { hostId, ledgerAddress, vmmHash: measured, interrupted, pid: process.pid })
  const running = started.move()
  return {
    hostId,
    ledgerAddress,
    failed: batcher.failed,
    close: async () => {
      await running.disposeAsync()
      log('info', 'agent.stopped')
    },
  }
}

/** Finds out which host this is, and that the ledger knows it with this very TPM. @throws AgentError */
async function identify(tpm: Tpm, ledger: Ledger): Promise<{ readonly hostId: Hex; readonly host: Host }> {
  const ek = await tpm.endorsementKey()
  const ak = await tpm.attestationKey()
  const hostId = sha256(ek.public)
  const host = await ledger.host(hostId)
  if (host.status === 'None') {
    throw new AgentError('HOST_NOT_ENROLLED', `the ledger does not know the host ${hostId}: enrol it first`)
  }
  // The qualified name's digest covers the whole public area, so it is the one thing to compare.
  if (!equal(fromHex(host.akQualifiedName, 32), primaryQualifiedName(ak.public).subarray(2))) {
    throw new AgentError('HOST_AK_MISMATCH', `the host ${hostId} is enrolled with another attestation key`)
  }
  return { hostId, host }
}

/** The address that the HSM signs for, which must be the host's on the ledger. @throws AgentError */
async function enrolledAddress(hsm: Hsm, hostId: Hex, { ledgerAddress }: Host): Promise<Hex> {
  const { address } = await hsm.ledgerKey()
  if (ledgerAddress.toLowerCase() === address) return address
  throw new AgentError(
    'HOST_ADDRESS_MISMATCH',
    `the host ${hostId} is enrolled with the ledger address ${ledgerAddress}, the HSM has ${address}`,
  )
}

/** Waits for operations under way; past the grace nobody waits for the ledger any more. */
async function drain(engine: Engine, batcher: Batcher): Promise<void> {
  const timer = setTimeout(() => batcher.giveUpWaiting(), CLOSE_GRACE_MS)
  await engine.close()
  clearTimeout(timer)
}

function now(): bigint {
  return BigInt(Math.floor(Date.now() / 1000))
}

const stderrLog = jsonLog((line) => process.stderr.write(line))
