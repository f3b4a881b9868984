import { openAk, type AkObject } from './attestation-key.ts'
import type { TpmConnection } from './commands.ts'
import { attempt } from './objects.ts'

/** The AK, kept open between quotes: finding it takes the TPM as long as a quote does. Ends with its connection. */
export interface AkKeeper {
  /** Opens it where it is not open. @throws TpmError `AK_UNSUITABLE` */
  get(): AkObject
  /** Has the next `get` look again at what lies at its handle. */
  drop(): void
}

export function akKeeper(connection: TpmConnection, akHandle: number): AkKeeper {
  let ak: AkObject | undefined
  return {
    get: () => (ak ??= openAk(connection, akHandle)),
    drop: () => {
      const dropped = ak
      ak = undefined
      if (dropped !== undefined) attempt(() => connection.forget(dropped.handle))
    },
  }
}
