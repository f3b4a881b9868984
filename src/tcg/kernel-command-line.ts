import type { PcrView, ViewedEvent } from './boot-view.ts'
import type { Stated } from './boot-application.ts'
import { loaderText } from './event-data.ts'
import { EV } from './event-type.ts'
import { GRUB_PREFIXES } from './firmware-quirks.ts'

/** The command line that the kernel was given. */
export interface KernelCommandLine {
  readonly event: number
  readonly source: 'grub' | 'systemd'
  /** GRUB's begins with the kernel's file. */
  readonly text: string
}

/** GRUB's commands that load a kernel. */
const LOADS = /^(?:linux|linuxefi|linux16|kernel|multiboot2?)\s+(.*)$/s

/**
 * The kernel's command line: GRUB's from PCR 8, systemd-stub's and systemd-boot's from PCR 12, or from PCR 8 before version 252.
 *
 * GRUB writes what kind of text it measured in front of it, and does not hash that: a `kernel_cmdline` may have been any command. So it is believed only
 * where the only command that loads a kernel has the same arguments. Texts that differ, or an event of PCR 8 that nothing explains, leave it unknown.
 *
 * @param eight the view of PCR 8
 * @param twelve the view of PCR 12
 */
export function kernelCommandLine(eight: PcrView, twelve: PcrView): Stated<KernelCommandLine> {
  const read = [...eight.events, ...twelve.events].map(readLine)
  const lines = read.flatMap(({ line }) => line ?? [])
  const loads = read.flatMap(({ command }) => LOADS.exec(command ?? '')?.[1] ?? [])
  const [first] = lines
  if (first === undefined && loads.length === 0) return { findings: [] }
  const isOne = lines.every(({ text, source }) => text === first?.text && source === first.source)
  const isConfirmed = first?.source === 'systemd' || loads.length > 0
  const isContradicted = loads.some((load) => plain(load) !== plain(first?.text ?? ''))
  const isOpen = read.some(({ unexplained }) => unexplained)
  if (first !== undefined && isOne && isConfirmed && !isContradicted && !isOpen) return { value: first, findings: [] }
  const detail = 'the log does not say unambiguously which command line the kernel had'
  return { findings: [{ code: 'COMMAND_LINE_AMBIGUOUS', event: first?.event ?? null, detail }] }
}

interface ReadLine {
  readonly line?: KernelCommandLine
  /** A text that GRUB measured, whatever it says that it is. */
  readonly command?: string
  /** It could be anything: a command line too. */
  readonly unexplained: boolean
}

function readLine(viewed: ViewedEvent): ReadLine {
  const { event, part, known } = viewed
  const found = event.type === EV.IPL && part !== undefined ? loaderText(event.data) : undefined
  if (found === undefined) return { unexplained: known === undefined }
  if (found.encoding === 'utf-16') {
    // Only a command line is hashed as it is logged; a section's name is hashed otherwise.
    const line = { event: event.index, source: 'systemd', text: found.text } as const
    return part === 'data' ? { line, unexplained: false } : { unexplained: false }
  }
  const prefix = GRUB_PREFIXES.find((one) => found.text.startsWith(one)) ?? ''
  const text = part === 'text' ? found.text.slice(prefix.length) : found.text
  const line = { event: event.index, source: 'grub', text } as const
  const isLine = part === 'text' && prefix.startsWith('kernel_cmdline')
  return { ...(isLine ? { line } : {}), command: text, unexplained: false }
}

/** GRUB quotes arguments in one of the two places. */
function plain(text: string): string {
  return text.replace(/["'\\]/g, '').trim()
}
