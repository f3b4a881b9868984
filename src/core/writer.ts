import { concat } from './bytes.ts'

/** Writes big-endian values, one after the other. */
export class Writer {
  readonly #parts: Uint8Array[] = []

  u8(value: number): this {
    return this.bytes(Uint8Array.of(bounded(value, 0xff)))
  }

  u16(value: number): this {
    bounded(value, 0xffff)
    return this.bytes(Uint8Array.of(value >>> 8, value & 0xff))
  }

  u32(value: number): this {
    const part = new Uint8Array(4)
    new DataView(part.buffer).setUint32(0, bounded(value, 0xffffffff))
    return this.bytes(part)
  }

  u64(value: bigint): this {
    if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError(`${value} does not fit in 64 bits`)
    const part = new Uint8Array(8)
    new DataView(part.buffer).setBigUint64(0, value)
    return this.bytes(part)
  }

  bytes(value: Uint8Array): this {
    this.#parts.push(value)
    return this
  }

  /** A byte string with a 16-bit length in front, as in TPM2B structures. */
  sized16(value: Uint8Array): this {
    return this.u16(value.length).bytes(value)
  }

  /** A byte string with a 32-bit length in front. */
  sized32(value: Uint8Array): this {
    return this.u32(value.length).bytes(value)
  }

  finish(): Uint8Array<ArrayBuffer> {
    return concat(...this.#parts)
  }
}

function bounded(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${value} is not within 0 and ${max}`)
  return value
}
