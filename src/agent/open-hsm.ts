import { Hsm } from '../hsm/hsm.ts'
import { handOverSealedPin } from '../tpm/open-sealed-pin.ts'
import type { AgentConfig } from './config.ts'

/**
 * The HSM of a configuration. A sealed PIN is opened anew at each start of the HSM's process, by a process that writes it
 * straight to that one: it is never in this process, and a VMM that is no longer approved gets no new session.
 */
export function openHsm({ hsm, tpm, vmm }: AgentConfig): Hsm {
  const { pin, ...config } = hsm
  if (pin.kind === 'file') return new Hsm({ ...config, pinFile: pin.path })
  const place = { tpm, selection: vmm.selection, sealed: pin.sealed, approvals: pin.approvals }
  return new Hsm({ ...config, handOverPin: (to) => handOverSealedPin(place, to) })
}
