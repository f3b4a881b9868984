import type { Hex } from '../core/bytes.ts'
import { VMM_REGISTRY } from './abi.ts'
import type { Ledger } from './ledger.ts'
import type { DigestSigner } from './signer.ts'
import type { VmmStatus } from './state.ts'

/** Where a predicted VMM stands. */
export interface PredictedVmm {
  /** What approvals must name. */
  readonly epoch: number
  readonly status: VmmStatus
  /** Whether it was entered now; false where it was proposed or authorised before. */
  readonly entered: boolean
}

/**
 * Enters a VMM that no host has shown yet, to be approved before the update; a host's first quote of it proves it.
 *
 * @param approver one of the registry's approvers
 * @param vmmHash keccak256 of `attested`
 * @param attested the TPMS_QUOTE_INFO that its quotes will carry
 * @param manifestHash SHA-256 of the event log that will explain it
 * @throws LedgerError as `submit`
 */
export async function predictVmm(
  ledger: Ledger,
  approver: DigestSigner,
  { vmmHash, attested, manifestHash }: { readonly vmmHash: Hex; readonly attested: Hex; readonly manifestHash: Hex },
): Promise<PredictedVmm> {
  const before = await ledger.vmm(vmmHash)
  // One that is no longer valid looks authorised still: then the registry takes it, or says why not.
  const now = BigInt(Math.floor(Date.now() / 1000))
  if (before.status === 'Proposed' || (before.status === 'Authorised' && before.validUntil > now)) {
    return { epoch: before.epoch, status: before.status, entered: false }
  }
  const data = VMM_REGISTRY.encodeFunctionData('predict', [attested, manifestHash]) as Hex
  await ledger.submit(approver, { to: 'vmmRegistry', data })
  const { epoch, status } = await ledger.vmm(vmmHash)
  return { epoch, status, entered: true }
}
