import type { Writable } from 'node:stream'
import { Device } from '../device/device.ts'
import { reviveTpmError } from './error.ts'
import type { PinOpening } from './open-pin.ts'
import type { OpenPinParams, PinCalls, PinChildConfig } from './pin-calls.ts'
import { revivePinError } from './pin-error.ts'
import type { SealedPin } from './sealed-pin.ts'

/** Which TPM. */
export interface PinVaultConfig {
  readonly tcti: string
  readonly deadlineMs: number
}

/**
 * Seals a PIN, in a process of its own.
 *
 * @param pin given to that process through a descriptor, and wiped
 * @param approver TPMT_PUBLIC as `approverPublic` gives it
 * @param ekName the name of the EK that was verified to be a trusted TPM's: another one gets no PIN
 * @throws PinError, TpmError, DeviceError
 */
export function sealPinIn(
  config: PinVaultConfig,
  pin: () => Promise<Uint8Array>,
  approver: Uint8Array,
  ekName: Uint8Array,
): Promise<SealedPin> {
  return using(config, { secret: pin }, (device) => device.call('seal', { approver, ekName }))
}

/**
 * Opens a sealed PIN, in a process of its own, to see whether it opens or to hand it to somebody. It never comes here: that process
 * writes it to the descriptor of `to`, which it inherits.
 *
 * @throws PinError, TpmError, DeviceError; whether it was opened is in the outcomes
 */
export function openPinIn(
  config: PinVaultConfig,
  params: Omit<OpenPinParams, 'deliver'>,
  to?: Writable,
): Promise<PinOpening> {
  const outlet = to === undefined ? {} : { outlet: to }
  return using(config, outlet, (device) => device.call('open', { ...params, deliver: to !== undefined }))
}

async function using<T>(
  { tcti, deadlineMs }: PinVaultConfig,
  options: { readonly secret?: () => Promise<Uint8Array>; readonly outlet?: Writable },
  work: (device: Device<PinCalls>) => Promise<T>,
): Promise<T> {
  const device = new Device<PinCalls>({
    name: 'pin',
    module: new URL('pin-child.ts', import.meta.url),
    config: { tcti, patienceMs: deadlineMs / 2 } satisfies PinChildConfig,
    deadlineMs,
    revive: (code, message, detail) => revivePinError(code, message) ?? reviveTpmError(code, message, detail),
    // One process, one try: what it was started with is not read a second time.
    isFinal: () => true,
    ...options,
  })
  try {
    return await work(device)
  } finally {
    await device.close()
  }
}
