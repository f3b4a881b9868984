import { equal } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { sha256 } from '../tcg/hash.ts'
import { nameOf } from '../tcg/name.ts'
import { encodePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import { approvalMessage, pcrPolicy, selectedDigest } from '../tcg/policy.ts'
import { approverScheme, encodeApproverSignature, POLICY_REF } from './approver-key.ts'
import { OWNER, PASSWORD } from './commands.ts'
import type { Handle, TpmConnection, Wire } from './commands.ts'
import { DEFAULT_EK_ORDER } from './ek-place.ts'
import { withEk, type Ek } from './endorsement-key.ts'
import { keyName } from './name.ts'
import { unwrap, withTransient } from './objects.ts'
import { readPcrs } from './pcr.ts'
import { differingPcrs, type PinApproval } from './pin-approval.ts'
import { PinError } from './pin-error.ts'
import { hasRc, isParameterRefused, RC } from './rc.ts'
import { requireCertifiedEk } from './seal-pin.ts'
import { MAX_PIN_BYTES, type SealedPin } from './sealed-pin.ts'
import { withSecureSession } from './secure-session.ts'
import { withStorageParent } from './storage-parent.ts'
import { unextendedPcrs } from './unextended-pcrs.ts'

/**
 * What became of one approval. `differ`: these PCRs have other values now than it approves; `unextended`: nothing was measured
 * into them, which no approval makes good.
 */
export type ApprovalOutcome =
  | { readonly kind: 'opens' | 'signature' | 'not tried' }
  | { readonly kind: 'differ' | 'unextended'; readonly pcrs: readonly number[] }

/** What the PCRs are now, and what became of each approval, in their order. */
export interface PinOpening {
  readonly present: ReadonlyMap<number, Uint8Array>
  readonly outcomes: readonly ApprovalOutcome[]
}

/**
 * Opens a sealed PIN under the first approval that holds now: PolicyPCR, the TPM's own verification of the signature, PolicyAuthorize,
 * Unseal (TPM 2.0 Part 3). The PIN comes from the TPM encrypted, in a session that is salted to the EK of its certificate.
 *
 * @param take is given the PIN, which is wiped when it returns; it is not called where no approval holds
 * @throws PinError `PIN_OTHER_TPM`, `PIN_DAMAGED`, `PIN_NOT_APPROVED` where a PCR moved meanwhile; TpmError
 */
export function openPin(
  connection: TpmConnection,
  sealed: SealedPin,
  selection: PcrSelection,
  approvals: readonly PinApproval[],
  take: (pin: Uint8Array) => void,
): PinOpening {
  return withEk(connection, DEFAULT_EK_ORDER, (ek) => {
    if (!equal(keyName(ek.public), sealed.ek)) {
      throw new PinError(
        'PIN_OTHER_TPM',
        'expected the TPM that sealed the PIN, found one with another endorsement key',
      )
    }
    requireCertifiedEk(ek, sealed.ek)
    const present = readPcrs(connection, selection)
    const outcomes: ApprovalOutcome[] = []
    for (const approval of approvals) {
      if (outcomes.some(({ kind }) => kind === 'opens')) outcomes.push({ kind: 'not tried' })
      else outcomes.push(tryApproval(connection, ek, sealed, approval, present, take))
    }
    return { present, outcomes }
  })
}

function tryApproval(
  connection: TpmConnection,
  ek: Ek,
  sealed: SealedPin,
  approval: PinApproval,
  present: ReadonlyMap<number, Uint8Array>,
  take: (pin: Uint8Array) => void,
): ApprovalOutcome {
  const unextended = unextendedPcrs(present)
  if (unextended.length > 0) return { kind: 'unextended', pcrs: unextended }
  const pcrs = differingPcrs(approval, present)
  if (pcrs.length > 0) return { kind: 'differ', pcrs }
  const ticket = verified(connection, sealed.approver, approval)
  if (ticket === undefined) return { kind: 'signature' }
  const object = load(connection, sealed)
  withTransient(connection.commands, object, () => unseal(connection, ek, object, sealed, approval, ticket, take))
  return { kind: 'opens' }
}

/** The TPM's word (TPMT_TK_VERIFIED) that the approver has signed; undefined where it has not. */
function verified({ commands }: TpmConnection, approver: Uint8Array, approval: PinApproval): Wire | undefined {
  const area = new Writer().sized16(approver).finish()
  const message = approvalMessage(pcrPolicy(approval.selection, approval.values), POLICY_REF)
  const digest = new Writer().sized16(sha256(message)).finish()
  const scheme = approverScheme(approver)
  const isItsLength = approval.signature.length === (scheme === 'ecdsa' ? 64 : 256)
  if (!isItsLength) return undefined
  const signature = encodeApproverSignature(scheme, approval.signature)
  const [key] = commands.LoadExternal([], null, area, OWNER)
  return withTransient(commands, key, () => {
    try {
      return commands.VerifySignature(key, [], digest, signature)[0]
    } catch (error) {
      if (hasRc(error, RC.SIGNATURE)) return undefined
      throw error
    }
  })
}

function load(connection: TpmConnection, sealed: SealedPin): Handle {
  const blob = new Writer().sized16(sealed.private).finish()
  const area = new Writer().sized16(sealed.public).finish()
  return withStorageParent(connection, (parent) => {
    try {
      return connection.commands.Load(parent, [PASSWORD], blob, area)[0]
    } catch (cause) {
      if (!isParameterRefused(cause)) throw cause
      const text =
        'the TPM does not take the sealed object: the file was changed, or the TPM was cleared since it was sealed'
      throw new PinError('PIN_DAMAGED', text, { cause })
    }
  })
}

function unseal(
  connection: TpmConnection,
  ek: Ek,
  object: Handle,
  { approver }: SealedPin,
  { selection, values }: PinApproval,
  ticket: Wire,
  take: (pin: Uint8Array) => void,
): void {
  const { commands } = connection
  const sized = (bytes: Uint8Array) => new Writer().sized16(bytes).finish()
  withSecureSession(connection, ek, 'policy', 'answer', (session) => {
    try {
      commands.PolicyPCR(session, [], sized(selectedDigest(selection, values)), encodePcrSelection(selection))
      const approved = sized(pcrPolicy(selection, values))
      commands.PolicyAuthorize(session, [], approved, sized(POLICY_REF), sized(nameOf(approver)), ticket)
      const [data] = commands.Unseal(object, [session])
      try {
        take(unwrap('TPM2B_SENSITIVE_DATA', data, MAX_PIN_BYTES))
      } finally {
        data.fill(0)
      }
    } catch (cause) {
      if (![RC.VALUE, RC.PCR_CHANGED, RC.POLICY_FAIL].some((rc) => hasRc(cause, rc))) throw cause
      const text = 'the TPM did not open the PIN: its PCRs are not, or no longer, those of the approval'
      throw new PinError('PIN_NOT_APPROVED', text, { cause })
    }
  })
}
