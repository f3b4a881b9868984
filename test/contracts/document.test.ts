import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Fragment } from 'ethers'
import { withTable, type Table } from '../../hil/bench/gas.ts'
import { INTERFACES } from '../../src/ledger/abi.ts'
import type { ContractName } from '../../src/ledger/deployment.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const document = read('docs/contracts.md')

/** The section of a contract, and where else errors of its stand. */
const SECTIONS: readonly (readonly [string, ContractName, readonly string[]])[] = [
  ['HostRegistry', 'hostRegistry', ['Decisions', 'TpmQuote']],
  ['VmmRegistry', 'vmmRegistry', ['Decisions', 'TpmQuote']],
  ['AccessPolicy', 'accessPolicy', []],
  ['AuditLog', 'auditLog', ['TpmQuote']],
]

/** OpenZeppelin's, which nothing can come to: domain strings are short, and blocks only go up. */
const UNREACHABLE = ['InvalidShortString', 'StringTooLong', 'CheckpointUnorderedInsertion']

describe('docs/contracts.md', function () {
  this.retries(0)

  for (const [section, contract, shared] of SECTIONS) {
    describe(section, () => {
      const names = (type: string, wanted: (fragment: Fragment & { constant?: boolean }) => boolean = () => true) =>
        INTERFACES[contract].fragments
          .filter((f) => f.type === type && wanted(f))
          .map((f) => (f as Fragment & { name: string }).name)

      it('lists every function that changes anything, and no other', () => {
        const changing = names('function', ({ constant }) => constant === false)
        assert.deepEqual(column(section, 'function').sort(), changing.sort())
      })

      it('lists every event, and no other', () => {
        assert.deepEqual(column(section, 'event').sort(), names('event').sort())
      })

      it('lists every error, and no other', () => {
        const listed = [section, ...shared].flatMap((part) => column(part, 'error'))
        const expected = names('error').filter((name) => !UNREACHABLE.includes(name))
        const missing = expected.filter((name) => !listed.includes(name))
        const surplus = column(section, 'error').filter((name) => !expected.includes(name))
        assert.deepEqual({ missing, surplus }, { missing: [], surplus: [] })
      })
    })
  }

  it('lists no error of the shared parts that no contract has', () => {
    const all = Object.values(INTERFACES).flatMap(({ fragments }) =>
      fragments.filter(({ type }) => type === 'error').map((f) => (f as Fragment & { name: string }).name),
    )
    for (const part of ['Decisions', 'TpmQuote']) {
      assert.deepEqual(
        column(part, 'error').filter((name) => !all.includes(name)),
        [],
      )
    }
  })

  it('has the figures that are checked in', () => {
    assert.equal(document, withTable(document, JSON.parse(read('contracts/gas.json')) as Table))
  })
})

/** The words in the first column of a section's table with this heading. */
function column(section: string, heading: string): string[] {
  const start = document.indexOf(`\n## ${section}\n`)
  assert.notEqual(start, -1, `no section ${section}`)
  const end = document.indexOf('\n## ', start + 1)
  const lines = document.slice(start, end === -1 ? undefined : end).split('\n')
  const first = lines.findIndex((line) => line.startsWith(`| ${heading} |`))
  assert.notEqual(first, -1, `no table of ${heading}s in ${section}`)
  const length = lines.slice(first).findIndex((line) => !line.startsWith('|'))
  return lines.slice(first + 2, first + length).map((line) => /^\| `(\w+)` \|/.exec(line)?.[1] ?? line)
}
