import { Command } from 'commander'
import { toHex } from '../core/bytes.ts'
import { configOf, withConfig, type PlaceOptions } from './context.ts'
import { EXIT } from './exit.ts'
import { Output, table } from './output.ts'

/** `attestry measure`: extend and log the VMM's measurement, before any guest starts. */
export function measureCommand(): Command {
  return withConfig(new Command('measure'))
    .addHelpText('after', '\nExample:\n  attestry measure --config /etc/attestry/agent.toml')
    .action(measureNow)
}

async function measureNow(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const config = await configOf(options)
  const [{ Tpm }, { measure }, { profileOf }, { compareWithKernel }] = await Promise.all([
    import('../tpm/tpm.ts'),
    import('../vmm/measurement.ts'),
    import('../agent/propose.ts'),
    import('./measure-ima.ts'),
  ])
  const tpm = new Tpm(config.tpm)
  try {
    const profile = profileOf(config)
    const measured = await output.progress('measuring', () => measure(tpm, profile, config.vmm.log))
    const ima = await compareWithKernel(tpm, profile, measured.log.records, config.vmm)
    const components = measured.events.map(({ kind, name, sha256 }) => ({
      kind,
      name,
      sha256: sha256 === undefined ? null : toHex(sha256),
    }))
    output.result(
      {
        ok: ima.result !== 'fail',
        profile: profile.name,
        pcr: profile.pcr,
        value: toHex(measured.pcrValue),
        extended: measured.extended,
        components,
        ima,
      },
      [
        table(components.map(({ kind, name, sha256 }) => [kind, name, sha256 ?? ''])),
        '',
        `PCR ${profile.pcr}    ${toHex(measured.pcrValue)}`,
        `extended  ${measured.extended} of ${components.length} events now`,
        `IMA       ${ima.result}: saw ${ima.agreed.length} files as measured, in ${ima.covered} entries`,
        ...ima.findings.flatMap(({ code, name, detail }) => [`  ${code}  ${name ?? ''}`, `    ${shortened(detail)}`]),
      ].join('\n'),
    )
    if (ima.result === 'fail') process.exitCode = EXIT.refused
  } finally {
    await tpm.close()
  }
}

/** Digests by their first digits, so that a line holds two. */
function shortened(detail: string): string {
  return detail.replaceAll(/(0x[0-9a-f]{16})[0-9a-f]+/g, '$1…')
}
