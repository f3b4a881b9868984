import { writeSync } from 'node:fs'
import { endWithParent, undumpable } from '../../native/process.ts'
import { loadTss } from '../../native/tss-library.ts'
import { Tss } from '../../native/tss.ts'
import { OUTLET_FD } from '../device/protocol.ts'
import { serveDevice } from '../device/serve.ts'
import { asTpmError } from './error.ts'
import { explained } from './explained.ts'
import { openPin } from './open-pin.ts'
import { patient } from './patient.ts'
import type { PinCalls, PinChildConfig } from './pin-calls.ts'
import { sealPin } from './seal-pin.ts'
import { parseTcti } from './tcti.ts'
import type { TpmConnection } from './commands.ts'

// A process for one call: what tpm2-tss and Node have kept of the PIN ends with it.
undumpable()
endWithParent()
serveDevice<PinCalls>((config, secret) => {
  const { tcti, patienceMs } = config as PinChildConfig
  const { configuration } = parseTcti(tcti)
  const pin = Uint8Array.from(secret)
  return {
    seal: ({ approver, ekName }) =>
      onTpm(configuration, patienceMs, (connection) => {
        try {
          return sealPin(connection, pin, approver, ekName)
        } finally {
          pin.fill(0)
        }
      }),
    open: ({ sealed, selection, approvals, deliver }) =>
      onTpm(configuration, patienceMs, (connection) =>
        openPin(connection, sealed, selection, approvals, (opened) => {
          if (deliver) write(opened)
        }),
      ),
  }
})

/** What others have in the TPM is not flushed: this process is not its one user. */
function onTpm<T>(configuration: string, patienceMs: number, work: (connection: TpmConnection) => T): T {
  let connection: TpmConnection | undefined
  try {
    connection = patient(new Tss(loadTss(), configuration), patienceMs)
    return work(connection)
  } catch (error) {
    throw asTpmError(explained(error, connection))
  } finally {
    connection?.close()
  }
}

function write(bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(OUTLET_FD, bytes, written)
}
