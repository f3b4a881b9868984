import { parse, TomlError } from 'smol-toml'
import { ConfigError } from './config-error.ts'
import { nearest } from './nearest.ts'

interface Bounds {
  readonly min: number
  readonly max: number
  /** What holds where the key is absent. */
  readonly or: number
}

/**
 * A TOML text as a table to read from.
 *
 * @param text untrusted
 * @param source what messages call it
 * @throws ConfigError `CONFIG_SYNTAX`
 */
export function parseToml(text: string, source: string): ConfigTable {
  try {
    return new ConfigTable(source, '', parse(text))
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const [reason = ''] = cause.message.split('\n')
    throw new ConfigError('CONFIG_SYNTAX', `${source}:${cause.line}:${cause.column}: ${reason}`, { cause })
  }
}

/**
 * Reads one table of a configuration, key by key; `end` then refuses what nobody asked for. So what is read is also the
 * list of what may be there.
 */
export class ConfigTable {
  readonly #source: string
  readonly #prefix: string
  readonly #values: Readonly<Record<string, unknown>>
  readonly #known = new Set<string>()
  readonly #tables: ConfigTable[] = []

  /** @param prefix the table's own key with a dot behind it; empty for the whole file */
  constructor(source: string, prefix: string, values: Readonly<Record<string, unknown>>) {
    this.#source = source
    this.#prefix = prefix
    this.#values = values
  }

