import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { StackError, partFailure } from './error.ts'
import { missing, startProcess, untilReady, type StackProcess } from './process.ts'

/** The longest path of a Unix socket: `sun_path` has 108 bytes, the last of them zero (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107

/**
 * Manufactures a software TPM below `dir`: an RSA-2048 endorsement key with a certificate from a certification
 * authority of its own (`ca/`), and the SHA-256 bank. Runs as any user. A TPM that is there already is kept as it is.
 *
 * @throws StackError `PROGRAM_MISSING`, or `TPM_FAILED` when swtpm_setup fails; the message names its log
 */
export async function manufactureSwtpm(dir: string): Promise<void> {
  const [state, ca] = [join(dir, 'state'), join(dir, 'ca')]
  for (const path of [state, ca]) await mkdir(path, { recursive: true, mode: 0o700 })
  const caConfig = join(dir, 'localca.conf')
  await writeConfig(caConfig, {
    statedir: ca,
    signingkey: join(ca, 'signkey.pem'),
    issuercert: join(ca, 'issuercert.pem'),
    certserial: join(ca, 'certserial'),
  })
  const caOptions = join(dir, 'localca.options')
  await writeFile(caOptions, '--platform-manufacturer Attestry\n--platform-version 1\n--platform-model swtpm\n')
  const config = join(dir, 'setup.conf')
  await writeConfig(config, {
    create_certs_tool: 'swtpm_localca',
    create_certs_tool_config: caConfig,
    create_certs_tool_options: caOptions,
    active_pcr_banks: 'sha256',
  })
  const log = join(dir, 'setup.log')
  const args = ['--tpm2', '--tpmstate', state, '--config', config, '--create-ek-cert', '--not-overwrite']
  try {
    await promisify(execFile)('swtpm_setup', [...args, '--logfile', log])
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw missing('swtpm_setup', cause as Error)
    const why = `swtpm_setup failed; see ${log} (it needs the Debian packages swtpm and swtpm-tools)`
    throw new StackError('TPM_FAILED', why, { cause })
  }
}

/**
 * Starts the software TPM manufactured in `dir`, powered up and past TPM2_Startup, and waits until it answers.
 *
 * @returns its process, and the TCTI configuration that reaches it
 * @throws StackError `PATH_TOO_LONG`, `PROGRAM_MISSING`, or `TPM_FAILED` when swtpm ends at once (for example because
 *   another one runs on this state)
 */
export async function startSwtpm(dir: string): Promise<{ process: StackProcess; tcti: string }> {
  const socket = join(dir, 'swtpm.sock')
  const control = `${socket}.ctrl`
  const bytes = Buffer.byteLength(control)
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    const limit = `a Unix socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes`
    throw new StackError('PATH_TOO_LONG', `${limit}, ${control} has ${bytes}: use a shorter directory`)
  }
  for (const path of [socket, control]) await rm(path, { force: true })
  try {
    const process = await startProcess('swtpm', dir, 'swtpm', [
      'socket',
      '--tpm2',
      ...['--server', `type=unixio,path=${socket}`],
      ...['--ctrl', `type=unixio,path=${control}`],
      ...['--flags', 'not-need-init,startup-clear'],
      ...['--tpmstate', `dir=${join(dir, 'state')}`],
    ])
    await untilReady(process, async () => (await accepts(control)) && (await accepts(socket)))
    return { process, tcti: `swtpm:path=${socket}` }
  } catch (error) {
    throw partFailure('TPM_FAILED', error)
  }
}

/** The trust anchors (PEM files) for this TPM's endorsement certificate: the issuing authority, and its root. */
export function swtpmTrustAnchors(dir: string): string[] {
  return [join(dir, 'ca', 'issuercert.pem'), join(dir, 'ca', 'swtpm-localca-rootca-cert.pem')]
}

async function writeConfig(path: string, entries: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(entries).map(([key, value]) => `${key} = ${value}\n`)
  await writeFile(path, lines.join(''), { mode: 0o600 })
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.end()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
