import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY, INTERFACES } from '../../src/ledger/abi.ts'
import { CONTRACT_NAMES } from '../../src/ledger/deployment.ts'
import { quoteOnLedger } from '../../src/ledger/commit.ts'
import type { AccessRequest } from '../../src/ledger/state.ts'
import { table } from '../../src/cli/output.ts'
import { akQualifiedNameOf } from '../../src/tcg/name.ts'
import { readHarness } from '../contracts/harness.ts'
import { playScene, type Scene } from '../contracts/scene.ts'
import { eccAk, rsaAk } from '../contracts/software-ak.ts'
import type { Hardfork } from '../stack/anvil.ts'
import type { SuiteResult } from './suite.ts'

/** What something costs on the ledger. */
export interface GasRow {
  readonly name: string
  readonly unit: 'gas'
  /** The rules of the chain: the newest, with a precompile for P-256, or those of a GoQuorum network. */
  readonly hardfork: Hardfork
  readonly value: number
  /** At most this, or null where nothing was set. */
  readonly goal: number | null
  readonly met: boolean | null
  /** What contracts/gas.json has, null where it has nothing. */
  readonly checkedIn: number | null
}

/** The checked-in figures (contracts/gas.json): by hardfork, by name. */
export type Table = Readonly<Record<string, Readonly<Record<string, number>>>>

const TABLE = fileURLToPath(new URL('../../contracts/gas.json', import.meta.url))
/** Where people read the table, between these marks. */
const DOCUMENT = fileURLToPath(new URL('../../docs/contracts.md', import.meta.url))
const MARKS = ['<!-- gas: written by npm run bench -- gas --update -->\n', '<!-- gas: end -->'] as const
const HARDFORKS: readonly Hardfork[] = ['osaka', 'berlin']
const BATCH = 256

/**
 * Functions that no account calls: the AuditLog does, within the figures of its own.
 */
const CALLED_BY_CONTRACTS = ['accessPolicy.consume']

/** What may be spent, by hardfork and name. */
const GOALS: Readonly<Record<string, number>> = {
  'osaka: quote, P-256, over the base transaction': 30_000,
  'berlin: quote, P-256, over the base transaction': 260_000,
  'osaka: record of 256, anchored': 300,
  'berlin: record of 256, anchored': 300,
  'osaka: record of 256, records, calldata at 16/4': 5_000,
  'berlin: record of 256, records, calldata at 16/4': 5_000,
  'osaka: checkAccess, four levels deep, cold': 40_000,
  'berlin: checkAccess, four levels deep, cold': 40_000,
}

/**
 * Gas of everything that is called on the ledger, on both kinds of chain, beside the figures that are checked in. Keys, times, hashes and
 * signatures are always the same, so the figures are too.
 *
 * @param update whether to check in what was measured
 */
export async function gasSuite(say: (text: string) => void, update: boolean): Promise<SuiteResult> {
  const checkedIn = existsSync(TABLE) ? (JSON.parse(readFileSync(TABLE, 'utf8')) as Table) : {}
  const rows: GasRow[] = []
  for (const hardfork of HARDFORKS) {
    say(`${hardfork}: calling every function`)
    const scene = await playScene(hardfork)
    try {
      for (const [name, value] of await figures(scene)) {
        const goal = GOALS[`${hardfork}: ${name}`] ?? null
        const known = checkedIn[hardfork]?.[name] ?? null
        rows.push({
          name,
          unit: 'gas',
          hardfork,
          value,
          goal,
          met: goal === null ? null : value <= goal,
          checkedIn: known,
        })
      }
    } finally {
      await scene.chain.stop()
    }
  }
  if (update) {
    writeFileSync(TABLE, tableText(rows))
    writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, 'utf8'), JSON.parse(tableText(rows)) as Table))
  }
  const faults = update ? [] : differences(rows, checkedIn)
  return { rows, text: `${text(rows)}${faults.map((fault) => `\n${fault}`).join('')}`, ok: faults.length === 0 }
}

async function figures(scene: Scene): Promise<readonly (readonly [string, number])[]> {
  const { acts, chain } = scene
  requireAll(scene)
  const act = (name: string, variant: string): number => {
    const found = acts.find((a) => a.name === name && a.variant === variant)
    if (found === undefined) throw new Error(`the scene has no ${name}, ${variant}`)
    return found.mined.gasUsed
  }
  const { address: policy } = chain.deployment.contracts.accessPolicy
  const { address: log } = chain.deployment.contracts.auditLog
  const { address: anybody } = await chain.person('anybody')
  const accessGas = async (request: AccessRequest): Promise<number> => {
    const checkAccess = ACCESS_POLICY.encodeFunctionData('checkAccess', [request]) as Hex
    const access = await chain.meter(anybody, policy, checkAccess)
    if (BigInt(access.answer) !== 0n) throw new Error(`checkAccess refused with ${access.answer}`)
    return access.gas
  }
  const batch = await chain.meter(scene.host.speaker.address, log, scene.nextBatch)
  return [
    ['quote, P-256, over the base transaction', await quoteGas(scene, 'P-256')],
    ['quote, RSA-2048, over the base transaction', await quoteGas(scene, 'RSA-2048')],
    ['record of 256, anchored', share(act('anchor', '256 records'))],
    ['record of 256, anchored, over the base', share(act('anchor', '256 records') - 21_000)],
    ['record of 256, records, calldata at 16/4', share(batch.gas + batch.intrinsic)],
    ['record of 256, records, as charged', share(act('commit', '256 records'))],
    ['checkAccess, four levels deep, cold', await accessGas(scene.delegated)],
    ['checkAccess, five levels deep, cold', await accessGas(scene.delegatedDeeper)],
    ...CONTRACT_NAMES.map((name) => [`${name}: creation`, chain.creations[name]] as const),
    ...acts.map(({ contract, name, variant, mined }) => {
      return [`${contract}.${name}${variant === '' ? '' : `: ${variant}`}`, mined.gasUsed] as const
    }),
    ['records in the largest transaction', scene.largestBatch],
  ]
}

