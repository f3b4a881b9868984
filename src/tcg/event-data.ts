import { toHex } from '../core/bytes.ts'
import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { behindDescription, decodeFirmwareBlob, decodeHandoffTables, decodeImageLoad } from './event-image.ts'
import { EventLogError } from './event-log-error.ts'
import { decodeSpecId, specSignature } from './event-log-header.ts'
import { localityIn } from './event-log-replay.ts'
import { textIn, wideTextIn } from './event-text.ts'
import { EV } from './event-type.ts'
import type { FirmwareEvent } from './firmware-event.ts'
import { decodeGptEvent } from './gpt-event.ts'
import { decodeLoadOption } from './load-option.ts'
import { decodeSignatureData, decodeSignatureLists } from './signature-list.ts'
import { decodeBootOrder, decodeUefiVariable } from './uefi-variable.ts'

/** Decoded event data, ready for JSON; bytes and numbers of 64 bits in hexadecimal. `{hex}` alone where their form is not known. */
export type EventData = Readonly<Record<string, unknown>>

/** A tagged event's tag and what it holds. */
export interface TaggedEvent {
  readonly tag: number
  readonly payload: Uint8Array
}

/** Tags that loaders use (Linux' EFI stub; systemd). */
const TAG_NAMES: Readonly<Record<number, string>> = {
  0x8f3b22ec: 'linux initrd',
  0x8f3b22ed: 'linux load options',
  0xf5bc582a: 'systemd loader.conf',
  0x6c46f751: 'systemd devicetree add-on',
  0x49dffe0f: 'systemd initrd add-on',
  0xdac08e1a: 'systemd microcode add-on',
}

type Decoder = (event: FirmwareEvent) => EventData | undefined

const text: Decoder = ({ data }) => {
  const found = textIn(data)
  return found === undefined ? undefined : { text: found }
}
const hex: Decoder = ({ data }) => ({ hex: toHex(data) })
const textOrHex: Decoder = (event) => text(event) ?? hex(event)
const image: Decoder = ({ data }) => asData(decodeImageLoad(data))
const gpt: Decoder = ({ data }) => {
  const found = decodeGptEvent(data)
  if (found === undefined) return undefined
  const partitions = found.partitions.map(({ first, last, attributes, ...one }) => {
    return { ...one, first: hexOf(first), last: hexOf(last), attributes: hexOf(attributes) }
  })
  return { disk: found.disk, partitions }
}

/** By type. A decoder answers undefined where data are not what the type promises; types without one have data of no known form. */
const DECODERS: Readonly<Record<number, Decoder>> = {
  [EV.NO_ACTION]: noAction,
  [EV.SEPARATOR]: ({ data }) => (data.length === 4 ? { value: new LittleEndianReader(data).u32() } : undefined),
  [EV.ACTION]: text,
  [EV.EFI_ACTION]: text,
  [EV.OMIT_BOOT_DEVICE_EVENTS]: text,
  [EV.EVENT_TAG]: tagged,
  [EV.S_CRTM_VERSION]: version,
  [EV.S_CRTM_CONTENTS]: blobOrText,
  [EV.POST_CODE]: blobOrText,
  [EV.POST_CODE2]: blob2OrText,
  [EV.IPL]: ({ data }) => ({ ...(loaderText(data) ?? { hex: toHex(data) }) }),
  [EV.EFI_HCRTM_EVENT]: textOrHex,
  [EV.EFI_VARIABLE_DRIVER_CONFIG]: variable,
  [EV.EFI_VARIABLE_BOOT]: variable,
  [EV.EFI_VARIABLE_BOOT2]: variable,
  [EV.EFI_VARIABLE_AUTHORITY]: variable,
  [EV.EFI_SPDM_DEVICE_POLICY]: variable,
  [EV.EFI_SPDM_DEVICE_AUTHORITY]: variable,
  [EV.EFI_BOOT_SERVICES_APPLICATION]: image,
  [EV.EFI_BOOT_SERVICES_DRIVER]: image,
  [EV.EFI_RUNTIME_SERVICES_DRIVER]: image,
  [EV.EFI_GPT_EVENT]: gpt,
  [EV.EFI_GPT_EVENT2]: gpt,
  [EV.EFI_PLATFORM_FIRMWARE_BLOB]: ({ data }) => asData(decodeFirmwareBlob(data)),
  [EV.EFI_PLATFORM_FIRMWARE_BLOB2]: blob2,
  [EV.EFI_HANDOFF_TABLES]: ({ data }) => tables(data),
  [EV.EFI_HANDOFF_TABLES2]: ({ data }) => {
    const found = behindDescription(data)
    const pointers = found && tables(found.rest)
    return pointers && { description: found.description, ...pointers }
  },
}

/**
 * Decodes an event's data as its type promises. Says nothing about whether a digest covers them.
 *
 * @returns undefined where they are not what the type promises; `{hex}` where the type's form is not known
 */
export function decodeEventData(event: FirmwareEvent): EventData | undefined {
  return (DECODERS[event.type] ?? hex)(event)
}

/**
 * Decodes TCG_PCClientTaggedEvents (10.4.2.1): a tag, a size, and as many bytes; Windows writes several into one event.
 *
 * @param data untrusted; each takes at least 8 bytes of it
 * @returns at least one; undefined where the sizes do not add up
 */
