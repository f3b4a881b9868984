import { concat } from '../core/bytes.ts'
import type { Handlers } from '../device/serve.ts'
import { akKeeper, type AkKeeper } from './ak-keeper.ts'
import type { CounterOf, TpmCalls, TpmChildConfig } from './calls.ts'
import { readClock } from './clock.ts'
import { PASSWORD } from './commands.ts'
import type { Handle, TpmConnection } from './commands.ts'
import { activateCredential } from './credential.ts'
import { DEFAULT_EK_ORDER } from './ek-place.ts'
import { showEk } from './endorsement-key.ts'
import { asTpmError } from './error.ts'
import { explained } from './explained.ts'
import { withHostSession } from './host-session.ts'
import { flushLeftovers } from './leftovers.ts'
import { readLockout } from './lockout.ts'
import { sha256Name } from './name.ts'
import { incrementCounter, readCounter } from './nv-counter.ts'
import { patient } from './patient.ts'
import { extendPcr, readPcrs } from './pcr.ts'
import { readPcrBanks } from './pcr-banks.ts'
import { quote, quoteWithPcrs } from './quote.ts'
import { reactionTo } from './reactions.ts'

interface Opened {
  readonly connection: TpmConnection
  readonly ak: AkKeeper
}

/**
 * The TPM device's calls. The connection is opened by the first call, and after any error anew: so a TPM that was not
 * there, or went away, is used as soon as it is back. What else is done about an error, the table of reactions says.
 *
 * @param connect opens a connection to the TPM
 */
export function tpmHandlers(connect: () => TpmConnection, config: TpmChildConfig): Handlers<TpmCalls> {
  const { akHandle, nvIndex, patienceMs, ek = DEFAULT_EK_ORDER } = config
  let opened: Opened | undefined

  const open = (): Opened => {
    const connection = patient(connect(), patienceMs)
    opened = { connection, ak: akKeeper(connection, akHandle) }
    flushLeftovers(connection)
    return opened
  }
  const once = <T>(work: (tpm: TpmConnection, ak: AkKeeper) => T): T => {
    try {
      const { connection, ak } = opened ?? open()
      return work(connection, ak)
    } catch (error) {
      const told = explained(error, opened?.connection)
      opened?.connection.close()
      opened = undefined
      throw told
    }
  }
  const again = <T>(work: (tpm: TpmConnection, ak: AkKeeper) => T, reactions: readonly string[]): T => {
    try {
      return once(work)
    } catch (error) {
      // The new connection begins with flushing.
      if (!reactions.includes(reactionTo(error))) throw asTpmError(error)
    }
    try {
      return once(work)
    } catch (error) {
      throw asTpmError(error)
    }
  }
  const reading = <T>(work: (tpm: TpmConnection, ak: AkKeeper) => T): T => again(work, ['flush', 'renew', 'reopen'])
  // Not after the connection was lost: the TPM may have done it. Without room, or what it needs, it has not.
  const changing = <T>(work: (tpm: TpmConnection) => T): T => again(work, ['flush', 'renew'])

  const authorised = <T>(tpm: TpmConnection, { hostId }: CounterOf, work: (session: Handle) => T): T =>
    hostId === undefined ? work(PASSWORD) : withHostSession(tpm, ek, hostId, work)

  return {
    endorsementKey: () => reading((tpm) => showEk(tpm, ek)),
    attestationKey: () =>
      reading((_, keeper) => {
        const ak = keeper.getAnew()
        return { public: ak.public, name: sha256Name(ak.public) }
      }),
    activateCredential: (challenge) => reading((tpm, ak) => activateCredential(tpm, ak, ek, challenge)),
    readPcrs: (selection) =>
      reading((tpm) => {
        const values = readPcrs(tpm, selection)
        return concat(...selection.pcrs.map((pcr) => values.get(pcr) ?? new Uint8Array()))
      }),
    readPcrBanks: () => reading(readPcrBanks),
    extendPcr: ({ pcr, digest }) => changing((tpm) => extendPcr(tpm, pcr, digest)),
    quote: ({ selection, qualifyingData }) => reading((tpm, ak) => quote(tpm, ak, selection, qualifyingData)),
    quoteWithPcrs: ({ selection, qualifyingData }) =>
      reading((tpm, ak) => quoteWithPcrs(tpm, ak, selection, qualifyingData)),
    readClock: () => reading(readClock),
    readLockout: () => reading(readLockout),
    readCounter: (of) => reading((tpm) => authorised(tpm, of, (session) => readCounter(tpm, nvIndex, session))),
    incrementCounter: (of) =>
      changing((tpm) => authorised(tpm, of, (session) => incrementCounter(tpm, nvIndex, session))),
  }
}
