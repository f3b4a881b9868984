// Compiles the contracts with solcjs into build/contracts/NAME.json: { contractName, abi, bytecode, deployedBytecode }; and the
// contracts through which tests call libraries, contracts/test/harness, into build/contracts/harness/NAME.json.
//
//   node scripts/compile-contracts.mjs
//
// Does nothing, without loading the compiler, where neither sources nor settings nor versions changed since the last time.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const sourceRoot = 'contracts/src'
const harnessRoot = 'contracts/test/harness'
const output = join(root, 'build/contracts')
const contracts = [
  ...['HostRegistry', 'VmmRegistry', 'AccessPolicy', 'AuditLog'].map((name) => ({
    name,
    path: sourceRoot,
    artifact: name,
  })),
  ...['Meter', 'QuoteHarness', 'Wallet'].map((name) => ({ name, path: harnessRoot, artifact: `harness/${name}` })),
]

// paris is the newest level that every supported chain runs; foundry.toml repeats these for the tests.
const settings = {
  evmVersion: 'paris',
  viaIR: true,
  optimizer: { enabled: true, runs: 10_000 },
  metadata: { bytecodeHash: 'none' },
  outputSelection: {
    '*': {
      '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object', 'evm.deployedBytecode.immutableReferences'],
    },
  },
}
const maxDeployedBytes = 24_576 // EIP-170

const sources = Object.fromEntries(
  [sourceRoot, harnessRoot].flatMap((path) =>
    readdirSync(join(root, path), { recursive: true })
      .filter((name) => name.endsWith('.sol'))
      .sort()
      .map((name) => [`${path}/${name}`, { content: readFileSync(join(root, path, name), 'utf8') }]),
  ),
)
const versions = ['solc', '@openzeppelin/contracts'].map(
  (name) => JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version,
)
const fingerprint = createHash('sha256')
  .update(JSON.stringify([contracts, settings, versions, sources]))
  .digest('hex')
const fingerprintFile = join(output, 'fingerprint')

const isCurrent =
  contracts.every(({ artifact }) => existsSync(join(output, `${artifact}.json`))) &&
  existsSync(fingerprintFile) &&
  readFileSync(fingerprintFile, 'utf8') === fingerprint
if (!isCurrent) compile()

function compile() {
  console.log('contracts: compiling, which takes about half a minute …')
  const solc = createRequire(import.meta.url)('solc')
  const input = { language: 'Solidity', sources, settings }
  const result = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }))

  const faults = (result.errors ?? []).filter(
    ({ severity, sourceLocation }) => severity === 'error' || (sourceLocation?.file.startsWith('contracts/') ?? true),
  )
  for (const { formattedMessage } of faults) console.error(formattedMessage)
  if (faults.length > 0) fail(`${faults.length} errors and warnings`)

  mkdirSync(join(output, 'harness'), { recursive: true })
  for (const { name: contractName, path, artifact } of contracts) {
    const { abi, evm } = result.contracts[`${path}/${contractName}.sol`][contractName]
    const deployedBytes = evm.deployedBytecode.object.length / 2
    if (deployedBytes > maxDeployedBytes)
      fail(`${contractName} has ${deployedBytes} bytes, at most ${maxDeployedBytes} can be deployed`)
    const compiled = {
      contractName,
      abi,
      bytecode: `0x${evm.bytecode.object}`,
      deployedBytecode: `0x${evm.deployedBytecode.object}`,
      // Where the constructor writes: [start, length] in bytes.
      immutables: Object.values(evm.deployedBytecode.immutableReferences ?? {})
        .flat()
        .map(({ start, length }) => [start, length]),
    }
    write(join(output, `${artifact}.json`), `${JSON.stringify(compiled, null, 2)}\n`)
  }
  write(fingerprintFile, fingerprint)
  console.log(`contracts: compiled ${contracts.map(({ name }) => name).join(', ')} with solc ${solc.version()}`)
}

function readImport(path) {
  if (!path.startsWith('@openzeppelin/contracts/')) return { error: `${path} is not a source of this project` }
  return { contents: readFileSync(join(root, 'node_modules', path), 'utf8') }
}

// Others may be reading: a file is either the old one or the new one.
function write(path, text) {
  writeFileSync(`${path}.${process.pid}`, text)
  renameSync(`${path}.${process.pid}`, path)
}

function fail(message) {
  console.error(`contracts: ${message}`)
  process.exit(1)
}