export function decodeTaggedEvents(data: Uint8Array): readonly TaggedEvent[] | undefined {
  const reader = new LittleEndianReader(data)
  const events: TaggedEvent[] = []
  do {
    if (reader.remaining < 8) return undefined
    const [tag, size] = [reader.u32(), reader.u32()]
    if (size > reader.remaining) return undefined
    events.push({ tag, payload: reader.bytes(size) })
  } while (reader.remaining > 0)
  return events
}

/** What a boot loader wrote as text: GRUB and shim in ASCII, systemd in UTF-16. Undefined where it is neither. @param data untrusted */
export function loaderText(
  data: Uint8Array,
): { readonly text: string; readonly encoding: 'utf-8' | 'utf-16' } | undefined {
  const narrow = textIn(data)
  if (narrow !== undefined) return { text: narrow, encoding: 'utf-8' }
  // systemd ends its texts with a zero. Without one, any even number of bytes would pass as Chinese.
  const wide = data.at(-1) === 0 && data.at(-2) === 0 ? wideTextIn(data) : undefined
  return wide === undefined ? undefined : { text: wide, encoding: 'utf-16' }
}

function noAction(event: FirmwareEvent): EventData {
  const { data } = event
  const locality = localityIn(event)
  if (locality !== undefined) return { signature: 'StartupLocality', locality }
  const signature = specSignature(data)
  return (signature !== undefined ? specData(signature, data) : undefined) ?? signedData(data)
}

function specData(signature: string, data: Uint8Array): EventData | undefined {
  try {
    const { regular, algorithms, vendorInfo, ...spec } = decodeSpecId(signature, data)
    const known = algorithms.map(({ name, length }) => ({ name, length }))
    return { ...spec, algorithms: known, vendorInfo: toHex(vendorInfo), ...(regular ? {} : { irregular: true }) }
  } catch (error) {
    if (error instanceof EventLogError) return undefined
    throw error
  }
}

/** Other events of that type begin with a signature of 16 bytes, filled with zeros (10.4.5). */
function signedData(data: Uint8Array): EventData {
  const field = data.subarray(0, 16)
  const end = field.indexOf(0)
  const signature = data.length < 16 ? undefined : textIn(field.subarray(0, end === -1 ? 16 : end))
  return signature === undefined ? { hex: toHex(data) } : { signature, hex: toHex(data.subarray(16)) }
}

function variable(event: FirmwareEvent): EventData | undefined {
  const found = decodeUefiVariable(event.data)
  if (found === undefined) return undefined
  const { guid, name, value } = found
  return { guid, name, ...(valueData(event.type, name, value) ?? { value: toHex(value) }) }
}

function valueData(type: number, name: string, value: Uint8Array): EventData | undefined {
  if (type === EV.EFI_VARIABLE_AUTHORITY) {
    const signature = decodeSignatureData(value)
    return signature && { signature }
  }
  if (/^(PK|KEK|db|dbx|dbt|dbr)$/.test(name)) {
    const signatures = decodeSignatureLists(value)
    return signatures && { signatures }
  }
  if (/^(SecureBoot|SetupMode|AuditMode|DeployedMode)$/.test(name) && value.length === 1) {
    return value[0] === 0 || value[0] === 1 ? { enabled: value[0] === 1 } : undefined
  }
  if (name === 'BootOrder') {
    const order = decodeBootOrder(value)
    return order && { order }
  }
  const option = /^Boot[0-9A-F]{4}$/.test(name) ? decodeLoadOption(value) : undefined
  return option && { ...option, optionalData: toHex(option.optionalData) }
}

function tagged({ data }: FirmwareEvent): EventData | undefined {
  const found = decodeTaggedEvents(data)?.map(({ tag, payload }) => {
    const name = TAG_NAMES[tag]
    const content = name === undefined ? undefined : loaderText(payload)?.text
    const head = { tag: `0x${tag.toString(16).padStart(8, '0')}`, ...(name && { name }) }
    return { ...head, ...(content === undefined ? { hex: toHex(payload) } : { text: content }) }
  })
  return found?.length === 1 ? found[0] : found && { events: found }
}

function version({ data }: FirmwareEvent): EventData {
  if (data.every((byte) => byte === 0)) return { version: '' }
  const wide = wideTextIn(data)
  const found = textIn(data) ?? (wide !== undefined && /^[ -~]*$/.test(wide) ? wide : undefined)
  return found === undefined ? { hex: toHex(data) } : { version: found }
}

function blobOrText(event: FirmwareEvent): EventData {
  return text(event) ?? asData(decodeFirmwareBlob(event.data)) ?? { hex: toHex(event.data) }
}

function blob2OrText(event: FirmwareEvent): EventData {
  return blob2(event) ?? blobOrText(event)
}

function blob2({ data }: FirmwareEvent): EventData | undefined {
  const found = behindDescription(data)
  const area = found && decodeFirmwareBlob(found.rest)
  return area && { description: found.description, ...area }
}

function tables(data: Uint8Array): EventData | undefined {
  const found = decodeHandoffTables(data)
  return found && { tables: found }
}

function asData(value: object | undefined): EventData | undefined {
  return value && { ...value }
}

function hexOf(value: bigint): string {
  return `0x${value.toString(16)}`
}
