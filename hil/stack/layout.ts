import { chmod, mkdir, open, readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { StackError } from './error.ts'

/** Where everything of one stack lies. All paths are absolute. */
export interface StackLayout {
  readonly dir: string
  /** The processes, and what was found out when they were started. */
  readonly state: string
  /** `NAME.key`, mode 0600. */
  readonly keys: string
  readonly swtpm: string
  readonly softhsm: string
  readonly anvil: string
  /** Stands in for the VMM's files. */
  readonly vmm: string
  /** The VMM's event log. */
  readonly log: string
  /** PEM certificates that vouch for the TPM. */
  readonly trust: string
  readonly deployment: string
  readonly configuration: string
  readonly agentState: string
  readonly agentSocket: string
}

/** The longest path of a Unix socket: 108 bytes, the last of them zero (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107

/** @throws StackError `PATH_TOO_LONG` */
export function layoutOf(directory: string): StackLayout {
  const dir = resolve(directory)
  const layout = {
    dir,
    state: join(dir, 'stack.json'),
    keys: join(dir, 'keys'),
    swtpm: join(dir, 'swtpm'),
    softhsm: join(dir, 'softhsm'),
    anvil: join(dir, 'anvil'),
    vmm: join(dir, 'vmm'),
    log: join(dir, 'vmm.cel'),
    trust: join(dir, 'trust'),
    deployment: join(dir, 'deployment.json'),
    configuration: join(dir, 'agent.toml'),
    agentState: join(dir, 'agent'),
    agentSocket: join(dir, 'agent.sock'),
  }
  for (const socket of [join(layout.swtpm, 'swtpm.sock.ctrl'), layout.agentSocket]) {
    const bytes = Buffer.byteLength(socket)
    if (bytes > MAX_SOCKET_PATH_BYTES) {
      throw new StackError(
        'PATH_TOO_LONG',
        `a Unix socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes, ${socket} has ${bytes}: use a shorter directory`,
      )
    }
  }
  return layout
}

/** Makes the directories, for this user alone. @throws StackError `DIRECTORY_IN_USE` */
export async function makeDirectories(layout: StackLayout): Promise<void> {
  const { dir, keys, swtpm, softhsm, anvil, vmm, trust, agentState } = layout
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const found = await readdir(dir)
  if (found.length > 0 && !found.includes(basename(layout.state))) {
    throw new StackError('DIRECTORY_IN_USE', `${dir} is not empty, and what is in it is no stack`)
  }
  // From here on the directory is known as a stack's, however far this gets.
  await (await open(layout.state, 'a', 0o600)).close()
  await chmod(dir, 0o700)
  for (const path of [keys, swtpm, softhsm, anvil, vmm, trust, agentState]) {
    await mkdir(path, { recursive: true, mode: 0o700 })
  }
}
