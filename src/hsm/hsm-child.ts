import { endWithParent, undumpable } from '../../native/process.ts'
import { SecretMemoryError, openSecretRegion } from '../../native/secret-memory.ts'
import { toHex } from '../core/bytes.ts'
import { serveDevice } from '../device/serve.ts'
import type { HsmCalls, HsmChildConfig, SecureMemory } from './calls.ts'
import { Pkcs11Error } from './error.ts'
import { Regions, type SecretPages } from './regions.ts'
import { HsmSession } from './session.ts'

/** The HSM's device process: the one place that holds the PIN and loads the vendor's module. */
serveDevice<HsmCalls>((config, secret) => {
  undumpable()
  endWithParent()
  const pin = openPages(secret.length)
  pin.buffer.set(secret)
  const session = new HsmSession(config as HsmChildConfig, () => pin.buffer.toString('utf8'))
  const regions = new Regions(openPages)
  process.on('exit', () => {
    regions.closeAll()
    pin.close()
  })
  return {
    ledgerKey: () => {
      const { label, address, publicKey } = session.ledgerKey()
      return { label, address, publicKey: toHex(publicKey) }
    },
    sign: (message) => session.sign(message),
    listKeys: () => session.listKeys(),
    generateKey: ({ label }) => session.generateKey(label),
    openRegion: ({ id, input, maxResultBytes }) => regions.open(id, input, maxResultBytes),
    encrypt: ({ id, dataId }) => regions.run(id, (input, result) => session.encrypt(dataId, input, result)),
    decrypt: ({ id, dataId }) => regions.run(id, (input, result) => session.decrypt(dataId, input, result)),
    resultHash: ({ id, salt }) => regions.resultHash(id, salt),
    result: ({ id }) => regions.result(id),
    closeRegion: ({ id }) => regions.close(id),
    secureMemory: () => details[pin.kind],
  }
})

const details: Readonly<Record<SecureMemory['kind'], SecureMemory>> = {
  memfd_secret: {
    kind: 'memfd_secret',
    detail: 'plaintext is held in memfd_secret pages: no other process can read them, and no core dump has them',
  },
  locked: {
    kind: 'locked',
    detail: 'no memfd_secret here: plaintext is held in locked pages, never swapped or dumped, but root can read them',
  },
}

function openPages(size: number): SecretPages & { readonly kind: SecureMemory['kind'] } {
  try {
    return openSecretRegion(size)
  } catch (cause) {
    if (!(cause instanceof SecretMemoryError)) throw cause
    throw new Pkcs11Error('REGION_LIMIT', cause.message, {}, { cause })
  }
}
