// Runs every test, TypeScript's and Solidity's, and ends with one line: "N passed, N failed, N skipped".
//
//   node scripts/test.mjs                  all
//   node scripts/test.mjs contracts        all about the contracts: Solidity's tests under both hardforks, and those on anvil
//   node scripts/test.mjs test/hsm/*.ts    some test files, without the Solidity tests
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Mocha from 'mocha'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)

const chosen = process.argv.slice(2)
// Most of the time goes by in waiting for blocks and devices: more files at once than there are cores.
const JOBS = 3

// Invariants name the hardfork that they run on, so they run once; those on berlin take too long for a run of all.
const forgeRuns = {
  all: [['--no-match-path', 'contracts/test/invariant/Berlin.t.sol']],
  contracts: [
    ['--hardfork', 'berlin'],
    ['--hardfork', 'osaka', '--no-match-path', 'contracts/test/invariant/*'],
  ],
  files: [],
}
const testFiles = {
  all: () => globSync('test/**/*.test.ts').sort(),
  contracts: () => [...globSync('test/contracts/*.test.ts').sort(), 'test/auditor/check-access-differential.test.ts'],
  files: () => chosen,
}
const what = chosen.length === 0 ? 'all' : chosen[0] === 'contracts' ? 'contracts' : 'files'

const total = { passed: 0, failed: 0, skipped: 0 }
// Apart from the others: its compiler takes a core for itself, and they wait for devices that have deadlines.
for (const options of forgeRuns[what]) {
  const { status, output } = await runForge(options)
  process.stdout.write(output)
  const line = /^forge: (\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output)
  total.passed += Number(line?.[1] ?? 0)
  total.failed += status === 0 && line !== null ? Number(line[2]) : Math.max(1, Number(line?.[2] ?? 0))
  total.skipped += Number(line?.[3] ?? 0)
}
const typescript = await runMocha(testFiles[what]())
total.passed += typescript.passes
total.failed += typescript.failures
total.skipped += typescript.pending

console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)

async function runMocha(files) {
  const mocha = new Mocha({
    timeout: 120_000,
    forbidOnly: true,
    reporter: 'spec',
    parallel: true,
    jobs: JOBS,
    retries: 1,
  })
  for (const file of files) mocha.addFile(file)
  mocha.lazyLoadFiles(true)
  // The tests share real processes, ports and two cores. One that failed once is run once more, and named below.
  const retried = []
  const stats = await new Promise((resolve) => {
    const runner = mocha.run(() => resolve(runner.stats))
    runner.on('retry', (test, error) => retried.push(`${test.fullTitle()}: ${error.message}`))
  })
  for (const line of retried) console.log(`run twice: ${line}`)
  // What the contracts say never depends on the machine: a difference that a second draw does not show is still one.
  return what === 'contracts' ? { ...stats, failures: stats.failures + retried.length } : stats
}

function runForge(options) {
  const child = spawn(process.execPath, ['scripts/forge-test.mjs', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, output })))
}
