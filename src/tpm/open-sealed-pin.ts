import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { messageOf } from '../core/error.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import type { ApprovalOutcome } from './open-pin.ts'
import { readPinApproval, type PinApproval } from './pin-approval.ts'
import { PinError, type PinErrorCode } from './pin-error.ts'
import { MAX_PIN_FILE_BYTES } from './pin-file-format.ts'
import { openPinIn, type PinVaultConfig } from './pin-vault.ts'
import { readSealedPin } from './sealed-pin.ts'
import { unextendedText } from './unextended-pcrs.ts'

/** Where a sealed PIN and its approvals lie, and by what the host is measured. */
export interface SealedPinPlace {
  readonly tpm: PinVaultConfig
  readonly selection: PcrSelection
  /** The sealed PIN's file. */
  readonly sealed: string
  /** A directory with approvals, `*.json`. */
  readonly approvals: string
}

/** What became of a file with an approval. */
export interface TriedApproval {
  readonly file: string
  readonly status: 'opens' | 'not tried' | PinErrorCode
  readonly detail: string
}

/** Whether a sealed PIN opens, and under which approval. */
export interface PinReport {
  /** The file of the approval under which it opens; undefined where `refusal` says why it does not. */
  readonly approval: string | undefined
  readonly refusal: PinError | undefined
  readonly present: ReadonlyMap<number, Uint8Array>
  readonly approvals: readonly TriedApproval[]
}

/** So many approvals are tried; a host needs the present one and the next. */
const MAX_APPROVALS = 256

/**
 * Opens a sealed PIN under whichever approval holds now.
 *
 * @param to whoever is to have the PIN: a process of its own writes it to this stream's descriptor. Where it is left out the PIN goes nowhere
 * @throws PinError `SEALED_PIN_INVALID`, `APPROVAL_INVALID` for files that cannot be read, `PIN_OTHER_TPM`, `PIN_DAMAGED`; TpmError,
 * DeviceError
 */
export async function openSealedPin(place: SealedPinPlace, to?: Writable): Promise<PinReport> {
  const { tpm, selection } = place
  const sealed = readSealedPin(await readBounded(place.sealed, 'SEALED_PIN_INVALID'))
  const files = await readApprovals(place)
  const approvals = files.flatMap(({ approval }) => (approval instanceof PinError ? [] : [approval]))
  const { present, outcomes } = await openPinIn(tpm, { sealed, selection, approvals }, to)
  let next = 0
  const tried = files.map(({ file, approval }) =>
    approval instanceof PinError
      ? { file, status: approval.code, detail: approval.message }
      : { file, ...statusOf(outcomes[next++]) },
  )
  const opened = tried.find(({ status }) => status === 'opens')
  return {
    approval: opened?.file,
    refusal: opened === undefined ? refusalOf(tried, place.approvals) : undefined,
    present,
    approvals: tried,
  }
}

/** The same for who needs the PIN, such as an HSM's process. @throws also the report's refusal */
export async function handOverSealedPin(place: SealedPinPlace, to: Writable): Promise<void> {
  const { refusal } = await openSealedPin(place, to)
  if (refusal !== undefined) throw refusal
}

async function readApprovals({
  approvals,
  selection,
}: SealedPinPlace): Promise<readonly { file: string; approval: PinApproval | PinError }[]> {
  const names = await namesIn(approvals)
  return Promise.all(
    names.map(async (name) => {
      const file = join(approvals, name)
      try {
        return { file, approval: readPinApproval(await readBounded(file, 'APPROVAL_INVALID'), selection) }
      } catch (error) {
        if (error instanceof PinError) return { file, approval: error }
        throw error
      }
    }),
  )
}

async function namesIn(directory: string): Promise<readonly string[]> {
  let names: readonly string[]
  try {
    names = (await readdir(directory)).filter((name) => name.endsWith('.json')).sort()
  } catch (cause) {
    const text = `cannot read the directory of approvals ${directory}: ${messageOf(cause)}`
    throw new PinError('APPROVAL_INVALID', text, { cause })
  }
  if (names.length <= MAX_APPROVALS) return names
  throw new PinError(
    'APPROVAL_INVALID',
    `${directory}: expected at most ${MAX_APPROVALS} approvals, found ${names.length}`,
  )
}

async function readBounded(path: string, code: PinErrorCode): Promise<Uint8Array> {
  try {
    // Not blocking: a pipe in its place would otherwise hold the start for ever.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const buffer = new Uint8Array(MAX_PIN_FILE_BYTES + 1)
    if (!(await file.stat()).isFile()) throw new PinError(code, `${path}: expected a file`)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    if (cause instanceof PinError) throw cause
    throw new PinError(code, `cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
}

function statusOf(outcome: ApprovalOutcome | undefined): Omit<TriedApproval, 'file'> {
  switch (outcome?.kind) {
    case 'opens':
      return { status: 'opens', detail: 'approves what the PCRs are now' }
    case 'signature':
      return { status: 'APPROVAL_SIGNATURE', detail: 'not signed by the key under which the PIN was sealed' }
    case 'differ':
      return { status: 'PIN_NOT_APPROVED', detail: `approves other values of PCR ${outcome.pcrs.join(', ')}` }
    case 'unextended':
      return { status: 'PIN_NOT_APPROVED', detail: outcome.pcrs.map(unextendedText).join('; ') }
    case 'not tried':
    case undefined:
      return { status: 'not tried', detail: 'another one opens it' }
  }
}

/** The code of the approval that came nearest, since it says most. */
const NEAREST: readonly TriedApproval['status'][] = [
  'APPROVAL_SIGNATURE',
  'PIN_NOT_APPROVED',
  'APPROVAL_PURPOSE',
  'APPROVAL_SELECTION',
  'APPROVAL_INVALID',
]

function refusalOf(tried: readonly TriedApproval[], directory: string): PinError {
  const [nearest] = tried.toSorted((a, b) => NEAREST.indexOf(a.status) - NEAREST.indexOf(b.status))
  if (nearest === undefined || nearest.status === 'opens' || nearest.status === 'not tried') {
    return new PinError('PIN_NOT_APPROVED', `the PIN stays sealed: no approval (*.json) lies in ${directory}`)
  }
  return new PinError(nearest.status, `the PIN stays sealed: ${nearest.file}: ${nearest.detail}`)
}
