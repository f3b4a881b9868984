import type { Hex } from '../core/bytes.ts'
import { Pkcs11Error } from '../hsm/error.ts'
import type { Hsm, SecureRegion } from '../hsm/hsm.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { REASONS, reasonOf } from '../record/reason.ts'
import type { OperationRecord } from '../record/record.ts'
import { checkAccess, type Access } from './access.ts'
import type { Admitted } from './admission.ts'
import type { Release } from './config.ts'
import { deliver, refusalOnRecord, type Answer, type DeliveryParts } from './delivery.ts'
import type { Intent } from './journal-entry.ts'
import type { Journal } from './journal.ts'
import { errorFields, type Log } from './log.ts'
import { Refusal } from './refusal.ts'
import type { Trace } from './trace.ts'

/** What operations are carried out with. */
export interface OperationParts extends DeliveryParts {
  /** The vmmHash of what runs on this host now. Where it throws, the host cannot be trusted. */
  readonly measure: () => Promise<Hex>
  readonly hsm: Hsm
  readonly ledger: Ledger
  readonly journal: Journal
  readonly stalenessS: number
  /** Seconds since the epoch. */
  readonly now: () => bigint
  /** Told where an operation's end could not be put on disk. */
  readonly onOrphan: (intent: Intent) => void
}

/**
 * Steps 2 to 10 of an operation. Before the intent is on disk nothing is kept, whatever happens; after it there is exactly
 * one record, whatever happens. The input is wiped, and the secure region closed, before this returns or throws.
 *
 * PCRs are read before the access check, since the ledger is asked about that very measurement.
 *
 * @throws Refusal
 */
export async function runOperation(
  parts: OperationParts,
  admitted: Admitted,
  input: Uint8Array,
  release: Release,
  trace: Trace,
): Promise<Answer> {
  let region: SecureRegion | undefined
  try {
    const measured = await trace.time('measure', () => measuredNow(parts.measure))
    const access = await trace.time('access', () => checkAccess(parts, admitted, measured))
    noteAccess(trace, access, measured)
    const intent = intentOf(admitted, access, measured)
    if (access.status !== REASONS.DONE) {
      const record = await trace.time('record', () => onDisk(() => parts.journal.deny(intent, access.status)))
      if (record === undefined) throw replayed()
      throw await refusalOnRecord(parts, admitted, record, release, trace)
    }
    if (!onDisk(() => parts.journal.intend(intent))) throw replayed()
    const outcome = await execute(parts, admitted, input, measured, trace, (opened) => (region = opened))
    const record = await trace.time('record', () => putOnRecord(parts, intent, outcome))
    if (outcome.status !== REASONS.DONE) throw await refusalOnRecord(parts, admitted, record, release, trace)
    return await deliver(parts, admitted, record, region, release, trace)
  } finally {
    input.fill(0)
    await close(region, parts.log)
  }
}

interface Executed {
  readonly status: number
  readonly resultHash: Hex
}

/** Steps 4 to 6. Whatever goes wrong is an outcome: there is an intent, so there will be a record. */
async function execute(
  { hsm, log, measure }: OperationParts,
  { operation, request, salt, requestHash }: Admitted,
  input: Uint8Array,
  measured: Hex,
  trace: Trace,
  opened: (region: SecureRegion) => void,
): Promise<Executed> {
  try {
    const region = await trace.time('secure-mode', () => hsm.openRegion(input))
    opened(region)
    input.fill(0)
    const resultHash = await trace.time('execute', async () => {
      await region[operation](request.dataId)
      return region.resultHash(salt)
    })
    const again = await trace.time('measure-again', measure)
    if (again === measured) return { status: REASONS.DONE, resultHash }
    trace.note('measure-again', false, `now ${again}`)
    return { status: REASONS.VMM_CHANGED, resultHash: ZERO_HASH }
  } catch (error) {
    log('warn', 'operation.failed', { requestHash, ...errorFields(error) })
    return {
      status: blamesInput(operation, error) ? REASONS.OPERATION_FAILED : REASONS.DEVICE_FAILED,
      resultHash: ZERO_HASH,
    }
  }
}

/** A ciphertext that names a key version which the HSM does not have is as wrong as one that is not authentic. */
function blamesInput(operation: Admitted['operation'], error: unknown): boolean {
  if (!(error instanceof Pkcs11Error)) return false
  return error.code === 'CIPHERTEXT_INVALID' || (operation === 'decrypt' && error.code === 'KEY_NOT_FOUND')
}

/** @throws Refusal DEVICE_UNAVAILABLE */
async function measuredNow(measure: () => Promise<Hex>): Promise<Hex> {
  try {
    return await measure()
  } catch (cause) {
    throw new Refusal('DEVICE_UNAVAILABLE', 'the VMM cannot be measured', { cause })
  }
}

function noteAccess(trace: Trace, { status, block }: Access, measured: Hex): void {
  const allowed = status === REASONS.DONE
  const vmm = status === REASONS.VMM_NOT_AUTHORISED ? 'not authorised' : 'read before access, which needs it'
  trace.note('measure', status !== REASONS.VMM_NOT_AUTHORISED, `${measured}, ${vmm}`)
  trace.note('access', allowed, `${reasonOf(status) ?? String(status)} at block ${block.toString()}`)
}

function intentOf(admitted: Admitted, { block, timestamp }: Access, measured: Hex): Intent {
  const { requestHash, request, signature, requester } = admitted
  return { requestHash, request, signature, requester, vmmHash: measured, policyBlock: block, timestamp }
}

/** Step 7. Where the disk refuses, the operation's end is put on record later, as INTERRUPTED: nothing was released. */
function putOnRecord(parts: OperationParts, intent: Intent, outcome: Executed): OperationRecord {
  try {
    return onDisk(() => parts.journal.record(intent, { ...outcome, timestamp: intent.timestamp }))
  } catch (error) {
    parts.onOrphan(intent)
    throw error
  }
}

/** Reads or writes the journal. @throws Refusal JOURNAL_UNAVAILABLE */
export function onDisk<T>(write: () => T): T {
  try {
    return write()
  } catch (cause) {
    throw new Refusal('JOURNAL_UNAVAILABLE', 'the journal cannot be used', { cause })
  }
}

export function replayed(): Refusal {
  return new Refusal('REQUEST_REPLAYED', 'this request was made before; sign a new one')
}

async function close(region: SecureRegion | undefined, log: Log): Promise<void> {
  try {
    await region?.close()
  } catch (error) {
    // The process that held the pages is gone, and they with it.
    log('warn', 'region.lost', errorFields(error))
  }
}
