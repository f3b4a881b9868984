import { appraiseProposal, type AppraisedProposal } from '../auditor/appraise-proposal.ts'
import { equal, toHex, type Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { approveVmm, signVmmApproval } from '../ledger/approve.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { pendingApprovals, type PendingApproval } from '../ledger/pending-approvals.ts'
import { NO_END } from '../ledger/state.ts'
import { sha256 } from '../record/hash.ts'
import { parseSignedApproval, signedApprovalJson, type SignedVmmApproval } from '../record/signed-approval.ts'
import type { PcrValues } from '../tcg/bank.ts'
import { decodeCanonicalLog } from '../tcg/canonical-event-log.ts'
import { replayEventLog } from '../tcg/event-log-replay.ts'
import { parseEventLog } from '../tcg/event-log.ts'
import { parsePcrFile } from '../tcg/pcr-file.ts'
import { readInput, signerOf, usingLedger, type PlaceOptions } from './context.ts'
import { AppraisalError, UsageError } from './error.ts'
import { moment, utc } from './options.ts'
import { Output, table } from './output.ts'
import { readSigned, writeSigned } from './signed-file.ts'

/** What `attestry vmm approve` is told. */
export interface ApproveOptions extends PlaceOptions {
  readonly log?: string
  readonly pcrs?: string
  readonly eventlog?: string
  readonly validUntil?: bigint
  readonly signOnly?: string
  readonly deadline?: bigint
  readonly approval?: readonly string[]
}

/** `attestry vmm approve`: appraises where a log is at hand, then enters an approval, or signs one for others to enter. */
export async function approveProposed(vmmHash: Hex, options: ApproveOptions): Promise<void> {
  const output = new Output(options.json === true)
  const signer = await signerOf(options)
  const log = options.log === undefined ? undefined : readLog(options.log)
  const references = referencesOf(options)
  if (options.signOnly !== undefined && options.approval !== undefined) {
    throw new UsageError('USAGE', '--sign-only makes an approval and --approval enters them: one or the other')
  }
  await usingLedger(options, async (ledger) => {
    const checked = log === undefined ? undefined : sha256(log)
    const signed = await approvalsIn(ledger, vmmHash, options)
    const validUntil = options.validUntil ?? signed[0]?.approval.validUntil ?? NO_END
    const claims = log === undefined ? {} : { claims: await appraised(output, ledger, vmmHash, log, references) }
    if (options.signOnly !== undefined) {
      const deadline = options.deadline ?? moment('+7d')
      const approval = await signVmmApproval(ledger, signer, vmmHash, validUntil, deadline, checked)
      await writeSigned(options.signOnly, signedApprovalJson(approval))
      output.result(
        { ok: true, vmmHash, validUntil, deadline, file: options.signOnly, ...claims },
        signedText(approval, options.signOnly),
      )
      return
    }
    const done = await output.progress('approving', () =>
      approveVmm(ledger, signer, vmmHash, validUntil, checked, signed),
    )
    const pending = (await pendingApprovals(ledger)).filter((one) => one.vmmHash === vmmHash)
    const { status, approvals, threshold } = done
    const count = `${approvals} of ${threshold} approvals for ${validityText(validUntil)}`
    output.result(
      { ok: true, vmmHash, status, approvals, threshold, validUntil, pending, ...claims },
      [`${vmmHash} is ${status}`, ...(pending.length === 0 ? [`  ${count}`] : pendingText(pending))].join('\n'),
    )
  })
}

/** For each decision that waits: how many approvals it has, and the command that adds one. */
export function pendingText(pending: readonly PendingApproval[]): readonly string[] {
  return pending.flatMap(({ vmmHash, validUntil, approvers, threshold }) => [
    `  waiting  ${approvers.length} of ${threshold} approvals for ${validityText(validUntil)}`,
    `  next     attestry vmm approve${validUntil === NO_END ? '' : ` --valid-until ${utc(validUntil)}`} --as NAME \\`,
    `             ${vmmHash}`,
  ])
}

/** A validity in words. */
export function validityText(validUntil: bigint): string {
  return validUntil === NO_END ? 'validity without end' : `validity until ${utc(validUntil)}`
}

function signedText({ approval, approver, deadline }: SignedVmmApproval, file: string): string {
  return [
    `${approver} approves`,
    `${approval.vmmHash}, epoch ${approval.epoch},`,
    `with ${validityText(approval.validUntil)}: signed, and not entered`,
    `whoever has the file can enter it until ${utc(deadline)}:`,
    `  attestry vmm approve ${approval.vmmHash.slice(0, 10)}… --as NAME --approval ${file}`,
  ].join('\n')
}

/** Those in the files that `--approval` names: all of one decision, which is this VMM's present one. @throws UsageError */
async function approvalsIn(
  ledger: Ledger,
  vmmHash: Hex,
  options: ApproveOptions,
): Promise<readonly SignedVmmApproval[]> {
  const files = options.approval ?? []
  const signed = files.map((file) => readSigned(file, parseSignedApproval, ledger.domain('vmmRegistry')))
  if (signed.length === 0) return signed
  const [{ epoch }, { term }] = [await ledger.vmm(vmmHash), await ledger.approvers()]
  const validUntil = options.validUntil ?? signed[0]?.approval.validUntil ?? NO_END
  for (const [i, { approval }] of signed.entries()) {
    const differs = (found: string, expected: string): UsageError =>
      new UsageError('USAGE', `${files[i] ?? ''}: approves ${found}; expected ${expected}`)
    if (approval.vmmHash !== vmmHash) throw differs(approval.vmmHash, vmmHash)
    if (approval.validUntil !== validUntil) throw differs(validityText(approval.validUntil), validityText(validUntil))
    if (approval.epoch !== epoch) throw differs(`epoch ${approval.epoch} of the VMM`, `the present one, ${epoch}`)
    if (approval.term !== term) throw differs(`in term ${approval.term} of the approvers`, `the present one, ${term}`)
  }
  return signed
}

function readLog(path: string): Uint8Array {
  const bytes = readInput(path)
  try {
    decodeCanonicalLog(bytes)
    return bytes
  } catch (cause) {
    throw new UsageError('FILE_UNREADABLE', `${path} is no event log of a host: ${messageOf(cause)}`, { cause })
  }
}

/** The values of the PCRs that the VMM's log says nothing of: as read, replayed from the firmware's log, or both alike. */
function referencesOf({ log, pcrs, eventlog }: ApproveOptions): PcrValues {
  if (log === undefined && (pcrs ?? eventlog) !== undefined) {
    throw new UsageError('USAGE', '--pcrs and --eventlog go with --log')
  }
  const read = pcrs === undefined ? new Map<number, Uint8Array>() : parsePcrFile(readInput(pcrs)).get('sha256')
  const replayed =
    eventlog === undefined
      ? new Map<number, Uint8Array>()
      : replayEventLog(parseEventLog(readInput(eventlog)), 'sha256')
  for (const [pcr, value] of replayed) {
    const other = read?.get(pcr)
    if (other === undefined || equal(other, value)) continue
    const found = `${toHex(other)} in ${pcrs ?? ''}`
    throw new UsageError(
      'USAGE',
      `PCR ${pcr}: expected ${toHex(value)} as ${eventlog ?? ''} replays it, found ${found}`,
    )
  }
  return new Map([...(read ?? []), ...replayed])
}

/** @throws AppraisalError where a claim does not pass */
async function appraised(
  output: Output,
  ledger: Ledger,
  vmmHash: Hex,
  log: Uint8Array,
  references: PcrValues,
): Promise<AppraisedProposal['claims']> {
  const appraisal = await appraiseProposal(ledger, vmmHash, log, references)
  output.line(`${appraisalText(appraisal)}\n`)
  if (appraisal.ok) return appraisal.claims
  const failed = appraisal.claims.filter(({ status }) => status !== 'pass')
  const names = failed.map(({ name }) => name).join(', ')
  const unexplained = failed.some(({ code }) => code === 'PCR_UNEXPLAINED')
  const hint = unexplained ? '; the other PCRs are explained by --pcrs or --eventlog' : ''
  throw new AppraisalError('CLAIM_FAILED', `not approved: the log does not explain what was proposed (${names})${hint}`)
}

/** What was measured, and each claim with what it was compared with. */
function appraisalText({ claims, log }: AppraisedProposal): string {
  const components = log.map(({ event }) => [
    event.kind,
    event.name,
    event.sha256 === undefined ? '' : toHex(event.sha256).slice(2, 18),
  ])
  return [table(components), '', table(claims.map(({ name, status, found }) => [status, name, found]))].join('\n')
}
