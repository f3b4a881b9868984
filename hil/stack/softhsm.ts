import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Device } from '../../src/device/device.ts'
import { StackError } from './error.ts'
import type { InitTokenCalls } from './softhsm-init.ts'

/** What a token is made with. */
export interface SoftHsmOptions {
  /** The token's label, up to 32 bytes. */
  readonly label: string
  /** The user PIN, at least 4 characters. */
  readonly pin: string
  /** The security officer's PIN. */
  readonly soPin: string
}

/** A token in software, with what it takes to use it. */
export interface SoftHsm {
  /** The PKCS#11 module's path. */
  readonly module: string
  /** What the module needs in its environment. */
  readonly environment: { readonly SOFTHSM2_CONF: string }
  /** The token's label. */
  readonly token: string
  /** Holds the user PIN; only its owner may read it. */
  readonly pinFile: string
}

/** Where Debian puts the module, of one architecture and of several. */
const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
]
const DEADLINE_MS = 20_000

/**
 * Makes a SoftHSM token of its own below `dir`, with its own configuration file. Nothing of it is shared with another
 * directory's. The PINs go to the process that makes it through a descriptor, never through its arguments.
 *
 * @param dir absolute
 * @throws StackError `PROGRAM_MISSING`, or `HSM_FAILED` when a token with this label is there already; DeviceError
 */
export async function createSoftHsm(dir: string, options: SoftHsmOptions): Promise<SoftHsm> {
  const softHsm = softHsmIn(dir, options.label)
  const tokens = join(dir, 'tokens')
  await mkdir(tokens, { recursive: true, mode: 0o700 })
  const settings = [`directories.tokendir = ${tokens}`, 'objectstore.backend = file', 'log.level = ERROR', '']
  await writeFile(softHsm.environment.SOFTHSM2_CONF, settings.join('\n'), { mode: 0o600 })
  await writeFile(softHsm.pinFile, options.pin, { mode: 0o600 })

  const device = new Device<InitTokenCalls>({
    name: 'softhsm',
    module: new URL('softhsm-init-child.ts', import.meta.url),
    config: { module: softHsm.module, label: options.label },
    secret: () => Promise.resolve(Buffer.from(JSON.stringify([options.soPin, options.pin]))),
    environment: softHsm.environment,
    deadlineMs: DEADLINE_MS,
    revive: (_code, message) => new StackError('HSM_FAILED', `SoftHSM: ${message}`),
  })
  try {
    await device.call('made', undefined)
  } finally {
    await device.close()
  }
  return softHsm
}

/** The token that `createSoftHsm` made below `dir` with this label. @throws StackError `PROGRAM_MISSING` */
export function softHsmIn(dir: string, label: string): SoftHsm {
  const module = MODULES.find((path) => existsSync(path))
  if (module === undefined) {
    const none = `none of ${MODULES.join(', ')} is there`
    throw new StackError('PROGRAM_MISSING', `SoftHSM is not installed (Debian package softhsm2): ${none}`)
  }
  const environment = { SOFTHSM2_CONF: join(dir, 'softhsm2.conf') }
  return { module, environment, token: label, pinFile: join(dir, 'pin') }
}
