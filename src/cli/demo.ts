import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { readInput } from './context.ts'
import { EXIT } from './exit.ts'
import { Interruption, exitCodeOfSignal } from './interruption.ts'
import { Output } from './output.ts'

interface DemoOptions {
  readonly file: string
  readonly dir?: string
  readonly json: boolean
}

const readme = fileURLToPath(new URL('../../README.md', import.meta.url))

/** `attestry demo`: the whole chain on a local stack of its own, with refusals and an audit. */
export function demoCommand(): Command {
  return new Command('demo')
    .option('--file <file>', 'the file to encrypt and decrypt', readme)
    .option('--dir <directory>', 'where the stack lives; kept afterwards (by default a temporary directory)')
    .option('--json', 'one JSON object on standard output', false)
    .addHelpText('after', '\nExamples:\n  attestry demo\n  attestry demo --file contract.pdf --dir ./demo')
    .action(demonstrate)
}

async function demonstrate(options: DemoOptions): Promise<void> {
  const output = new Output(options.json)
  const content = readInput(options.file)
  const dir = options.dir === undefined ? await mkdtemp(join(tmpdir(), 'attestry-')) : resolve(options.dir)
  const [{ runScenario }, { stackDown }] = await Promise.all([
    import('./demo-scenario.ts'),
    import('../../hil/stack/stack.ts'),
  ])
  let isUp = false
  const end = async () => {
    const stopped = await stackDown(dir)
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
    return stopped
  }
  // While the stack is being brought up, it ends itself at the next check; once it is up, it is ended here.
  using interruption = new Interruption(() => {
    if (isUp) void end().then(() => process.exit(exitCodeOfSignal(interruption.signal ?? 'SIGINT')))
  })
  const onProgress = () => interruption.check()
  const onUp = () => {
    interruption.check()
    isUp = true
  }
  try {
    const result = await runScenario({ output, dir, name: basename(options.file), content, onProgress, onUp })
    if (options.json) output.result(result, '')
    if (!result.ok) process.exitCode = EXIT.refused
  } catch (error) {
    if (interruption.signal !== undefined) {
      await end()
      process.exitCode = exitCodeOfSignal(interruption.signal)
      return
    }
    process.stderr.write(`attestry: the demonstration stopped; its logs are in ${dir}\n`)
    await stackDown(dir)
    throw error
  }
  const stopped = await end()
  output.line(`stopped ${stopped.join(', ')}`)
  if (options.dir !== undefined) output.line(`kept ${dir}`)
}
