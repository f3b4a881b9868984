import { Device } from '../device/device.ts'
import { Pkcs11Error, type Pkcs11ErrorCode, type Pkcs11Fault } from './error.ts'
import { readPinFile } from './pin-file.ts'
import type { HsmToken, PinSource } from './hsm.ts'
import type { ProbeCalls, ProbeReport } from './probe/report.ts'

export type { ProbeAttempt, ProbeReport } from './probe/report.ts'

/** Which token to probe. */
export type ProbeConfig = Pick<HsmToken, 'module' | 'token' | 'environment' | 'parameters'> & PinSource

const DEADLINE_MS = 120_000

/**
 * Probes a module, in a process of its own that is ended afterwards. The PIN is tried once.
 *
 * @throws Pkcs11Error; DeviceError DIED where the module brought the process down: it is to be refused, too
 */
export async function probeHsm(config: ProbeConfig): Promise<ProbeReport> {
  const { module, token, parameters, environment = {} } = config
  const device = new Device<ProbeCalls>({
    name: 'hsm probe',
    module: new URL('probe-child.ts', import.meta.url),
    config: { module, token, ...(parameters === undefined ? {} : { parameters }) },
    ...('pinFile' in config ? { secret: () => readPinFile(config.pinFile) } : { handOver: config.handOverPin }),
    environment,
    deadlineMs: DEADLINE_MS,
    revive: (code, message, detail) => new Pkcs11Error(code as Pkcs11ErrorCode, message, detail as Pkcs11Fault),
  })
  try {
    return await device.call('probe', undefined)
  } finally {
    await device.close()
  }
}
