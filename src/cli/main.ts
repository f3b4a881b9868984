import { Command, CommanderError } from 'commander'
import { codeOf, messageOf } from '../core/error.ts'
import { stringify } from '../record/json.ts'
import { agentCommand } from './agent.ts'
import { auditCommand } from './audit.ts'
import { dataCommand } from './data.ts'
import { demoCommand } from './demo.ts'
import { devCommand } from './dev.ts'
import { doctorCommand } from './doctor.ts'
import { EXIT, exitCodeOf } from './exit.ts'
import { grantCommand } from './grant.ts'
import { hostCommand } from './host.ts'
import { keyCommand } from './key.ts'
import { measureCommand } from './measure.ts'
import { operationCommand } from './operation.ts'
import { vmmCommand } from './vmm.ts'

/**
 * Runs one command line and sets the process's exit code (docs/operators.md): 0 done, 1 evidence or policy says no, 2 usage or
 * configuration, 3 device, 4 ledger, 5 internal. With `--json` an error, too, is one object on standard output.
 */
export async function main(args: readonly string[]): Promise<void> {
  const json = args.includes('--json')
  const program = new Command('attestry')
    .description('Evidence for every operation on sensitive data: TPM, HSM and ledger in one chain.')
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for what there is)')
  for (const command of [
    devCommand(),
    demoCommand(),
    agentCommand(),
    doctorCommand(),
    measureCommand(),
    hostCommand(),
    vmmCommand(),
    dataCommand(),
    grantCommand(),
    operationCommand(),
    keyCommand(),
    auditCommand(),
  ]) {
    program.addCommand(command)
  }
  exitInsteadOfProcess(program)
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 || args.length === 0 ? EXIT.done : EXIT.usage
      if (json && process.exitCode !== 0) say({ ok: false, error: { code: 'USAGE', message: error.message } })
      return
    }
    process.exitCode = exitCodeOf(error)
    const code = codeOf(error) ?? 'INTERNAL'
    if (json) say({ ok: false, error: { code, message: messageOf(error) } })
    else process.stderr.write(`attestry: ${messageOf(error)} (${code})\n`)
    if (process.exitCode === EXIT.internal && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`)
  }
}

function exitInsteadOfProcess(command: Command): void {
  command.exitOverride()
  command.commands.forEach(exitInsteadOfProcess)
}

function say(value: object): void {
  process.stdout.write(`${stringify(value, 2)}\n`)
}