/** Verifying a quote alone, through a contract that does only that, its calldata included. */
async function quoteGas({ chain }: Scene, kind: 'P-256' | 'RSA-2048'): Promise<number> {
  const { abi, bytecode } = readHarness('QuoteHarness')
  const anybody = await chain.person('anybody')
  const { created } = await chain.sendRaw(anybody, undefined, bytecode)
  const ak = kind === 'P-256' ? eccAk('quote') : rsaAk('quote')
  const data = new Uint8Array(32).fill(0xda)
  const state = { clockMs: 5000n, resetCount: 5, restartCount: 3, pcrDigest: new Uint8Array(32).fill(0xa5) }
  const quote = quoteOnLedger(ak.quote(data, state))
  const name = toHex(akQualifiedNameOf(ak.akPublic))
  const call = abi.encodeFunctionData('verify', [quote, name, toHex(data)]) as Hex
  return (await chain.sendRaw(anybody, created, call)).gasUsed - 21_000
}

/** A record's share, rounded up. */
function share(gas: number): number {
  return Math.ceil(gas / BATCH)
}

/** Every function that changes state has a figure. @throws Error for one that has none */
function requireAll({ acts }: Scene): void {
  for (const contract of CONTRACT_NAMES) {
    INTERFACES[contract].forEachFunction(({ name, constant }) => {
      const isCalled = acts.some((act) => act.contract === contract && act.name === name)
      if (!constant && !isCalled && !CALLED_BY_CONTRACTS.includes(`${contract}.${name}`)) {
        throw new Error(`${contract}.${name} changes state, and the scene does not call it (hil/contracts/scene.ts)`)
      }
    })
  }
}

/** Where this run and the checked-in table differ, in words. */
function differences(rows: readonly GasRow[], checkedIn: Table): readonly string[] {
  const changed = rows
    .filter(({ value, checkedIn: known }) => value !== known)
    .map(({ hardfork, name, value, checkedIn: known }) => `${hardfork}: ${name}: ${known ?? 'nothing'} → ${value}`)
  const measured = new Set(rows.map(({ hardfork, name }) => `${hardfork}: ${name}`))
  const gone = Object.entries(checkedIn)
    .flatMap(([hardfork, names]) => Object.keys(names).map((name) => `${hardfork}: ${name}`))
    .filter((name) => !measured.has(name))
    .map((name) => `${name}: no longer measured`)
  const all = [...changed, ...gone]
  if (all.length === 0) return []
  return ['contracts/gas.json differs; where that is meant, run: npm run bench -- gas --update', ...all]
}

function tableText(rows: readonly GasRow[]): string {
  const of = (hardfork: Hardfork) =>
    Object.fromEntries(rows.filter((row) => row.hardfork === hardfork).map(({ name, value }) => [name, value]))
  return `${JSON.stringify(Object.fromEntries(HARDFORKS.map((hardfork) => [hardfork, of(hardfork)])), null, 2)}\n`
}

/** A document with the figures of a table between its marks. @throws RangeError where it has no marks */
export function withTable(document: string, figures: Table): string {
  const [begin, end] = [document.indexOf(MARKS[0]), document.indexOf(MARKS[1])]
  if (begin === -1 || end < begin) throw new RangeError('the document has no place for the gas table')
  const names = new Set(HARDFORKS.flatMap((hardfork) => Object.keys(figures[hardfork] ?? {})))
  const lines = [...names].map((name) => {
    const cells = HARDFORKS.map((hardfork) => (figures[hardfork]?.[name] ?? 0).toLocaleString('en'))
    return `| ${name} | ${cells.join(' | ')} |`
  })
  const made = ['', `| what | ${HARDFORKS.join(' | ')} |`, '|---|---|---|', ...lines, '', ''].join('\n')
  return `${document.slice(0, begin + MARKS[0].length)}${made}${document.slice(end)}`
}

/** What was wanted, then everything on both chains. */
function text(rows: readonly GasRow[]): string {
  const wanted = rows
    .filter(({ goal }) => goal !== null)
    .map(({ name, hardfork, value, goal, met }) => {
      return [name, hardfork, number(value), `≤ ${number(goal)} ${met === true ? 'met' : 'NOT met'}`]
    })
  const names = [...new Set(rows.map(({ name }) => name))]
  const all = names.map((name) => [
    name,
    ...HARDFORKS.map((hardfork) => number(rows.find((row) => row.name === name && row.hardfork === hardfork)?.value)),
  ])
  const missed = rows.some(({ met }) => met === false) ? '\nWhat is not met, and why: docs/contracts.md, Gas\n' : ''
  return `${table([['wanted', 'chain', 'gas', 'goal'], ...wanted])}\n${missed}\n${table([['all', ...HARDFORKS], ...all])}`
}

function number(value: number | null | undefined): string {
  return value?.toLocaleString('en') ?? '–'
}
