import { CodedError } from '../core/error.ts'

/**
 * - `PROFILE_INVALID`: the profile contradicts itself, or names a PCR that is not the operating system's to extend
 * - `PCR_RESETTABLE`: the profile names a PCR that software can set back
 * - `PCR_ZERO`: a PCR that firmware should have extended was not
 * - `COMPONENT_MISSING`: something that the profile measures is not there, before anything was measured
 * - `COMPONENT_INVALID`: something that the profile measures is neither file nor directory, or leads nowhere
 * - `COMPONENT_UNREADABLE`: the system refuses to read something that the profile measures
 * - `COMPONENT_UNKNOWN`: something is to be replaced that the profile does not measure
 * - `LOG_INVALID`: the event log cannot be read, written or decoded
 * - `LOG_FULL`: one event more would make the event log one that nobody reads; only a reboot helps
 * - `LOG_MISMATCH`: the event log does not explain the PCR; only a reboot and a new measurement help
 * - `LOG_BUSY`: another process has been measuring for too long
 * - `WATCH_FAILED`: a directory cannot be watched
 */
export type VmmErrorCode =
  | 'PROFILE_INVALID'
  | 'PCR_RESETTABLE'
  | 'PCR_ZERO'
  | 'COMPONENT_MISSING'
  | 'COMPONENT_INVALID'
  | 'COMPONENT_UNREADABLE'
  | 'COMPONENT_UNKNOWN'
  | 'LOG_INVALID'
  | 'LOG_FULL'
  | 'LOG_MISMATCH'
  | 'LOG_BUSY'
  | 'WATCH_FAILED'

/** Why the VMM could not be measured, or its measurement not be kept up. */
export class VmmError extends CodedError<VmmErrorCode> {}
