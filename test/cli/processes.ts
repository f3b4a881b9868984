import { readFileSync, readdirSync } from 'node:fs'

/** The processes whose command line or working directory names a directory. */
export function processesOf(dir: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return line.includes(dir) ? [line] : []
      } catch {
        return []
      }
    })
}
