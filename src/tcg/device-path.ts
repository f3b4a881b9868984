import { toHex } from '../core/bytes.ts'
import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { textIn, wideTextIn } from './event-text.ts'
import { guidText } from './guid.ts'

/** The longest device path that is put into words, in nodes. */
const MAX_NODES = 128

/** How a node's data are worded, by type and subtype (UEFI 2.10, 10.3 and 10.6); undefined where they are not as they should be. */
type Wording = (data: Uint8Array) => string | undefined

const hexNumber = (value: number | bigint) => `0x${value.toString(16)}`
const fixed =
  (length: number, word: (reader: LittleEndianReader) => string): Wording =>
  (data) =>
    data.length === length ? word(new LittleEndianReader(data)) : undefined
const guidNode =
  (name: string): Wording =>
  (data) => {
    if (data.length < 16) return undefined
    const rest = data.length > 16 ? `,${toHex(data.subarray(16)).slice(2)}` : ''
    return `${name}(${guidText(data.subarray(0, 16))}${rest})`
  }

const WORDINGS: Readonly<Record<number, Wording>> = {
  0x0101: fixed(2, (r) => {
    const [fn, device] = [r.u8(), r.u8()]
    return `Pci(${hexNumber(device)},${hexNumber(fn)})`
  }),
  0x0103: fixed(20, (r) => `MemoryMapped(${hexNumber(r.u32())},${hexNumber(r.u64())},${hexNumber(r.u64())})`),
  0x0104: guidNode('VenHw'),
  0x0105: fixed(4, (r) => `Ctrl(${hexNumber(r.u32())})`),
  0x0201: fixed(8, acpi),
  0x0203: (data) => (data.length >= 4 ? `AcpiAdr(${hexNumber(new LittleEndianReader(data).u32())})` : undefined),
  0x0301: fixed(4, (r) => {
    const [primary, slave, lun] = [r.u8(), r.u8(), r.u16()]
    return `Ata(${primary === 0 ? 'Primary' : 'Secondary'},${slave === 0 ? 'Master' : 'Slave'},${hexNumber(lun)})`
  }),
  0x0302: fixed(4, (r) => `Scsi(${hexNumber(r.u16())},${hexNumber(r.u16())})`),
  0x0305: fixed(2, (r) => `USB(${hexNumber(r.u8())},${hexNumber(r.u8())})`),
  0x030a: guidNode('VenMsg'),
  0x030b: (data) => (data.length === 33 ? mac(data) : undefined),
  0x030c: (data) =>
    data.length === 15 || data.length === 23 ? `IPv4(${[...data.subarray(4, 8)].join('.')})` : undefined,
  0x030d: (data) => (data.length >= 32 ? `IPv6(${toHex(data.subarray(16, 32)).slice(2)})` : undefined),
  0x0311: fixed(1, (r) => `Lun(${hexNumber(r.u8())})`),
  0x0312: fixed(6, (r) => `Sata(${hexNumber(r.u16())},${hexNumber(r.u16())},${hexNumber(r.u16())})`),
  0x0317: fixed(12, (r) => {
    const id = r.u32()
    return `NVMe(${hexNumber(id)},${Array.from(r.bytes(8).toReversed(), (byte) => byte.toString(16).padStart(2, '0')).join('-')})`
  }),
  0x0318: (data) => (data.length === 0 ? 'Uri()' : quoted('Uri', textIn(data))),
  0x031a: fixed(1, (r) => `SD(${hexNumber(r.u8())})`),
  0x031d: fixed(1, (r) => `eMMC(${hexNumber(r.u8())})`),
  0x0401: fixed(38, hardDrive),
  0x0402: fixed(20, (r) => `CDROM(${hexNumber(r.u32())},${hexNumber(r.u64())},${hexNumber(r.u64())})`),
  0x0403: guidNode('VenMedia'),
  0x0404: (data) => wideTextIn(data),
  0x0406: guidNode('FvFile'),
  0x0407: guidNode('Fv'),
  0x0408: fixed(20, (r) => {
    r.u32()
    return `Offset(${hexNumber(r.u64())},${hexNumber(r.u64())})`
  }),
  0x0501: (data) => {
    if (data.length < 4) return undefined
    const kind = new LittleEndianReader(data).u16()
    return quoted(`BBS(${hexNumber(kind)})`, data.length > 5 ? textIn(data.subarray(4)) : '')
  },
}

/**
 * A device path in words, as UEFI writes them (UEFI 2.10, 10.6), its instances separated by a comma. A node that is not known stands there as
 * `Path(type,subtype,hex)`.
 *
 * @param bytes untrusted
 * @returns undefined where the nodes' lengths do not add up, where it does not end, or has more than 128 nodes
 */
export function devicePathText(bytes: Uint8Array): string | undefined {
  const reader = new LittleEndianReader(bytes)
  const words: string[] = []
  for (let nodes = 0; nodes < MAX_NODES && reader.remaining >= 4; nodes++) {
    const [type, subtype, length] = [reader.u8(), reader.u8(), reader.u16()]
    if (length < 4 || length - 4 > reader.remaining) return undefined
    const data = reader.bytes(length - 4)
    if (type === 0x7f && subtype === 0xff) return reader.remaining === 0 ? joined(words) : undefined
    words.push(type === 0x7f ? ',' : (WORDINGS[(type << 8) | subtype]?.(data) ?? unknown(type, subtype, data)))
  }
  return undefined
}

function joined(words: readonly string[]): string {
  return words.join('/').replaceAll('/,/', ',')
}

function unknown(type: number, subtype: number, data: Uint8Array): string {
  return `Path(${type},${subtype},${toHex(data).slice(2)})`
}

/** PciRoot and Acpi: the identifier is a compressed EISA name in its low half, `PNP` being 0x41d0. */
function acpi(reader: LittleEndianReader): string {
  const [hid, uid] = [reader.u32(), reader.u32()]
  if (hid === 0x0a0341d0) return `PciRoot(${hexNumber(uid)})`
  if (hid === 0x0a0841d0) return `PcieRoot(${hexNumber(uid)})`
  const name =
    (hid & 0xffff) === 0x41d0 ? `PNP${(hid >>> 16).toString(16).padStart(4, '0').toUpperCase()}` : hexNumber(hid)
  return `Acpi(${name},${hexNumber(uid)})`
}

function mac(data: Uint8Array): string {
  const kind = data[32] ?? 0
  return `MAC(${toHex(data.subarray(0, kind <= 1 ? 6 : 32)).slice(2)},${hexNumber(kind)})`
}

function hardDrive(reader: LittleEndianReader): string {
  const [partition, start, size] = [reader.u32(), reader.u64(), reader.u64()]
  const [signature, , kind] = [reader.bytes(16), reader.u8(), reader.u8()]
  const id =
    kind === 2
      ? `GPT,${guidText(signature)}`
      : kind === 1
        ? `MBR,${hexNumber(new LittleEndianReader(signature).u32())}`
        : `${kind},${toHex(signature).slice(2)}`
  return `HD(${partition},${id},${hexNumber(start)},${hexNumber(size)})`
}

function quoted(name: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : `${name}(${text})`
}
