import { loaderText } from './event-data.ts'
import { textIn } from './event-text.ts'
import { EV } from './event-type.ts'
import { decodeUefiVariable } from './uefi-variable.ts'

/** How much of an event's data a digest covers: all, a variable's value without its name, or a text without what stands around it. */
export type CoveredPart = 'data' | 'value' | 'text'

/** One way in which firmware or boot loaders make a digest from less, or from something else, than the event's data. */
export interface DigestQuirk {
  readonly name: string
  /** Event types in which it has been seen, and is looked for. */
  readonly types: readonly number[]
  readonly covers: CoveredPart
  /** What was hashed; undefined where the data are not of that kind. */
  readonly preimage: (data: Uint8Array) => Uint8Array | undefined
}

/** What GRUB writes in front of what it hashes, with the space behind it. */
export const GRUB_PREFIXES = [
  'grub_cmd: ',
  'kernel_cmdline: ',
  'module_cmdline: ',
  'grub_cmd ',
  'kernel_cmdline ',
] as const

/** Every known quirk of a digest, in the order in which they are tried, after the data as they are. */
export const DIGEST_QUIRKS: readonly DigestQuirk[] = [
  {
    // EDK II and most firmware: the specification once said that only the variable's value is measured (PC Client Platform Firmware Profile, 10.4.1).
    name: 'boot variable without its name',
    types: [EV.EFI_VARIABLE_BOOT],
    covers: 'value',
    preimage: (data) => decodeUefiVariable(data)?.value,
  },
  {
    // Actions and loader texts that are logged with a zero byte that was not hashed.
    name: 'text without its zero byte',
    types: [EV.ACTION, EV.EFI_ACTION, EV.OMIT_BOOT_DEVICE_EVENTS, EV.IPL],
    covers: 'text',
    preimage: (data) => (data.at(-1) === 0 && textIn(data) !== undefined ? data.subarray(0, -1) : undefined),
  },
  {
    // GRUB 2.04 and newer: the event's prefix says what kind of text it is, and is not hashed.
    name: 'GRUB text without its prefix',
    types: [EV.IPL],
    covers: 'text',
    preimage: (data) => behindGrubPrefix(data),
  },
  {
    // systemd-stub 252 and newer: logged in UTF-16, hashed in ASCII with a zero byte.
    name: 'section name of a unified kernel image',
    types: [EV.IPL],
    covers: 'text',
    preimage: (data) => {
      const found = loaderText(data)
      if (found?.encoding !== 'utf-16' || !/^\.[a-z]{1,8}$/.test(found.text)) return undefined
      return new TextEncoder().encode(`${found.text}\0`)
    },
  },
]

function behindGrubPrefix(data: Uint8Array): Uint8Array | undefined {
  const text = textIn(data)
  const prefix = text === undefined ? undefined : GRUB_PREFIXES.find((one) => text.startsWith(one))
  if (prefix === undefined) return undefined
  return data.subarray(prefix.length, data.at(-1) === 0 ? -1 : undefined)
}
