/** Why a byte string could not be read. */
export class ReadError extends RangeError {
  override readonly name = 'ReadError'
}

/**
 * Reads big-endian values from untrusted bytes, front to back. Every length is checked before it is used; the views it
 * returns share the input's memory, which is never written.
 */
export class Reader {
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
    return this.#view.getUint16(this.#advance(2))
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8))
  }

  /** The next `length` bytes. */
  bytes(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** A byte string with a 16-bit length in front, as in TPM2B structures, of at most `max` bytes. */
  sized16(max: number): Uint8Array {
    return this.bytes(this.#bounded(this.u16(), max))
  }

  /** A byte string with a 32-bit length in front, of at most `max` bytes. */
  sized32(max: number): Uint8Array {
    return this.bytes(this.#bounded(this.u32(), max))
  }

  /** Refuses trailing bytes. */
  end(what: string): void {
    if (this.remaining !== 0) throw new ReadError(`${what}: ${this.remaining} bytes too many`)
  }

  #bounded(length: number, max: number): number {
    if (length > max) throw new ReadError(`expected at most ${max} bytes, found a length of ${length}`)
    return length
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
