import { resolve } from 'node:path'
import { Command } from 'commander'
import { DIRECTORY, withDirectory, type PlaceOptions } from './context.ts'
import { EXIT } from './exit.ts'
import { Interruption } from './interruption.ts'
import { Output, table } from './output.ts'

interface Part {
  readonly name: string
  readonly pid: number
  readonly running: boolean
  readonly where: string
  readonly log: string
}

/** `attestry dev`: the local stack. */
export function devCommand(): Command {
  const up = withDirectory(new Command('up'))
    .description('start swtpm, a SoftHSM token, a development ledger and an enrolled agent; nothing where all runs')
    .addHelpText('after', '\nExamples:\n  attestry dev up\n  attestry dev up --dir /tmp/second')
    .action(bringUp)
  const down = withDirectory(new Command('down'))
    .description("end exactly this stack's processes; its data stay")
    .addHelpText('after', '\nExample:\n  attestry dev down')
    .action(takeDown)
  const status = withDirectory(new Command('status'))
    .description('say what runs where')
    .addHelpText('after', '\nExample:\n  attestry dev status --json')
    .action(showStatus)
  return [up, down, status].reduce((group, command) => group.addCommand(command), new Command('dev'))
}

async function bringUp(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const dir = directory(options)
  const { stackUp, stackDown, stackStatus } = await import('../../hil/stack/stack.ts')
  using interruption = new Interruption()
  const info = await output.progress('starting', (update) =>
    stackUp(dir, {
      onProgress: (label) => {
        interruption.check()
        update(label)
      },
    }).catch((error: unknown) => {
      interruption.check()
      throw error
    }),
  )
  if (interruption.signal !== undefined) await stackDown(dir)
  interruption.check()
  const { processes } = await stackStatus(dir)
  output.result(
    { ok: true, dir, hostId: info.hostId, vmmHash: info.vmmHash, processes },
    [
      partsTable(processes),
      '',
      `directory  ${dir}`,
      `host       ${info.hostId}`,
      `vmm        ${info.vmmHash}`,
      `people     alice, bob, carol, dave (--as NAME); registrar; approver1, approver2, approver3`,
      '',
      output.style('yellow', 'swtpm and SoftHSM are emulators: this host’s assurance is Software.'),
      `next       attestry data register --as alice${dir === DIRECTORY ? '' : ` --dir ${dir}`}`,
    ].join('\n'),
  )
}

async function takeDown(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const dir = directory(options)
  const { stackDown } = await import('../../hil/stack/stack.ts')
  const stopped = await output.progress('stopping', () => stackDown(dir))
  output.result(
    { ok: true, dir, stopped },
    stopped.length === 0 ? `nothing was running in ${dir}` : `stopped ${stopped.join(', ')}`,
  )
}

async function showStatus(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const dir = directory(options)
  const { stackStatus } = await import('../../hil/stack/stack.ts')
  const { processes } = await stackStatus(dir)
  const ok = processes.length > 0 && processes.every(({ running }) => running)
  output.result({ ok, dir, processes }, processes.length === 0 ? `no stack in ${dir}` : partsTable(processes))
  if (!ok) process.exitCode = EXIT.refused
}

function directory(options: PlaceOptions): string {
  return resolve(options.dir ?? DIRECTORY)
}

function partsTable(parts: readonly Part[]): string {
  return table([
    ['process', 'pid', 'state', 'where'],
    ...parts.map(({ name, pid, running, where }) => [name, String(pid), running ? 'running' : 'gone', where]),
  ])
}
