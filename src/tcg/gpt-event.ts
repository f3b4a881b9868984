import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { wideTextIn } from './event-text.ts'
import { guidText } from './guid.ts'

/** A UEFI_GPT_DATA: a disk's partition table as it was measured. */
export interface GptEvent {
  readonly disk: string
  readonly partitions: readonly {
    readonly type: string
    readonly guid: string
    readonly first: bigint
    readonly last: bigint
    readonly attributes: bigint
    readonly name: string
  }[]
}

const HEADER = 92
const SIGNATURE = 0x5452415020494645n

/**
 * Decodes a UEFI_GPT_DATA (PC Client Platform Firmware Profile 1.06, 10.2.5; UEFI 2.10, 5.3): the table's header and the partitions in use.
 *
 * @param data untrusted
 * @returns undefined where it is none
 */
export function decodeGptEvent(data: Uint8Array): GptEvent | undefined {
  if (data.length < HEADER + 8) return undefined
  const reader = new LittleEndianReader(data)
  const header = new LittleEndianReader(reader.bytes(HEADER))
  const count = reader.u64()
  if (header.u64() !== SIGNATURE) return undefined
  header.bytes(48)
  const disk = guidText(header.bytes(16))
  header.bytes(12)
  const size = header.u32()
  if (size < 128 || BigInt(size) * count !== BigInt(reader.remaining)) return undefined
  const partitions: GptEvent['partitions'][number][] = []
  for (let i = 0; i < Number(count); i++) {
    const entry = new LittleEndianReader(reader.bytes(size))
    const [type, guid] = [guidText(entry.bytes(16)), guidText(entry.bytes(16))]
    const [first, last, attributes] = [entry.u64(), entry.u64(), entry.u64()]
    partitions.push({ type, guid, first, last, attributes, name: partitionName(entry.bytes(72)) })
  }
  return { disk, partitions }
}

/** A name fills its field with zeros; one that cannot be shown is left out. */
function partitionName(field: Uint8Array): string {
  let end = 0
  while (end < field.length && (field[end] !== 0 || field[end + 1] !== 0)) end += 2
  return wideTextIn(field.subarray(0, end)) ?? ''
}
