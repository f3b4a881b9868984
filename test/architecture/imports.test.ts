import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import ts from 'typescript'

/** Which part may import which other (docs/architecture.md). A part may always import itself. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  core: [],
  tcg: ['core'],
  record: ['core'],
  evidence: ['tcg', 'core'],
  ledger: ['record', 'core'],
  device: ['core'],
  tpm: ['tcg', 'device', 'core'],
  hsm: ['record', 'device', 'core'],
  vmm: ['tpm', 'tcg', 'core'],
  agent: ['vmm', 'hsm', 'tpm', 'device', 'ledger', 'evidence', 'record', 'tcg', 'core'],
  auditor: ['evidence', 'tcg', 'record', 'ledger', 'core'],
  cli: ['auditor', 'agent', 'vmm', 'hsm', 'tpm', 'device', 'ledger', 'evidence', 'record', 'tcg', 'core', 'hil'],
  native: ['core'],
  hil: [
    'cli',
    'agent',
    'auditor',
    'vmm',
    'hsm',
    'tpm',
    'device',
    'ledger',
    'evidence',
    'record',
    'tcg',
    'core',
    'native',
  ],
}

/** Packages that only some parts may import. */
const confined: Readonly<Record<string, readonly string[]>> = {
  koffi: ['native'],
  pkcs11js: ['hsm', 'hil'],
  'node:sqlite': ['agent'],
  commander: ['cli'],
}

/** Parts that must run in a browser: nothing of Node's, but for the named exceptions. */
const browser = ['core', 'tcg', 'record', 'evidence']

interface Import {
  readonly from: string
  readonly to: string
}

const files = globSync(['src/**/*.ts', 'native/**/*.ts', 'hil/**/*.ts'])

const imports: readonly Import[] = files.flatMap((file) =>
  ts.preProcessFile(readFileSync(file, 'utf8'), true, true).importedFiles.map(({ fileName }) => ({
    from: file,
    to: fileName.startsWith('.') ? normalize(join(dirname(file), fileName)) : fileName,
  })),
)

const isFile = (path: string) => /^(src|native|hil)\//.test(path)

function partOf(path: string): string {
  const [first = '', second = ''] = path.split('/')
  return first === 'src' ? second : first
}

describe('imports', () => {
  it('finds the sources', () => {
    assert.ok(imports.length > 100, `only ${imports.length} imports found`)
    assert.deepEqual(
      [...new Set(files.map(partOf))].filter((part) => !(part in arrows)),
      [],
    )
  })

  it('go only along the arrows', () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!isFile(to) || partOf(from) === partOf(to)) return false
      if (partOf(to) === 'native' && from.endsWith('child.ts')) return false
      return !arrows[partOf(from)]?.includes(partOf(to))
    })
    assert.deepEqual(wrong, [])
  })

  it('reach native code only from device processes', () => {
    const wrong = imports.filter(
      ({ from, to }) => partOf(to) === 'native' && partOf(from) !== 'native' && !from.endsWith('child.ts'),
    )
    assert.deepEqual(wrong, [])
  })

  it('never reach a device process: it is started, not imported', () => {
    assert.deepEqual(
      imports.filter(({ to }) => to.endsWith('child.ts')),
      [],
    )
  })

  it('keep packages where they belong', () => {
    const wrong = imports.filter(({ from, to }) => confined[to] !== undefined && !confined[to].includes(partOf(from)))
    assert.deepEqual(wrong, [])
  })

  it('use nothing of Node in the parts that a browser runs', () => {
    const wrong = imports.filter(
      ({ from, to }) => browser.includes(partOf(from)) && (to.startsWith('node:') || builtinModules.includes(to)),
    )
    assert.deepEqual(wrong, [])
  })

  it('never leave the project', () => {
    assert.deepEqual(
      imports.filter(({ to }) => to.startsWith('..')),
      [],
    )
  })

  it('have no cycle between files', () => {
    const next = Map.groupBy(
      imports.filter(({ to }) => isFile(to)),
      ({ from }) => from,
    )
    const done = new Set<string>()
    const path: string[] = []
    const cycles: string[] = []
    const visit = (file: string) => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (done.has(file) || path.includes(file)) return
      path.push(file)
      for (const { to } of next.get(file) ?? []) visit(to)
      path.pop()
      done.add(file)
    }
    files.forEach(visit)
    assert.deepEqual(cycles, [])
  })
})
