import { ReadError } from './reader.ts'

/**
 * Reads little-endian values from untrusted bytes, front to back: what firmware writes, where a TPM writes big-endian. Every length
 * is checked before it is used; the views it returns share the input's memory, which is never written.
 */
export class LittleEndianReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The number of bytes read so far. */
  get offset(): number {
    return this.#offset
  }

  /** The number of bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true)
  }

  /** The next `length` bytes. */
  bytes(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** All bytes that are left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining)
  }

  /** Refuses trailing bytes. */
  end(what: string): void {
    if (this.remaining !== 0) throw new ReadError(`${what}: ${this.remaining} bytes too many`)
  }

  #advance(length: number): number {
    if (length > this.remaining) {
      throw new ReadError(`expected ${length} more bytes at offset ${this.#offset}, found ${this.remaining}`)
    }
    const start = this.#offset
    this.#offset += length
    return start
  }
}
