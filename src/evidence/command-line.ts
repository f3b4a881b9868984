import { concat, equal } from '../core/bytes.ts'
import type { HashName } from '../tcg/algorithm.ts'
import { loaderText } from '../tcg/event-data.ts'
import { EV } from '../tcg/event-type.ts'
import type { FirmwareEvent } from '../tcg/firmware-event.ts'
import { GRUB_PREFIXES } from '../tcg/firmware-quirks.ts'
import { digest } from '../tcg/hash.ts'

/** A command line as it is measured: by GRUB as it stands; by Linux' EFI stub and by systemd in UTF-16 with its zero. */
export function lineDigests(line: string, bank: HashName): readonly Uint8Array[] {
  const wide = new Uint8Array(2 * line.length + 2)
  const view = new DataView(wide.buffer)
  for (let i = 0; i < line.length; i++) view.setUint16(2 * i, line.charCodeAt(i), true)
  return [digest(bank, concat(new TextEncoder().encode(line))), digest(bank, wide)]
}

/**
 * What a boot loader says that it measured, without what GRUB writes in front of it: only where the event's digest is one that this text would
 * have as a command line. The EFI stub logs no text.
 *
 * @param event untrusted
 */
export function measuredText(event: FirmwareEvent, bank: HashName): string | undefined {
  const [found, logged] = [event.digest(bank), event.type === EV.IPL ? loaderText(event.data)?.text : undefined]
  if (found === undefined || logged === undefined) return undefined
  const prefix = GRUB_PREFIXES.find((one) => logged.startsWith(one)) ?? ''
  const line = logged.slice(prefix.length)
  return lineDigests(line, bank).some((one) => equal(one, found)) ? line : undefined
}
