import { Hsm, type HsmConfig } from '../hsm/hsm.ts'
import type { Deployment } from '../ledger/deployment.ts'
import { handOverSealedPin } from '../tpm/open-sealed-pin.ts'
import type { AgentConfig } from './config.ts'
import { signingScope } from './signing-scope.ts'

/**
 * The HSM of a configuration.
 *
 * @param deployment the ledger that its ledger key signs for; where it is left out the key signs nothing
 */
export function openHsm(config: AgentConfig, deployment?: Deployment): Hsm {
  const hsm = hsmConfigOf(config)
  return new Hsm(deployment === undefined ? hsm : { ...hsm, scope: signingScope(deployment) })
}

/**
 * Token, keys and PIN of a configuration. A sealed PIN is opened anew at each start of the HSM's process, by a process that
 * writes it straight to that one: it is never in this process, and a VMM that is no longer approved gets no new session.
 */
export function hsmConfigOf({ hsm, tpm, vmm }: AgentConfig): HsmConfig {
  const { pin, ...config } = hsm
  if (pin.kind === 'file') return { ...config, pinFile: pin.path }
  const place = { tpm, selection: vmm.selection, sealed: pin.sealed, approvals: pin.approvals }
  return { ...config, handOverPin: (to) => handOverSealedPin(place, to) }
}
