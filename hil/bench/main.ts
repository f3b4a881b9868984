import { InterruptedError, exitCodeOfSignal } from '../../src/cli/interruption.ts'
import { engineSuite } from './engine.ts'
import { gasSuite } from './gas.ts'
import { hsmSuite } from './hsm.ts'
import { machine, type SuiteResult } from './suite.ts'
import { tpmSuite } from './tpm.ts'

const usage = `npm run bench -- SUITE [--json] [--update]

engine   the latency of operations beside the bare HSM's, in turn, in one run
gas      what everything costs on the ledger, compared with contracts/gas.json;
         --update checks in what was measured
hsm      signatures and encryption by the HSM's device process beside a C loop
         over the same module; the start with 1,000 objects on the token
tpm      quotes and PCRs by the device process beside a C loop over Esys and
         tpm2_quote; event logs and IMA logs

Exit code 1, and "ok": false, where a goal of the engine's, the HSM's or the
TPM's is missed, or where gas differs from what is checked in: a goal of gas
that is known to be missed stands in the row as "met": false, and in "met" of
the whole.
Examples: npm run -s bench -- engine --json
          npm run -s bench -- gas`

const args = process.argv.slice(2)
const [json, update] = ['--json', '--update'].map((flag) => args.includes(flag))
const [name, ...rest] = args.filter((arg) => arg !== '--json' && arg !== '--update')

const say = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

const suites: Readonly<Record<string, () => Promise<SuiteResult>>> = {
  engine: () => engineSuite(say),
  gas: () => gasSuite(say, update === true),
  hsm: () => hsmSuite(say),
  tpm: () => tpmSuite(say),
}

/** What is wrong with the arguments, undefined where nothing is. */
function fault(): string | undefined {
  if (name === undefined) return 'no suite is named'
  if (!Object.hasOwn(suites, name)) return `there is no suite ${name}`
  if (rest[0] !== undefined) return `it does not know ${rest[0]}`
  return update === true && name !== 'gas' ? '--update is for gas alone' : undefined
}

const suite = suites[name ?? '']
if (args.includes('--help')) {
  console.log(usage)
} else if (fault() !== undefined || suite === undefined) {
  console.error(`bench: ${fault() ?? ''}\n\n${usage}`)
  process.exitCode = 2
} else {
  const result = await suite().catch((error: unknown) => {
    if (error instanceof InterruptedError) process.exit(exitCodeOfSignal(error.signal))
    throw error
  })
  say('')
  const met = result.rows.every((row) => !('met' in row) || row.met !== false)
  const report = { suite: name, machine: machine(), ok: result.ok, met, rows: result.rows }
  console.log(
    json === true ? JSON.stringify(report, null, 2) : `${report.suite} on ${report.machine}\n\n${result.text}`,
  )
  if (json === true && !result.ok) console.error(result.text)
  if (!result.ok) process.exitCode = 1
}
