// Runs the contracts' invariant tests as often as told, the three suites side by side.
//
//   npm run test:invariants -- --runs N [--compare-every N] [--suite Registries|Policy|Log]
//
// A run is a sequence of 64 calls. Whether each was taken is always held against the model; all that the contracts answer is after every
// eighth call and at the end of the run, or as often as told (npm test does after every call: that takes most of the time).
// 100,000 runs take two hours of one core. Ends with one line a suite.
import { spawn, spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { clearInterval, setInterval } from 'node:timers'
import { parseArgs } from 'node:util'

const SUITES = ['Registries', 'Policy', 'Log']
const usage = `npm run test:invariants -- --runs N [--compare-every N] [--suite ${SUITES.join('|')}]

A run is 64 calls; the contracts are compared with their model after every 8th, or as told.
Example: npm run test:invariants -- --runs 100000`

const options = read()
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const env = {
  ...process.env,
  PATH: [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
  FOUNDRY_INVARIANT_RUNS: String(options.runs),
  FOUNDRY_INVARIANT_CHECK_INTERVAL: String(options.compareEvery),
  NO_COLOR: '1',
}
const forge = join('node_modules/.bin/forge')

console.error('compiling, which takes about a minute where something changed …')
const compiled = [
  spawnSync(process.execPath, ['scripts/compile-contracts.mjs'], { stdio: 'inherit' }),
  // Once for all three, which would otherwise compile at the same time into the same place.
  spawnSync(forge, ['build'], { env, stdio: ['ignore', 'ignore', 'inherit'] }),
]
if (compiled.some(({ status }) => status !== 0)) process.exit(1)

const begin = Date.now()
console.error(`suites ${options.suites.join(', ')}: ${options.runs} runs each …`)
const progress = setInterval(() => console.error(`${minutes()} …`), 60_000)
const passed = await Promise.all(options.suites.map(run))
clearInterval(progress)
process.exit(passed.every(Boolean) ? 0 : 1)

function run(suite) {
  const path = `contracts/test/invariant/${suite}.t.sol`
  const child = spawn(forge, ['test', '--match-path', path, '--match-test', '^invariant'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  return new Promise((resolve) =>
    child.on('close', (status) => {
      const counts = /^\[PASS\] \w+\(\) \(runs: (\d+), calls: (\d+), reverts: (\d+)\)/m.exec(output)
      const isGood = status === 0 && counts !== null && counts[3] === '0'
      if (!isGood) process.stdout.write(output)
      const words = isGood ? `${counts[1]} runs, ${counts[2]} calls, no difference` : 'FAILED'
      console.log(`${suite}: ${words}, after ${minutes()}`)
      resolve(isGood)
    }),
  )
}

function minutes() {
  return `${((Date.now() - begin) / 60_000).toFixed(1)} min`
}

function read() {
  let values
  try {
    const known = {
      runs: { type: 'string' },
      'compare-every': { type: 'string', default: '8' },
      suite: { type: 'string' },
      help: { type: 'boolean' },
    }
    values = parseArgs({ options: known }).values
  } catch (error) {
    refuse(error.message)
  }
  if (values.help === true) {
    console.log(usage)
    process.exit(0)
  }
  const runs = atLeastOne('runs', values.runs)
  const compareEvery = atLeastOne('compare-every', values['compare-every'])
  const suites = values.suite === undefined ? SUITES : [values.suite]
  if (!suites.every((suite) => SUITES.includes(suite))) refuse(`--suite: there is none named ${values.suite}`)
  return { runs, compareEvery, suites }
}

function atLeastOne(option, value) {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1)
    refuse(`--${option}: expected a number from 1 on, found ${value ?? 'none'}`)
  return number
}

function refuse(why) {
  console.error(`${why}\n\n${usage}`)
  process.exit(2)
}
