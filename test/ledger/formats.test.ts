import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { EventFragment, Fragment, FunctionFragment } from 'ethers'
import { INTERFACES } from '../../src/ledger/abi.ts'
import { CONTRACT_NAMES } from '../../src/ledger/deployment.ts'

describe('docs/formats.md, "Events and calls"', () => {
  const text = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8')
  const [, block = ''] = /^## Events and calls\n[^]*?```solidity\n([^]*?)```/m.exec(text) ?? []
  const structs = [...block.matchAll(/^struct (\w+) \{ (.*); \}$/gm)].map(
    ([, name = '', members = '']) => [name, `tuple(${members.replaceAll(';', ',')})`] as const,
  )

  for (const contract of CONTRACT_NAMES) {
    const title = `${contract.charAt(0).toUpperCase()}${contract.slice(1)}`
    const [, part = ''] = new RegExp(`^// ${title}\n((?:.+\n)+)`, 'm').exec(block) ?? []
    const documented = part.split('\n').filter((line) => line !== '')

    it(`says what is compiled of ${title}`, () => {
      assert.notEqual(documented.length, 0)
      for (const line of documented) {
        const [declaration = '', hash] = line.split('; // ')
        const inTuples = structs.reduce(
          (whole, [name, tuple]) => whole.replace(new RegExp(`\\b${name}(?=(?:\\[\\])? \\w)`, 'g'), tuple),
          declaration,
        )
        const fragment = Fragment.from(inTuples)
        assert.ok(EventFragment.isFragment(fragment) || FunctionFragment.isFragment(fragment), line)
        const isEvent = EventFragment.isFragment(fragment)
        assert.equal(isEvent ? fragment.topicHash : fragment.selector, hash)
        const known = isEvent
          ? INTERFACES[contract].getEvent(fragment.topicHash)
          : INTERFACES[contract].getFunction(fragment.selector)
        assert.equal(fragment.format('full'), known?.format('full'))
      }
    })

    it(`leaves out no event of ${title}, and no function that changes it for people or hosts`, () => {
      const names: string[] = []
      INTERFACES[contract].forEachEvent(({ name }) => names.push(`event ${name}(`))
      INTERFACES[contract].forEachFunction(({ name, constant }) => {
        // Only the AuditLog may call it.
        if (!constant && name !== 'consume') names.push(`function ${name}(`)
      })
      for (const name of names)
        assert.ok(
          documented.some((line) => line.startsWith(name)),
          name,
        )
    })
  }
})
