import { equal, toHex } from '../core/bytes.ts'
import { HASHES } from '../tcg/algorithm.ts'
import { TcgError } from '../tcg/error.ts'
import { nameOf } from '../tcg/name.ts'
import { PCR_COUNT, requireMeaningful, requirePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import { pcrPolicy } from '../tcg/policy.ts'
import type { Approver } from './approver-key.ts'
import { PinError } from './pin-error.ts'
import { hexMember, PIN_POLICY_REF, readMembers } from './pin-file-format.ts'
import { unextendedPcrs, unextendedText } from './unextended-pcrs.ts'

/** The security team's word that the PIN may open where the PCRs have these values. */
export interface PinApproval {
  readonly selection: PcrSelection
  /** One for each selected PCR. */
  readonly values: ReadonlyMap<number, Uint8Array>
  /** The name of the key that is said to have signed: untrusted, for messages. */
  readonly signer: Uint8Array
  /** r ‖ s, 64 bytes, or RSA’s 256 bytes. Not verified: the TPM does that. */
  readonly signature: Uint8Array
}

const TYPE = 'attestry/pin-approval/1'
const BANK = 'sha256'
const NAME_BYTES = 34

/**
 * Approves a VMM: signs the policy that is satisfied where the selected PCRs have these values. Needs no TPM.
 *
 * @param values one for each selected PCR; others are not read
 * @throws PinError `PCRS_INVALID` for a selection that proves nothing, a missing value, and PCRs that nothing has extended
 */
export function approvePin(
  approver: Approver,
  selection: PcrSelection,
  values: ReadonlyMap<number, Uint8Array>,
): PinApproval {
  try {
    requireMeaningful([requirePcrSelection(selection)])
    const policy = pcrPolicy(selection, values)
    const selected = new Map(selection.pcrs.map((pcr) => [pcr, values.get(pcr) ?? new Uint8Array()]))
    requireExtended(selected)
    return { selection, values: selected, signer: nameOf(approver.public), signature: approver.sign(policy) }
  } catch (cause) {
    if (!(cause instanceof TcgError)) throw cause
    throw new PinError('PCRS_INVALID', cause.message, { cause })
  }
}

/** An approval as the file in which it travels. It is no secret. */
export function writePinApproval({ selection, values, signer, signature }: PinApproval): string {
  const pcrs = Object.fromEntries(selection.pcrs.map((pcr) => [pcr, toHex(values.get(pcr) ?? new Uint8Array())]))
  const file = { type: TYPE, policyRef: PIN_POLICY_REF, bank: selection.bank, pcrs }
  return `${JSON.stringify({ ...file, signer: toHex(signer), signature: toHex(signature) }, undefined, 2)}\n`
}

/**
 * Reads an approval. That its signature is good is shown only by the TPM.
 *
 * @param bytes untrusted; at most 64 KiB
 * @param selection the PCRs that the host is measured by: an approval for fewer would let through what they would stop
 * @throws PinError `APPROVAL_INVALID`, `APPROVAL_PURPOSE`, `APPROVAL_SELECTION`
 */
export function readPinApproval(bytes: Uint8Array, selection: PcrSelection): PinApproval {
  const names = ['type', 'policyRef', 'bank', 'pcrs', 'signer', 'signature'] as const
  const { type, policyRef, bank, pcrs, signer, signature } = readMembers(bytes, names, 'APPROVAL_INVALID')
  if (type !== TYPE) throw new PinError('APPROVAL_INVALID', `type: expected ${TYPE}`)
  if (policyRef !== PIN_POLICY_REF) throw new PinError('APPROVAL_PURPOSE', `policyRef: expected ${PIN_POLICY_REF}`)
  const values = valuesOf(pcrs)
  const found = { bank, pcrs: [...values.keys()] }
  if (found.bank !== selection.bank || found.pcrs.join() !== selection.pcrs.join()) {
    const wanted = `${selection.bank}:${selection.pcrs.join()}`
    throw new PinError('APPROVAL_SELECTION', `expected an approval for the PCRs ${wanted}, found other ones`)
  }
  const signed = hexMember(signature, 'signature', 64, 256, 'APPROVAL_INVALID')
  if (signed.length !== 64 && signed.length !== 256) {
    throw new PinError('APPROVAL_INVALID', `signature: expected 64 or 256 bytes, found ${signed.length}`)
  }
  return {
    selection,
    values,
    signer: hexMember(signer, 'signer', NAME_BYTES, NAME_BYTES, 'APPROVAL_INVALID'),
    signature: signed,
  }
}

/** The selected PCRs whose values are not the approved ones; none where all are. */
export function differingPcrs(approval: PinApproval, present: ReadonlyMap<number, Uint8Array>): readonly number[] {
  return approval.selection.pcrs.filter((pcr) => {
    const [wanted, is] = [approval.values.get(pcr), present.get(pcr)]
    return wanted === undefined || is === undefined || !equal(wanted, is)
  })
}

function valuesOf(pcrs: unknown): ReadonlyMap<number, Uint8Array> {
  if (typeof pcrs !== 'object' || pcrs === null || Array.isArray(pcrs)) {
    throw new PinError('APPROVAL_INVALID', 'pcrs: expected an object of PCR values')
  }
  const { length } = HASHES[BANK]
  // Names that are whole numbers come in ascending order, whatever their order in the file.
  const entries = Object.entries(pcrs as Readonly<Record<string, unknown>>).map(([name, value]) => {
    if (!/^(?:0|[1-9]\d?)$/.test(name) || Number(name) >= PCR_COUNT) {
      throw new PinError('APPROVAL_INVALID', `pcrs: expected PCRs from 0 to ${PCR_COUNT - 1}`)
    }
    return [Number(name), hexMember(value, `PCR ${name}`, length, length, 'APPROVAL_INVALID')] as const
  })
  if (entries.length === 0) throw new PinError('APPROVAL_INVALID', 'pcrs: expected at least one')
  return new Map(entries)
}

function requireExtended(values: ReadonlyMap<number, Uint8Array>): void {
  const [pcr] = unextendedPcrs(values)
  if (pcr !== undefined) throw new PinError('PCRS_INVALID', unextendedText(pcr))
}
