import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { codeOf, messageOf } from '../core/error.ts'
import { LedgerError } from '../ledger/error.ts'
import { stringify } from '../record/json.ts'
import { RefusalOnRecord } from './error.ts'
import { EXIT, exitCodeOf } from './exit.ts'
import { InterruptedError, exitCodeOfSignal } from './interruption.ts'
import { revertWords } from './revert-words.ts'

/** Each command, and where it is: only the one that is called is loaded. */
const commands: readonly { name: string; description: string; load: () => Promise<Command> }[] = [
  {
    name: 'dev',
    description: 'run everything on this machine, with emulated devices',
    load: async () => (await import('./dev.ts')).devCommand(),
  },
  {
    name: 'demo',
    description: 'the ten steps on a local stack, refusals, and an audit; starts the stack and stops it',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
  {
    name: 'agent',
    description: 'run the agent until it is told to end (SIGTERM, Ctrl-C)',
    load: async () => (await import('./agent.ts')).agentCommand(),
  },
  {
    name: 'doctor',
    description: 'check TPM, HSM, ledger, host and VMM, and say what to do',
    load: async () => (await import('./doctor.ts')).doctorCommand(),
  },
  {
    name: 'evidence',
    description: 'collect what a host says of itself, hold it against a policy, make a policy',
    load: async () => (await import('./evidence.ts')).evidenceCommand(),
  },
  {
    name: 'measure',
    description: 'extend the PCR with the VMM’s components and log it; nothing where that is done and still true',
    load: async () => (await import('./measure.ts')).measureCommand(),
  },
  {
    name: 'eventlog',
    description: 'decode and replay a firmware event log, and compare it with PCRs',
    load: async () => (await import('./eventlog.ts')).eventlogCommand(),
  },
  {
    name: 'ima',
    description: 'show an IMA log, and at which line it reaches a PCR',
    load: async () => (await import('./ima.ts')).imaCommand(),
  },
  {
    name: 'pcrs',
    description: 'read every PCR of every bank of the TPM',
    load: async () => (await import('./pcrs.ts')).pcrsCommand(),
  },
  {
    name: 'ledger',
    description: 'deploy the contracts, check a chain against a deployment',
    load: async () => (await import('./ledger.ts')).ledgerCommand(),
  },
  {
    name: 'host',
    description: 'enrol hosts, show them, suspend, reinstate and retire them',
    load: async () => (await import('./host.ts')).hostCommand(),
  },
  {
    name: 'vmm',
    description: 'propose, predict, approve, revoke and list hypervisors',
    load: async () => (await import('./vmm.ts')).vmmCommand(),
  },
  {
    name: 'data',
    description: 'register data, show it, hand it to another owner',
    load: async () => (await import('./data.ts')).dataCommand(),
  },
  {
    name: 'grant',
    description: 'grant, delegate, revoke, cancel and list access to data',
    load: async () => (await import('./grant.ts')).grantCommand(),
  },
  {
    name: 'op',
    description: 'run operations on data',
    load: async () => (await import('./operation.ts')).operationCommand(),
  },
  {
    name: 'key',
    description: 'list and make keys in the HSM',
    load: async () => (await import('./key.ts')).keyCommand(),
  },
  {
    name: 'pin',
    description: 'seal the HSM’s PIN to this host’s TPM, approve its opening, test it',
    load: async () => (await import('./pin.ts')).pinCommand(),
  },
  {
    name: 'trust',
    description: 'the TPM vendors who are trusted: add, list, check certificates',
    load: async () => (await import('./trust.ts')).trustCommand(),
  },
  {
    name: 'audit',
    description: 'verify the record',
    load: async () => (await import('./audit.ts')).auditCommand(),
  },
]

/**
 * Runs one command line and sets the process's exit code (docs/operators.md): 0 done, 1 evidence or policy says no, 2 usage or
 * configuration, 3 device, 4 ledger, 5 internal. With `--json` an error, too, is one object on standard output.
 */
export async function main(args: readonly string[]): Promise<void> {
  const json = args.includes('--json')
  // Whoever reads along may leave early (a pager, head): the command still ends as it should.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  const program = new Command('attestry')
    .description('Evidence for every operation on sensitive data: TPM, HSM and ledger in one chain.')
    .version(version())
  for (const { name, description, load } of commands) {
    const command = args.includes(name) ? await load() : new Command(name)
    program.addCommand(command.description(description))
  }
  exitInsteadOfProcess(program)
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 || args.length === 0 ? EXIT.done : EXIT.usage
      if (json && process.exitCode !== 0) say({ ok: false, error: { code: 'USAGE', message: error.message } })
      // Commander tells what its own parsing refuses; what an action throws of this kind nobody has told yet.
      else if (error instanceof InvalidArgumentError) process.stderr.write(`attestry: ${error.message} (USAGE)\n`)
      return
    }
    process.exitCode = error instanceof InterruptedError ? exitCodeOfSignal(error.signal) : exitCodeOf(error)
    const code = codeOf(error) ?? 'INTERNAL'
    const words = revertWords(error)
    const message = words === undefined ? messageOf(error) : `${words} (${messageOf(error)})`
    const kept = error instanceof RefusalOnRecord ? { receiptFile: error.receiptFile } : {}
    const reason = error instanceof LedgerError && error.reason !== undefined ? { reason: error.reason } : {}
    if (json) say({ ok: false, error: { code, message, ...reason }, ...kept })
    else process.stderr.write(`attestry: ${message} (${code})\n`)
    if (process.exitCode === EXIT.internal && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`)
  }
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function exitInsteadOfProcess(command: Command): void {
  command.exitOverride().showSuggestionAfterError().showHelpAfterError('(add --help for what there is)')
  command.commands.forEach(exitInsteadOfProcess)
}

function say(value: object): void {
  process.stdout.write(`${stringify(value, 2)}\n`)
}
