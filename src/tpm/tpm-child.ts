import { endWithParent } from '../../native/process.ts'
import { loadTss } from '../../native/tss-library.ts'
import { Tss } from '../../native/tss.ts'
import { serveDevice } from '../device/serve.ts'
import type { TpmCalls, TpmChildConfig } from './calls.ts'
import { asTpmError } from './error.ts'
import { tpmHandlers } from './handlers.ts'
import { parseTcti } from './tcti.ts'

// The TPM's device process. It must not outlive its parent in a call that hangs: swtpm serves one connection at a time.
endWithParent()
serveDevice<TpmCalls>((config) => {
  const { configuration } = parseTcti((config as TpmChildConfig).tcti)
  const library = load()
  return tpmHandlers(() => new Tss(library, configuration), config as TpmChildConfig)
})

function load(): ReturnType<typeof loadTss> {
  try {
    return loadTss()
  } catch (error) {
    throw asTpmError(error)
  }
}
