import { Reader } from '../core/reader.ts'
import type { TpmClock } from '../tcg/attest.ts'
import type { TpmConnection } from './commands.ts'

/** Reads the TPM's clock (TPMS_TIME_INFO; TPM 2.0 Part 2, 10.11.6). Nothing signs it. */
export function readClock({ commands }: TpmConnection): TpmClock {
  const [timeInfo] = commands.ReadClock([])
  const reader = new Reader(timeInfo)
  // Time since the last power-up: no use where the clock is there.
  reader.u64()
  const clock = { clock: reader.u64(), resetCount: reader.u32(), restartCount: reader.u32(), safe: reader.u8() === 1 }
  reader.end('TPMS_TIME_INFO')
  return clock
}
