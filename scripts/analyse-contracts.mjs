// Static analysis of contracts/src, with nothing unexplained, and the symbolic test of the narrowing rule.
//
//   npm run analyse
//
// solhint (npm), slither and halmos (PyPI, into build/analysis-…, pinned with all that they need). Fails on every finding that is not
// settled below, on every settled one that no longer appears, and where a symbolic test does not pass. Ends with one line of counts.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const usage = `npm run analyse

solhint, slither and halmos on the contracts; installs the last two on its first
run, and takes about a minute then. It takes no arguments.`
if (process.argv.length > 2) {
  const isHelp = process.argv[2] === '--help'
  if (isHelp) console.log(usage)
  else console.error(`it does not know ${process.argv[2]}\n\n${usage}`)
  process.exit(isHelp ? 0 : 2)
}

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const node = dirname(process.execPath)
const environment = {
  ...process.env,
  PATH: [join(root, 'node_modules/.bin'), node, process.env.PATH ?? ''].join(delimiter),
  FOUNDRY_PROFILE: 'analysis',
  NO_COLOR: '1',
}

/** What slither says, where, and why it is right as it is. `*` stands for every place. */
const settled = [
  [
    'assembly',
    ['AuditLog._leafOf', 'MerkleTree._joinPairs', 'MerkleTree.leafOf', 'MerkleTree.nodeOf'],
    'hashing without leaving bytes behind, as memory costs by its square; all memory-safe, and held to plain code by tests',
  ],
  [
    'calls-loop',
    ['AuditLog._ask', 'AuditLog._countUses', 'AuditLog._isAuthorised', 'AuditLog._stand', 'Decisions._decide'],
    'calls of the other three contracts alone, which call nobody back; as many as the calldata has contexts or approvals',
  ],
  [
    'incorrect-equality',
    ['AccessPolicy._enter', 'AccessPolicy._requireNarrower', 'AccessPolicy.cancel'],
    'block numbers of which 0 means that it never happened; nobody can set them',
  ],
  [
    'low-level-calls',
    ['SignerCheck.isSignedBy'],
    "ERC-1271: an account's answer of any length, or none, must not revert; OpenZeppelin's needs an opcode that older chains lack",
  ],
  ['low-level-calls', ['TpmQuote._isRsassa'], 'the precompile for modular exponentiation has no other way'],
  [
    'missing-zero-check',
    ['constructor.auditLog'],
    'the deployer computes the address before the contract is there; the deployment is checked against it afterwards',
  ],
  [
    'naming-convention',
    [
      'AccessPolicy.AUDIT_LOG',
      'AccessPolicy.HOSTS',
      'AccessPolicy.VMMS',
      'AuditLog.HOSTS',
      'AuditLog.POLICY',
      'AuditLog.VMMS',
      'HostRegistry.APPROVERS',
      'VmmRegistry.HOSTS',
    ],
    'immutables are written like constants (Solidity style guide, solhint)',
  ],
  [
    'reentrancy-events',
    ['AuditLog.commit'],
    'the call is of the AccessPolicy, which calls nobody; the verdicts hang on its answer',
  ],
  [
    'timestamp',
    [
      'AccessPolicy._requireNarrower',
      'AuditLog._judgeRecord',
      'AuditLog._isAuthorised',
      'AuditLog._stand',
      'Decisions._requireSigned',
      'VmmRegistry._isVacant',
      'VmmRegistry.approve',
      'VmmRegistry.isAuthorised',
      'VmmRegistry.propose',
    ],
    "validity is said in seconds; a block producer's few seconds decide nothing that it could not by leaving the transaction out",
  ],
  [
    'too-many-digits',
    ['TpmQuote.slitherConstructorConstantVariables'],
    'bytes of TPM structures as the specification has them',
  ],
  [
    'unused-return',
    ['AuditLog._requireSigned', 'SignerCheck.isSignedByKey'],
    "the third is the error's argument; the error refuses",
  ],
  ['unused-return', ['AuditLog.anchor'], 'the assurance: without records there is no grant that asks for one'],
  ['unused-return', ['History.archive'], 'the values before and after, which the caller has'],
  [
    'unused-return',
    ['HostRegistry._requireBond', 'HostRegistry.rotateAddress', 'HostRegistry.replaceAddress'],
    'the quote proves whose it is; what VMM it shows matters to none of them',
  ],
  ['unused-return', ['VmmRegistry.propose'], 'whether an address speaks for the host: anybody may submit its quote'],
]

/** Detectors that cannot run, and why. */
const crashing = {
  'encode-packed-collision': 'slither 0.11.6 ends with a TypeError on a list in its taint analysis',
}

const lint = solhint()
build()
const found = slither()
const symbolic = halmos()
console.log(
  `contracts: solhint ${lint} findings; slither ${found.length} findings, all explained; halmos ${symbolic} symbolic tests passed`,
)

function solhint() {
  const report = run('solhint', [
    ...['--config', 'contracts/analysis/solhint.config.cjs', '--formatter', 'json', '--disc', '--noPoster'],
    'contracts/src/**/*.sol',
  ])
  const findings = JSON.parse(report.stdout || '[]').filter(({ ruleId }) => ruleId !== undefined)
  for (const { filePath, line, ruleId, message } of findings)
    console.error(`${filePath}:${line}: ${ruleId}: ${message}`)
  if (findings.length > 0 || report.status !== 0) fail(`solhint: ${findings.length} findings ${report.stderr}`)
  return findings.length
}

function slither() {
  const bin = python('slither')
  const output = 'build/analysis/slither.json'
  rmSync(output, { force: true })
  const report = run(join(bin, 'slither'), [
    ...['.', '--ignore-compile', '--foundry-out-directory', 'build/analysis', '--json', output],
    ...['--filter-paths', 'node_modules|contracts/analysis', '--exclude', Object.keys(crashing).join()],
  ])
  if (!existsSync(output)) fail(`slither did not run:\n${report.stderr}`)
  const { success, error, results } = JSON.parse(readFileSync(output, 'utf8'))
  if (success !== true) fail(`slither: ${error}`)
  const findings = (results.detectors ?? []).map(({ check, description, elements }) => ({
    key: `${check}: ${placeOf(elements[0])}`,
    description: description.trim(),
  }))
  const known = settled.flatMap(([check, places]) => places.map((place) => `${check}: ${place}`))
  const unexplained = findings.filter(({ key }) => !known.includes(key))
  for (const { key, description } of unexplained) console.error(`${key}\n${description}\n`)
  const unused = known.filter((key) => !findings.some((finding) => finding.key === key))
  for (const key of unused) console.error(`${key}: settled, and not found any more`)
  if (unexplained.length + unused.length > 0) fail('slither: findings and explanations differ')
  return findings
}

/** The contract and the function, or the variable. */
function placeOf({ name, type_specific_fields: { parent } }) {
  return parent === undefined || parent.name.endsWith('.sol') ? name : `${parent.name}.${name}`
}

function halmos() {
  const bin = python('halmos')
  const report = run(join(bin, 'halmos'), [
    ...['--forge-build-out', 'build/analysis', '--contract', 'NarrowingTest', '--function', 'check_'],
    ...['--solver-timeout-assertion', '120000', '--no-status'],
  ])
  const totals = /(\d+) passed; (\d+) failed/.exec(report.stdout)
  if (report.status !== 0 || totals === null || totals[1] === '0' || totals[2] !== '0') {
    fail(`halmos:\n${report.stdout}${report.stderr}`)
  }
  return totals[1]
}

/** The contracts with their syntax trees, by forge; what an earlier build left would be read too. */
function build() {
  for (const directory of ['build/analysis', 'build/analysis-cache'])
    rmSync(directory, { recursive: true, force: true })
  const report = run('forge', ['build', '--build-info'])
  if (report.status !== 0) fail(`forge build:\n${report.stdout}${report.stderr}`)
}

/** An environment of its own with a program's pinned packages. @returns where its programs are */
function python(name) {
  const requirements = `contracts/analysis/${name}-requirements.txt`
  const directory = join(root, 'build', `analysis-${name}`)
  const stamp = join(directory, 'installed')
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest) {
    console.error(`installing ${name} …`)
    rmSync(directory, { recursive: true, force: true })
    must('python3', ['-m', 'venv', directory])
    must(join(directory, 'bin/pip'), [
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--requirement',
      requirements,
    ])
    writeFileSync(stamp, digest)
  }
  return join(directory, 'bin')
}

function must(program, args) {
  const { status, error, stdout, stderr } = run(program, args)
  if (status !== 0) fail(`${program} ${args.join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`)
}

function run(program, args) {
  return spawnSync(program, args, { env: environment, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
