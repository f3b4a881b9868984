import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { ErrorFragment, EventFragment, Fragment, FunctionFragment } from 'ethers'
import { INTERFACES } from '../../src/ledger/abi.ts'
import { CONTRACT_NAMES } from '../../src/ledger/deployment.ts'

describe('docs/formats.md, "Events and calls"', () => {
  const text = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8')
  const [, block = ''] = /^## Events and calls\n[^]*?```solidity\n([^]*?)```/m.exec(text) ?? []
  const structs = [...block.matchAll(/^struct (\w+) \{ (.*); \}$/gm)].map(
    ([, name = '', members = '']) => [name, `tuple(${members.replaceAll(';', ',')})`] as const,
  )

  const inTuples = (declaration: string): string =>
    structs.reduce(
      (whole, [name, tuple]) => whole.replace(new RegExp(`\\b${name}(?=(?:\\[\\])?[ )])`, 'g'), tuple),
      declaration,
    )

  it('says each error, with its arguments and its selector', () => {
    const [, part = ''] = /^\/\/ Errors\n((?:error .+\n)+)/m.exec(block) ?? []
    const compiled = CONTRACT_NAMES.flatMap((contract) =>
      INTERFACES[contract].fragments
        .filter((f) => ErrorFragment.isFragment(f))
        .map((f) => `${f.format('full')}; // ${f.selector}`),
    )
    assert.deepEqual(part.trimEnd().split('\n'), [...new Set(compiled)].sort())
  })

  for (const contract of CONTRACT_NAMES) {
    const title = `${contract.charAt(0).toUpperCase()}${contract.slice(1)}`
    const [, part = ''] = new RegExp(`^// ${title}\n((?:.+\n)+)`, 'm').exec(block) ?? []
    const [constructing = '', ...documented] = part.split('\n').filter((line) => line !== '')

    it(`says what is compiled of ${title}`, () => {
      assert.notEqual(documented.length, 0)
      for (const line of documented) {
        const [declaration = '', hash] = line.split('; // ')
        const fragment = Fragment.from(inTuples(declaration))
        assert.ok(EventFragment.isFragment(fragment) || FunctionFragment.isFragment(fragment), line)
        const isEvent = EventFragment.isFragment(fragment)
        assert.equal(isEvent ? fragment.topicHash : fragment.selector, hash)
        const known = isEvent
          ? INTERFACES[contract].getEvent(fragment.topicHash)
          : INTERFACES[contract].getFunction(fragment.selector)
        assert.equal(fragment.format('full'), known?.format('full'))
      }
    })

    it(`says what the constructor of ${title} takes`, () => {
      const fragment = Fragment.from(inTuples(constructing.replace(/;$/, '')))
      assert.equal(fragment.format('full'), INTERFACES[contract].deploy.format('full'))
    })

    it(`leaves out no event and no function of ${title}`, () => {
      const names: string[] = []
      INTERFACES[contract].forEachEvent(({ name }) => names.push(`event ${name}(`))
      INTERFACES[contract].forEachFunction(({ name }) => names.push(`function ${name}(`))
      for (const name of names)
        assert.ok(
          documented.some((line) => line.startsWith(name)),
          name,
        )
    })
  }
})
