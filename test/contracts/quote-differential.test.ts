import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startAnvil } from '../../hil/stack/anvil.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { Draw } from './draw.ts'
import { callAll, request } from './harness-calls.ts'
import { capturedSpecimens, freshSpecimens, softwareSpecimens, type QuoteCase, type Specimen } from './quote-case.ts'
import { keyOf, Mutations } from './quote-mutation.ts'
import {
  callOf,
  contractVerdict,
  INFO_REASONS,
  QUOTE_HARNESS_CODE,
  REASONS,
  typescriptVerdict,
  type Question,
  type Verdict,
} from './quote-verdict.ts'

/** The same draws in every run; the swtpm's and the test's own keys differ, so a difference is told with all that was asked. */
const SEED = Number(process.env.QUOTE_SEED ?? 20260401)
/** So many different changes of quotes that TPMs made; then a fifth as many of quotes by keys of the test's own, which sign again. */
const MUTATIONS = Number(process.env.QUOTE_MUTATIONS ?? 20_000)
/** Each is asked as a whole; one in seven also of a part, which the whole may not come to. */
const PARTS: readonly Question[] = ['signature', 'key', 'info']
const BATCH = 250
const HARNESS = '0x00000000000000000000000000000000000a77e5'

describe(`TpmQuote beside verifyQuote (QUOTE_SEED=${SEED} QUOTE_MUTATIONS=${MUTATIONS})`, function () {
  this.timeout(600_000)
  this.retries(0)
  let dir: string
  const processes: StackProcess[] = []
  const ledgers: { readonly hardfork: string; readonly rpc: string }[] = []
  let real: readonly Specimen[]
  const software = softwareSpecimens()

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-quotes-'))
    for (const hardfork of ['osaka', 'berlin'] as const) {
      const ledger = await startAnvil(await mkdtemp(join(dir, hardfork)), { hardfork })
      processes.push(ledger.process)
      await request(ledger.rpc, 'anvil_setCode', [HARNESS, QUOTE_HARNESS_CODE])
      ledgers.push({ hardfork, rpc: ledger.rpc })
    }
    real = [...capturedSpecimens(), ...(await quotesOfATpm())]
  })
  after(async () => {
    await Promise.all(processes.map(stopProcess))
    await rm(dir, { recursive: true, force: true })
  })

  it('gives the same verdict on every quote as it was made, and takes those by primary keys', async () => {
    for (const specimen of [...real, ...software]) {
      const questions: readonly Question[] = ['verify', 'signature', 'key', 'info']
      const verdicts = await sameVerdicts(questions.map((question) => ({ question, asked: specimen })))
      const [whole, signature, key] = verdicts.map(({ isTaken }) => isTaken)
      assert.deepEqual([whole, signature, key], [specimen.isGood, true, true], specimen.name)
    }
  })

  it('gives the same verdict for the same reason on every mutation', async () => {
    const draw = new Draw(SEED)
    const mutations = new Mutations(draw, [...real, ...software])
    const seen = new Map<string, number>()
    const asked = new Set<string>()
    for (const [specimens, wanted] of [
      [real, MUTATIONS],
      [software, MUTATIONS / 5],
    ] as const) {
      const before = asked.size
      for (let made = 0; made < wanted; made += BATCH) {
        const drawn = Array.from({ length: Math.min(BATCH, wanted - made) }, () => mutations.next(specimens))
        const wholes = drawn.map((one) => ({ question: 'verify' as const, asked: one }))
        const parts = drawn.filter(() => draw.chance(15)).map((one) => ({ question: draw.pick(PARTS), asked: one }))
        const cases = [...wholes, ...parts]
        const verdicts = await sameVerdicts(cases)
        verdicts.forEach(({ isTaken, words }, i) => {
          const reason = `${cases[i]?.question ?? ''}: ${isTaken ? 'taken' : words.replace(/\(.*/, '')}`
          seen.set(reason, (seen.get(reason) ?? 0) + 1)
        })
        for (const one of drawn) asked.add(keyOf(one))
      }
      assert.equal(asked.size - before, wanted, 'different mutations, each asked as a whole')
    }
    for (const specimen of [...real, ...software]) assert.ok(!asked.has(keyOf(specimen)), `${specimen.name}, unchanged`)
    const counts = [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([reason, count]) => `${reason} ${count}`)
    console.log(`      ${asked.size} different mutations, ${mutations.repeated} more drawn that were there already`)
    console.log(`      ${counts.join('\n      ')}`)
    const expected = [
      ...['taken', ...REASONS.map(([, contract]) => contract)].map((reason) => `verify: ${reason}`),
      ...['taken', ...INFO_REASONS.map(([, contract]) => contract)].map((reason) => `info: ${reason}`),
    ]
    const missing = expected.filter((reason) => !seen.has(reason))
    if (MUTATIONS >= 20_000) assert.deepEqual(missing, [], 'reasons that no mutation came to')
  })

  /** Asks all three, compares, and gives the verdict that they share. */
  async function sameVerdicts(
    cases: readonly { readonly question: Question; readonly asked: QuoteCase }[],
  ): Promise<readonly Verdict[]> {
    const calls = cases.map(({ question, asked }) => callOf(question, asked))
    const asking = ledgers.map(async ({ hardfork, rpc }) => ({
      hardfork,
      outcomes: await callAll(rpc, HARNESS, calls),
    }))
    const verdicts = await Promise.all(cases.map(({ question, asked }) => typescriptVerdict(question, asked)))
    for (const { hardfork, outcomes } of await Promise.all(asking)) {
      verdicts.forEach((verdict, i) => {
        const [question, outcome] = [cases[i]?.question, outcomes[i]]
        assert.ok(question !== undefined && outcome !== undefined)
        const found = contractVerdict(question, outcome.isRefused, outcome.answer)
        assert.deepEqual(found, verdict, `${hardfork} (found) beside TypeScript (expected): ${calls[i] ?? ''}`)
      })
    }
    return verdicts
  }

  /** A TPM with both banks, for as long as it takes to make its quotes. */
  async function quotesOfATpm(): Promise<readonly Specimen[]> {
    const home = await mkdtemp(join(dir, 'tpm-'))
    await manufactureSwtpm(home)
    const files = ['--tpmstate', join(home, 'state'), '--config', join(home, 'setup.conf')]
    await promisify(execFile)('swtpm_setup', ['--tpm2', ...files, '--reconfigure', '--pcr-banks', 'sha256,sha384'])
    const { process: swtpm, tcti } = await startSwtpm(home)
    try {
      // The connection with which it was found ready closes when this process has time; swtpm serves one at a time.
      const tpm = new Tpm({ tcti })
      await tpm.attestationKey().finally(() => tpm.close())
      return freshSpecimens(tcti)
    } finally {
      await stopProcess(swtpm)
    }
  }
})
