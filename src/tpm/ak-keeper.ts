import { openAk, type AkObject } from './attestation-key.ts'
import type { TpmConnection } from './commands.ts'
import { attempt } from './objects.ts'

/**
 * The AK, kept open between quotes: finding it takes the TPM as long as a quote does. Ends with its connection, on which
 * nobody else opens the AK.
 */
export interface AkKeeper {
  /** Opens it where it is not open. @throws TpmError `AK_UNSUITABLE` */
  get(): AkObject
  /** Has the next `get` look again at what lies at its handle. */
  drop(): void
  /** Looks at what lies at its handle now, and opens it. @throws TpmError `AK_UNSUITABLE` */
  getAnew(): AkObject
}

export function akKeeper(connection: TpmConnection, akHandle: number): AkKeeper {
  let ak: AkObject | undefined
  const get = (): AkObject => (ak ??= openAk(connection, akHandle))
  const drop = (): void => {
    const dropped = ak
    ak = undefined
    if (dropped !== undefined) attempt(() => connection.forget(dropped.handle))
  }
  const getAnew = (): AkObject => {
    drop()
    return get()
  }
  return { get, drop, getAnew }
}
