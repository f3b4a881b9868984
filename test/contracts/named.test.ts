import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../contracts', import.meta.url))
const textOf = (pattern: string): string =>
  globSync(pattern, { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n')

const sources = textOf('src/{interfaces/I*,TpmQuote}.sol')
const tests = textOf('test/*.t.sol')
const declared = (kind: string): string[] =>
  [...sources.matchAll(new RegExp(`^\\s*${kind} (\\w+)\\(`, 'gm'))].map(([, name]) => name ?? '')

describe('the contracts’ unit tests', function () {
  this.retries(0)

  it('expect every error by its name', () => {
    const errors = declared('error')
    assert.ok(errors.length > 70)
    assert.deepEqual(
      errors.filter((name) => !tests.includes(`.${name}.selector`)),
      [],
    )
  })

  it('expect every event by its name', () => {
    const events = declared('event')
    assert.ok(events.length >= 20)
    const isExpected = (name: string): boolean =>
      tests.includes(`.${name}.selector`) || new RegExp(`emit I\\w+\\.${name}\\(`).test(tests)
    assert.deepEqual(
      events.filter((name) => !isExpected(name)),
      [],
    )
  })
})
