import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { parse } from 'smol-toml'
import { parseConfig } from '../../src/agent/config.ts'
import { HTTP_STATUS } from '../../src/agent/http-status.ts'

describe('docs/operators.md', () => {
  const text = readFileSync(new URL('../../docs/operators.md', import.meta.url), 'utf8')

  /** The cells of the table whose first column has this heading, without heading and rule. */
  function table(heading: string): readonly (readonly string[])[] {
    const rows = text.split('\n').map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    const start = rows.findIndex(([first]) => first === heading)
    assert.notEqual(start, -1, `no table with the heading ${heading}`)
    const length = rows.slice(start).findIndex((cells) => cells.length === 0)
    return rows.slice(start + 2, start + length)
  }

  const quoted = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? '')

  describe('configuration', () => {
    /** `table.key` and what stands as its default, none where it must be there. */
    const documented = new Map(
      table('key').flatMap(([cell = '', , defaults = '']) => {
        const [, section = ''] = /`\[(\w+)\]/.exec(cell) ?? []
        const keys = quoted(cell).map((key) => key.replace(/^\[\w+\] /, ''))
        const values = defaults === '' ? [] : defaults.split(', ')
        return keys.map((key, i) => [section === '' ? key : `${section}.${key}`, values[i]] as const)
      }),
    )

    /** What takes the place of a default: for each way to read a string, one that will do. */
    const SAMPLES = ['/path', 'http://ledger', 'ci', 'device:/dev/tpmrm0']

    /** A file with the keys that must be there; a value is tried until it is taken. */
    function parsed(): Readonly<Record<string, unknown>> {
      const required = [...documented].filter(([, or]) => or === undefined).map(([key]) => key)
      const values = new Map(required.map((key) => [key, 0]))
      for (;;) {
        const lines = [...values].map(([key, sample]) => `${key} = "${SAMPLES[sample] ?? ''}"`)
        try {
          return flat({ ...parseConfig(lines.join('\n')) })
        } catch (error) {
          const key = required.find((name) => (error as Error).message.includes(`${name}: expected`))
          const next = (values.get(key ?? '') ?? SAMPLES.length) + 1
          if (key === undefined || next >= SAMPLES.length) throw error
          values.set(key, next)
        }
      }
    }

    /** As the file writes it: tables, and words joined by `_`. The bank of the selection has no key. */
    function flat(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
      return Object.fromEntries(
        Object.entries(config).flatMap(([section, value]) =>
          typeof value === 'string'
            ? [[section, value]]
            : Object.entries(alternatives(value as object)).map(([name, inner]: [string, unknown]) => [
                `${section}.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
                name === 'selection' ? (inner as { pcrs: unknown }).pcrs : inner,
              ]),
        ),
      )
    }

    /** Where the PIN is has two forms, of which a file has one; an EK need not be named. */
    function alternatives(section: object): object {
      if ('nvIndex' in section) return { ek: {}, ...section }
      if (!('pin' in section)) return section
      const { pin, ...rest } = section
      const { path } = pin as { path: string }
      return { ...rest, pinFile: path, pinSealed: {}, pinApprovals: {} }
    }

    it('names every key, and no other', () => {
      assert.deepEqual([...documented.keys()].sort(), Object.keys(parsed()).sort())
    })

    it('has the defaults right', () => {
      const config = parsed()
      for (const [key, or] of documented) {
        if (or === undefined) continue
        const found = config[key]
        const expected =
          or === 'none'
            ? Array.isArray(found)
              ? []
              : {}
            : typeof found === 'string'
              ? or
              : parse(`value = ${or}`)['value']
        assert.deepEqual(found, expected, key)
      }
    })
  })

  describe('API', () => {
    it('gives every code its status, and names no other', () => {
      const documented = table('status').flatMap(([statuses = '', codes = '']) => {
        const listed = statuses.split(', ').map(Number)
        return quoted(codes).map((code, i) => [code, listed[i] ?? listed[0]] as const)
      })
      assert.equal(new Set(documented.map(([code]) => code)).size, documented.length, 'a code stands twice')
      assert.deepEqual(Object.fromEntries(documented), HTTP_STATUS)
    })
  })
})
