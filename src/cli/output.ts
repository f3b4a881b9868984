import { stringify } from '../record/json.ts'

const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const
type Style = keyof typeof styles

/**
 * Where a command speaks. Results go to standard output: text for people, or with `--json` one object and nothing else.
 * Progress goes to standard error, and only where that is a terminal. Colour only on a terminal without NO_COLOR.
 */
export class Output {
  readonly json: boolean
  readonly #colour: boolean
  readonly #progress: boolean

  constructor(json: boolean) {
    this.json = json
    this.#colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
    this.#progress = process.stderr.isTTY
  }

  /** A command's result: the object with `--json`, else the text. */
  result(value: object, text: string): void {
    process.stdout.write(this.json ? `${stringify(value, 2)}\n` : text.endsWith('\n') ? text : `${text}\n`)
  }

  /** A line of a running account; silent with `--json`. */
  line(text = ''): void {
    if (!this.json) process.stdout.write(`${text}\n`)
  }

  style(style: Style, text: string): string {
    return this.#colour && !this.json ? `\u001b[${styles[style]}m${text}\u001b[0m` : text
  }

  /** Shows on a terminal what is being waited for, until `work` ends. */
  async progress<T>(label: string, work: (update: (label: string) => void) => Promise<T>): Promise<T> {
    if (!this.#progress) return work(() => undefined)
    const begin = Date.now()
    let current = label
    const draw = () => {
      const seconds = ((Date.now() - begin) / 1000).toFixed(0)
      process.stderr.write(`\r\u001b[K${current.slice(0, 70)} … ${seconds} s`)
    }
    draw()
    const timer = setInterval(draw, 250)
    try {
      return await work((next) => {
        current = next
        draw()
      })
    } finally {
      clearInterval(timer)
      process.stderr.write('\r\u001b[K')
    }
  }
}

/** Rows as aligned columns, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The beginning of a long identifier, enough to tell one from another. */
export function short(id: string): string {
  return id.length > 14 ? `${id.slice(0, 10)}…` : id
}
