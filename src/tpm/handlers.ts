import type { Handlers } from '../device/serve.ts'
import { withAk } from './attestation-key.ts'
import type { TpmCalls, TpmChildConfig } from './calls.ts'
import { readClock } from './clock.ts'
import type { TpmConnection } from './commands.ts'
import { activateCredential } from './credential.ts'
import { DEFAULT_EK_ORDER } from './ek-place.ts'
import { showEk } from './endorsement-key.ts'
import { asTpmError } from './error.ts'
import { flushLeftovers } from './leftovers.ts'
import { sha256Name } from './name.ts'
import { incrementCounter, readCounter } from './nv-counter.ts'
import { extendPcr, readPcrs } from './pcr.ts'
import { readPcrBanks } from './pcr-banks.ts'
import { quote } from './quote.ts'

/**
 * The TPM device's calls. The connection is opened by the first call, and after any error by the next one: so a TPM
 * that was not there, or went away, is used as soon as it is back.
 *
 * @param connect opens a connection to the TPM
 */
export function tpmHandlers(connect: () => TpmConnection, config: TpmChildConfig): Handlers<TpmCalls> {
  const { akHandle, nvIndex, ek = DEFAULT_EK_ORDER } = config
  let connection: TpmConnection | undefined

  const open = (): TpmConnection => {
    connection = connect()
    flushLeftovers(connection)
    return connection
  }
  const using = <T>(work: (connection: TpmConnection) => T): T => {
    try {
      return work(connection ?? open())
    } catch (error) {
      connection?.close()
      connection = undefined
      throw asTpmError(error)
    }
  }

  return {
    endorsementKey: () => using((tpm) => showEk(tpm, ek)),
    attestationKey: () =>
      using((tpm) => withAk(tpm, akHandle, (ak) => ({ public: ak.public, name: sha256Name(ak.public) }))),
    activateCredential: (challenge) => using((tpm) => activateCredential(tpm, { akHandle, ek }, challenge)),
    readPcrs: (selection) => using((tpm) => readPcrs(tpm, selection)),
    readPcrBanks: () => using(readPcrBanks),
    extendPcr: ({ pcr, digest }) => using((tpm) => extendPcr(tpm, pcr, digest)),
    quote: ({ selection, qualifyingData }) => using((tpm) => quote(tpm, akHandle, selection, qualifyingData)),
    readClock: () => using(readClock),
    readCounter: () => using((tpm) => readCounter(tpm, nvIndex)),
    incrementCounter: () => using((tpm) => incrementCounter(tpm, nvIndex)),
  }
}
