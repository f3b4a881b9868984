import { equal } from '../core/bytes.ts'
import { decodeTaggedEvents, loaderText } from './event-data.ts'
import type { EventLog } from './event-log.ts'
import { textIn } from './event-text.ts'
import { EV } from './event-type.ts'
import type { FirmwareEvent } from './firmware-event.ts'
import { DIGEST_QUIRKS, type CoveredPart } from './firmware-quirks.ts'
import { decodeGptEvent } from './gpt-event.ts'
import { digest, type ComputableBank } from './hash.ts'
import { decodeUefiVariable } from './uefi-variable.ts'

/** Banks whose digests may cover something, best known first. */
const SHA2_BANKS = ['sha256', 'sha384', 'sha512'] as const

/** What data must be like for a type whose digest is that of the whole data. Without the form, another type's bytes would pass as this one's. */
const isText = (data: Uint8Array) => textIn(data) !== undefined
const isVariable = (data: Uint8Array) => decodeUefiVariable(data) !== undefined
const isGpt = (data: Uint8Array) => decodeGptEvent(data) !== undefined
const isAny = () => true

/** Types whose digest is that of the whole data (PC Client Platform Firmware Profile 1.06, 10.4.1), and whether any other digest is remarkable. */
const WHOLE: ReadonlyMap<number, { readonly form: (data: Uint8Array) => boolean; readonly always: boolean }> = new Map([
  [EV.SEPARATOR, { form: (data: Uint8Array) => data.length === 4, always: true }],
  [EV.ACTION, { form: isText, always: true }],
  [EV.EFI_ACTION, { form: isText, always: true }],
  [EV.OMIT_BOOT_DEVICE_EVENTS, { form: isText, always: true }],
  [EV.EVENT_TAG, { form: (data: Uint8Array) => decodeTaggedEvents(data) !== undefined, always: false }],
  [EV.S_CRTM_VERSION, { form: isAny, always: true }],
  [EV.PLATFORM_CONFIG_FLAGS, { form: isAny, always: false }],
  [EV.TABLE_OF_DEVICES, { form: isAny, always: false }],
  [EV.NONHOST_CONFIG, { form: isAny, always: false }],
  [EV.NONHOST_INFO, { form: isAny, always: false }],
  [EV.IPL, { form: (data: Uint8Array) => loaderText(data) !== undefined, always: false }],
  [EV.EFI_VARIABLE_DRIVER_CONFIG, { form: isVariable, always: true }],
  [EV.EFI_VARIABLE_BOOT, { form: isVariable, always: true }],
  [EV.EFI_VARIABLE_BOOT2, { form: isVariable, always: true }],
  [EV.EFI_VARIABLE_AUTHORITY, { form: isVariable, always: true }],
  [EV.EFI_GPT_EVENT, { form: isGpt, always: true }],
  [EV.EFI_GPT_EVENT2, { form: isGpt, always: true }],
  [EV.EFI_SPDM_FIRMWARE_BLOB, { form: isAny, always: false }],
  [EV.EFI_SPDM_FIRMWARE_CONFIG, { form: isAny, always: false }],
  [EV.EFI_SPDM_DEVICE_POLICY, { form: isVariable, always: false }],
  [EV.EFI_SPDM_DEVICE_AUTHORITY, { form: isVariable, always: false }],
])

/** What the digests of an event's banks say of its data. */
export interface Coverage {
  /** Undefined where no digest covers anything. */
  readonly part: CoveredPart | undefined
  /** Whether some banks' digests cover the data and others do not: one of them is not what the firmware extended. */
  readonly disagree: boolean
}

/**
 * How much of an event's data the digest of one bank covers, by the rules for its type. What it says is that these bytes were hashed and extended, where
 * the digest replays to a quoted PCR; never that the type is right.
 *
 * @returns undefined where the digest is not that of the data: they are not covered
 */
export function coverageOf(event: FirmwareEvent, bank: ComputableBank): CoveredPart | undefined {
  const expected = event.extended ? event.digest(bank) : undefined
  if (expected === undefined) return undefined
  const { data } = event
  const isOf = (preimage: Uint8Array) => equal(digest(bank, preimage), expected)
  if (WHOLE.get(event.type)?.form(data) === true && isOf(data)) return 'data'
  for (const { types, covers, preimage } of DIGEST_QUIRKS) {
    const hashed = types.includes(event.type) ? preimage(data) : undefined
    if (hashed !== undefined && isOf(hashed)) return covers
  }
  return undefined
}

/**
 * How much of an event's data its digests cover in every SHA-2 bank that it has: whoever forges one bank's digests, not knowing which is quoted, must
 * forge them all. SHA-1 counts only where the log has nothing else.
 */
export function coverageInAllBanks(log: EventLog, event: FirmwareEvent): Coverage {
  const parts = coveringBanks(log)
    .filter((bank) => event.digest(bank) !== undefined)
    .map((bank) => coverageOf(event, bank))
  const [first] = parts
  const agree = parts.every((part) => part === first)
  return { part: agree ? first : undefined, disagree: !agree }
}

/** Whether the type's digest is always that of the data, so that any other is remarkable. */
export function mustBeCovered(type: number): boolean {
  return WHOLE.get(type)?.always === true
}

/** The banks whose digests may cover an event's data. */
export function coveringBanks(log: EventLog): readonly ComputableBank[] {
  const banks = SHA2_BANKS.filter((bank) => log.algorithms.some((one) => one.bank === bank))
  if (banks.length > 0) return banks
  return log.algorithms.length === 1 && log.algorithms[0]?.bank === 'sha1' ? ['sha1'] : []
}
