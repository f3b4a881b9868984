// Runs the Solidity tests against the artifacts in build/contracts, which it makes first where they are missing or old.
//
//   node scripts/forge-test.mjs [--hardfork berlin|osaka] [--match-test NAME | any other option of forge test]
//
// The hardfork is that of the chain which the tests run on; without, foundry.toml's. Tests that need another one say so.
// Prints forge's own report, then as its last line: "forge: N passed, N failed, N skipped".
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const forge = join(root, 'node_modules/.bin/forge')
// The shim that stands in for solc finds Node by its name.
const args = process.argv.slice(2)
const hardfork = args[0] === '--hardfork' ? args.splice(0, 2)[1] : undefined
const output = hardfork === undefined ? 'build/forge' : `build/forge-${hardfork}`
const env = {
  ...process.env,
  ...(hardfork === undefined
    ? {}
    : { FOUNDRY_EVM_VERSION: hardfork, FOUNDRY_OUT: output, FOUNDRY_CACHE_PATH: `${output}-cache` }),
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
  NO_COLOR: '1',
}

const compiled = spawnSync(process.execPath, ['scripts/compile-contracts.mjs'], { cwd: root, stdio: 'inherit' })
if (compiled.status !== 0) process.exit(1)

const run = spawnSync(forge, ['test', ...args], {
  cwd: root,
  env,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
  maxBuffer: 64 * 1024 * 1024,
})
if (run.error) {
  console.error(`forge did not start: ${run.error.message}`)
  process.exit(1)
}
process.stdout.write(run.stdout)

const totals = /(\d+) tests passed, (\d+) failed, (\d+) skipped \(/.exec(run.stdout)
if (totals === null) {
  console.error('forge ran no tests')
  process.exit(1)
}
const [, passed, failed, skipped] = totals
console.log(`forge: ${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exit(run.status === 0 && passed !== '0' ? 0 : 1)
