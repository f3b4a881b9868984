// Runs every test, TypeScript's and Solidity's, and ends with one line: "N passed, N failed, N skipped".
//
//   node scripts/test.mjs                  all
//   node scripts/test.mjs test/hsm/*.ts    some test files, without the Solidity tests
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Mocha from 'mocha'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)

const chosen = process.argv.slice(2)
const mocha = new Mocha({ timeout: 60_000, forbidOnly: true, reporter: 'spec' })
const files = chosen.length > 0 ? chosen : globSync('test/**/*.test.ts').sort()
for (const file of files) mocha.addFile(file)
await mocha.loadFilesAsync()
const typescript = await new Promise((resolve) => {
  const runner = mocha.run(() => resolve(runner.stats))
})
const total = { passed: typescript.passes, failed: typescript.failures, skipped: typescript.pending }

if (chosen.length === 0) {
  const forge = spawnSync(process.execPath, ['scripts/forge-test.mjs'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.stdout.write(forge.stdout)
  const line = /^forge: (\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(forge.stdout)
  total.passed += Number(line?.[1] ?? 0)
  total.failed += line === null || forge.status !== 0 ? Math.max(1, Number(line?.[2] ?? 0)) : Number(line[2])
  total.skipped += Number(line?.[3] ?? 0)
}

console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
