#!/usr/bin/env node
// What forge calls in place of a native solc: the pinned solcjs. Knows the two invocations that forge makes.
//
//   solc-shim.mjs --version
//   solc-shim.mjs --standard-json …     input on standard input, all sources inside it
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const solc = createRequire(import.meta.url)('solc')

if (process.argv.includes('--version')) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`)
} else if (process.argv.includes('--standard-json')) {
  process.stdout.write(solc.compile(readFileSync(0, 'utf8')))
} else {
  console.error('expected --version or --standard-json')
  process.exitCode = 2
}
