import { Command } from 'commander'
import { toHex } from '../core/bytes.ts'
import { Output } from './output.ts'
import { standingTpmOf, withTpm, type TpmOptions } from './standing-tpm.ts'

/** `attestry pcrs`: every PCR of every bank, as the TPM has them now. Nothing signs them. */
export function pcrsCommand(): Command {
  return withTpm(new Command('pcrs'))
    .addHelpText('after', '\nExamples:\n  attestry pcrs --json > pcrs.json\n  attestry pcrs --tcti device:/dev/tpmrm0')
    .action(showPcrs)
}

async function showPcrs(options: TpmOptions): Promise<void> {
  const output = new Output(options.json === true)
  const { tpm: config } = await standingTpmOf(options)
  const { Tpm } = await import('../tpm/tpm.ts')
  const tpm = new Tpm(config)
  try {
    const banks = await output.progress('reading', () => tpm.readPcrBanks())
    const pcrs = Object.fromEntries(
      Array.from(banks, ([bank, values]) => [
        bank,
        Object.fromEntries(Array.from(values, ([pcr, value]) => [String(pcr), toHex(value)])),
      ]),
    )
    const text = Array.from(banks, ([bank, values]) =>
      [bank, ...Array.from(values, ([pcr, value]) => pcrLines(pcr, toHex(value).slice(2)))].join('\n'),
    )
    output.result({ ok: true, pcrs }, text.join('\n\n'))
  } finally {
    await tpm.close()
  }
}

const DIGITS = 64

/** A value in lines of at most 64 digits, the PCR in front of the first. */
function pcrLines(pcr: number, value: string): string {
  const lines = Array.from({ length: Math.ceil(value.length / DIGITS) }, (_, i) =>
    value.slice(i * DIGITS, (i + 1) * DIGITS),
  )
  return lines.map((line, i) => `  ${i === 0 ? String(pcr).padStart(2) : '  '}  ${line}`).join('\n')
}
