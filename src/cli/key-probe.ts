import { resolve } from 'node:path'
import { Command } from 'commander'
import type { ProbeAttempt, ProbeConfig, ProbeReport } from '../hsm/probe-hsm.ts'
import { configOf, withConfig, type PlaceOptions } from './context.ts'
import { UsageError } from './error.ts'
import { Output } from './output.ts'

interface ProbeOptions extends PlaceOptions {
  readonly module?: string
  readonly token?: string
  readonly pinFile?: string
  readonly parameters?: string
}

/** `attestry key probe`: tries to steal keys from a module. */
export function keyProbeCommand(): Command {
  return withConfig(new Command('probe'))
    .description(
      'make scratch keys in the HSM and try to steal them in every known way; a module that gives any up is not fit for keys of Attestry’s (exit code 1)',
    )
    .option('--module <file>', 'a PKCS#11 module, instead of the configuration’s')
    .option('--token <label>', 'its token')
    .option('--pin-file <file>', 'the user PIN; tried once')
    .option('--parameters <text>', 'what NSS’s module wants to be told when it is loaded')
    .addHelpText(
      'after',
      '\nNothing is left in the token. What is refused is refused now: no proof that a\nmodule can be trusted, but those known to give keys away are found out.\n\nExamples:\n  attestry key probe --json\n  attestry key probe --module libsofthsm2.so --token mine --pin-file pin',
    )
    .action(probeKeys)
}

async function probeKeys(options: ProbeOptions): Promise<void> {
  const output = new Output(options.json === true)
  const { probeHsm } = await import('../hsm/probe-hsm.ts')
  const config = await probeConfigOf(options)
  const report = await output.progress(`probing ${config.module}`, () => probeHsm(config))
  output.result(report, textOf(report))
  if (!report.ok) process.exitCode = 1
}

async function probeConfigOf({ module, token, pinFile, parameters, ...place }: ProbeOptions): Promise<ProbeConfig> {
  if (module === undefined && token === undefined && pinFile === undefined && parameters === undefined) {
    const { hsmConfigOf } = await import('../agent/open-hsm.ts')
    return hsmConfigOf(await configOf(place))
  }
  if (module === undefined || token === undefined || pinFile === undefined) {
    throw new UsageError('USAGE', '--module, --token and --pin-file go together')
  }
  const given = { module: resolve(module), token, pinFile: resolve(pinFile) }
  return parameters === undefined ? given : { ...given, parameters }
}

function textOf({ ok, module, library, manufacturer, token, keys, attempts }: ProbeReport): string {
  const lines = [`module    ${module}`, `library   ${library} (${manufacturer})`, `token     ${token}`, '']
  for (const kind of ['ledger', 'data'] as const) {
    const own = attempts.filter(({ key }) => key === kind)
    lines.push(`${kind} key`.padEnd(12) + (keys[kind].ok ? 'kept' : 'NOT KEPT'), `  ${countsOf(own)}`)
    lines.push(...keys[kind].reasons.map((reason) => `  ${reason}`), '')
  }
  return [...lines, ok ? 'fit: nothing that was tried succeeded' : 'NOT FIT for keys of Attestry’s'].join('\n')
}

function countsOf(attempts: readonly ProbeAttempt[]): string {
  const counts = new Map<string, number>()
  for (const { outcome } of attempts) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  return [`${attempts.length} attempts`, ...[...counts].map(([outcome, count]) => `${count} ${outcome}`)].join(', ')
}