  /** The table must be there. */
  table(key: string): ConfigTable {
    const table = new ConfigTable(this.#source, `${this.#prefix}${key}.`, this.#record(key) ?? this.#missing(key))
    this.#tables.push(table)
    return table
  }

  /** A table that may be left out, which is the same as one without a key. */
  optionalTable(key: string): ConfigTable {
    const table = new ConfigTable(this.#source, `${this.#prefix}${key}.`, this.#record(key) ?? {})
    this.#tables.push(table)
    return table
  }

  /** A list of tables (`[[key]]`); none where the key is absent. */
  tableList(key: string): readonly ConfigTable[] {
    const values = this.#get(key) ?? []
    if (!Array.isArray(values)) throw this.invalid(key, 'a list of tables')
    const tables = values.map((value: unknown, i) => {
      if (!isTable(value)) throw this.invalid(key, 'a list of tables')
      return new ConfigTable(this.#source, `${this.#prefix}${key}[${i}].`, value)
    })
    this.#tables.push(...tables)
    return tables
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#values, key)
  }

  /** Whether a number stands there, for a key that takes either a number or something else. */
  isNumber(key: string): boolean {
    return typeof this.#get(key) === 'number'
  }

  /** Whether a string stands there, for a key that takes either a string or something else. */
  isText(key: string): boolean {
    return typeof this.#get(key) === 'string'
  }

  /** Its keys, for a table whose keys are free. */
  keys(): readonly string[] {
    return Object.keys(this.#values)
  }

  /** Strings that have a form, each once. None where the key is absent. */
  texts(key: string, form: RegExp, expected: string): readonly string[] {
    const values = this.#get(key) ?? []
    if (!Array.isArray(values)) throw this.invalid(key, 'a list')
    const texts = values.map((value: unknown) => {
      if (typeof value !== 'string' || !form.test(value)) throw this.invalid(key, expected)
      return value
    })
    if (new Set(texts).size !== texts.length) throw this.invalid(key, 'each entry once')
    return texts
  }

  /** False where the key is absent, unless `or` says otherwise. */
  boolean(key: string, or = false): boolean {
    const value = this.#get(key) ?? or
    if (typeof value !== 'boolean') throw this.invalid(key, 'true or false')
    return value
  }

  /** Not empty. Must be there unless `or` is given. */
  string(key: string, or?: string): string {
    const value = this.#get(key) ?? or
    if (typeof value !== 'string' || value === '') throw this.invalid(key, 'a string that is not empty')
    return value
  }

  path(key: string, or?: string): string {
    const value = this.string(key, or)
    if (!value.startsWith('/') || value.includes('\0')) throw this.invalid(key, 'an absolute path')
    return value
  }

  url(key: string): string {
    const value = this.string(key)
    if (!/^https?:$/.test(URL.parse(value)?.protocol ?? '')) throw this.invalid(key, 'an http or https URL')
    return value
  }

  integer(key: string, { min, max, or }: Bounds): number {
    const value = this.#get(key)
    return value === undefined ? or : this.#integer(key, value, min, max)
  }

  /** Must be there. What is in it is the caller's to check. */
  list(key: string): readonly unknown[] {
    const value = this.#get(key)
    if (!Array.isArray(value)) throw this.invalid(key, 'a list')
    return value as readonly unknown[]
  }

  /** Where the key is absent: `or`, or none. */
  integers(key: string, min: number, max: number, or: readonly number[] = []): readonly number[] {
    const value = this.#get(key) ?? or
    if (!Array.isArray(value)) throw this.invalid(key, 'a list')
    return value.map((item: unknown) => this.#integer(key, item, min, max))
  }

  /** At least one, each greater than the one before it. Must be there unless `or` is given. */
  ascending(key: string, min: number, max: number, or?: readonly number[]): readonly number[] {
    const values = this.integers(key, min, max, or)
    const rises = values.every((value, i) => i === 0 || value > (values[i - 1] ?? value))
    if (values.length === 0 || !rises) throw this.invalid(key, 'at least one number, in ascending order')
    return values
  }

  choice<Choice extends string>(key: string, choices: readonly Choice[], or?: Choice): Choice {
    const value = this.#get(key) ?? or
    const chosen = choices.find((choice) => choice === value)
    if (chosen === undefined) throw this.invalid(key, `one of ${choices.join(', ')}`)
    return chosen
  }

  /** Free keys with strings. None where the key is absent. */
  strings(key: string): Readonly<Record<string, string>> {
    return Object.fromEntries(
      Object.entries(this.#record(key) ?? {}).map(([name, value]) => {
        if (typeof value !== 'string') throw this.invalid(`${key}.${name}`, 'a string')
        return [name, value]
      }),
    )
  }

  /** @throws ConfigError CONFIG_UNKNOWN_KEY for a key that nobody asked for, here or in a table below */
  end(): void {
    for (const key of Object.keys(this.#values)) {
      if (this.#known.has(key)) continue
      const meant = nearest(key, this.#known)
      throw new ConfigError(
        'CONFIG_UNKNOWN_KEY',
        `${this.#source}: unknown key ${this.#prefix}${key}` +
          (meant === undefined ? '' : `; did you mean ${this.#prefix}${meant}?`),
      )
    }
    for (const table of this.#tables) table.end()
  }

  /** Says what was expected, never what stands there: somebody may have put a secret in the wrong place. */
  invalid(key: string, expected: string): ConfigError {
    return new ConfigError('CONFIG_INVALID', `${this.#source}: ${this.#prefix}${key}: expected ${expected}`)
  }

  #get(key: string): unknown {
    this.#known.add(key)
    return Object.hasOwn(this.#values, key) ? this.#values[key] : undefined
  }

  #record(key: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.#get(key)
    if (value === undefined) return undefined
    if (!isTable(value)) throw this.invalid(key, 'a table')
    return value
  }

  #integer(key: string, value: unknown, min: number, max: number): number {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    throw this.invalid(key, `a whole number from ${min} to ${max}`)
  }

  #missing(key: string): never {
    // A misspelt table is both unknown and missing; that it is unknown says more.
    const unread = Object.keys(this.#values).filter((name) => !this.#known.has(name))
    const meant = nearest(key, unread)
    if (meant !== undefined) {
      throw new ConfigError(
        'CONFIG_UNKNOWN_KEY',
        `${this.#source}: unknown key ${this.#prefix}${meant}; did you mean ${this.#prefix}${key}?`,
      )
    }
    throw this.invalid(key, 'a table')
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}
