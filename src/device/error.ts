import { CodedError } from '../core/error.ts'

/**
 * Why a device process gave no answer.
 *
 * - `DEADLINE` it took longer than the call allows and was killed; whether the call took effect is not known
 * - `DIED` its process ended during the call; whether the call took effect is not known
 * - `UNAVAILABLE` it could not be started in time; the call was never made
 * - `STOPPED` it was closed; the call was never made
 */
export type DeviceErrorCode = 'DEADLINE' | 'DIED' | 'UNAVAILABLE' | 'STOPPED'

/** A device process failed as a process. What the device itself answers comes as the error that `revive` makes. */
export class DeviceError extends CodedError<DeviceErrorCode> {}
