import { Reader } from '../core/reader.ts'
import type { TpmConnection } from './commands.ts'
import { isConnectionError } from './rc.ts'

const TPM_CAP_HANDLES = 1
/**
 * The first handles of what a crashed process leaves in the TPM (TPM 2.0 Part 2, 7.2): loaded sessions, transient
 * objects.
 */
const RANGES = [0x02000000, 0x80000000]
const MAX_HANDLES = 64

/**
 * Flushes the transient objects, hash sequences and loaded sessions that a killed process has left in the TPM: it has room for about
 * three of each. Behind a resource manager there are none but one's own. Without one, a TPM has one user at a time:
 * another process's enrolment that is under way fails here, and can be repeated.
 */
export function flushLeftovers(connection: TpmConnection): void {
  for (const first of RANGES) {
    const [, data] = connection.commands.GetCapability([], TPM_CAP_HANDLES, first, MAX_HANDLES)
    for (const tpmHandle of handlesOf(data)) {
      try {
        connection.flush(tpmHandle)
      } catch (error) {
        // Gone meanwhile: its owner was alive and has flushed it.
        if (isConnectionError(error)) throw error
      }
    }
  }
}

function handlesOf(capabilityData: Uint8Array): number[] {
  const reader = new Reader(capabilityData)
  reader.u32()
  const handles = Array.from({ length: Math.min(reader.u32(), MAX_HANDLES) }, () => reader.u32())
  reader.end('TPMS_CAPABILITY_DATA')
  return handles
}
