import { createHash } from 'node:crypto'
import { type Hex, fromHex, toHex } from '../core/bytes.ts'
import { CIPHERTEXT_OVERHEAD_BYTES } from './data-cipher.ts'
import { Pkcs11Error } from './error.ts'

/** Secret pages, wiped and given back by `close`. */
export interface SecretPages {
  readonly buffer: Buffer
  close(): void
}

/** Does an operation from the input into the result, and gives the result's length. */
export type RegionOperation = (input: Buffer, result: Buffer) => number

interface Region {
  readonly pages: SecretPages
  readonly input: Buffer
  readonly output: Buffer
  resultLength: number | undefined
}

const MAX_REGIONS = 64
const MAX_TOTAL_BYTES = 128 * 1024 * 1024

/** The open regions of a device process: input and result of one operation each, in secret pages from start to end. */
export class Regions {
  readonly #openPages: (size: number) => SecretPages
  readonly #regions = new Map<number, Region>()

  constructor(openPages: (size: number) => SecretPages) {
    this.#openPages = openPages
  }

  /**
   * Copies the input into pages of its own, and wipes it.
   *
   * @param maxResultBytes room for the result; what encrypting the input needs where it is left out
   * @throws Pkcs11Error REGION_LIMIT
   */
  open(id: number, input: Uint8Array, maxResultBytes = input.length + CIPHERTEXT_OVERHEAD_BYTES): void {
    try {
      if (!Number.isSafeInteger(maxResultBytes) || maxResultBytes < 0) {
        throw new Pkcs11Error('ARGUMENT_INVALID', `${maxResultBytes} is no size for a result`)
      }
      if (this.#regions.has(id)) throw new Pkcs11Error('ARGUMENT_INVALID', `region ${id} is open already`)
      // One byte more: modules refuse the null pointer that an empty view would be at the end of the pages.
      const size = input.length + maxResultBytes + 1
      this.#demand(size)
      const pages = this.#openPages(size)
      const region = {
        pages,
        input: pages.buffer.subarray(0, input.length),
        output: pages.buffer.subarray(input.length, input.length + maxResultBytes),
        resultLength: undefined,
      }
      region.input.set(input)
      this.#regions.set(id, region)
    } finally {
      input.fill(0)
    }
  }

  /** Runs an operation; where it fails the region is wiped and closed. @throws Pkcs11Error REGION_LOST */
  run(id: number, operation: RegionOperation): void {
    const region = this.#get(id)
    try {
      region.resultLength = undefined
      region.output.fill(0)
      region.resultLength = operation(region.input, region.output)
    } catch (error) {
      this.close(id)
      throw error
    }
  }

  /** `sha256("attestry/result/1" ‖ salt ‖ result)` (docs/formats.md, "Identifiers"), computed over the pages. */
  resultHash(id: number, salt: Hex): Hex {
    const hash = createHash('sha256').update('attestry/result/1').update(fromHex(salt, 32))
    return toHex(hash.update(this.#result(id)).digest())
  }

  /** A copy of the result. */
  result(id: number): Uint8Array {
    return Uint8Array.from(this.#result(id))
  }

  /** Wipes the pages and gives them back. Nothing happens where there is no such region. */
  close(id: number): void {
    this.#regions.get(id)?.pages.close()
    this.#regions.delete(id)
  }

  closeAll(): void {
    for (const id of [...this.#regions.keys()]) this.close(id)
  }

  #demand(size: number): void {
    const total = [...this.#regions.values()].reduce((sum, { pages }) => sum + pages.buffer.length, size)
    if (this.#regions.size < MAX_REGIONS && total <= MAX_TOTAL_BYTES) return
    const limit = `${MAX_REGIONS} regions and ${MAX_TOTAL_BYTES} bytes`
    throw new Pkcs11Error('REGION_LIMIT', `no room for a region of ${size} bytes: at most ${limit} at a time`)
  }

  #get(id: number): Region {
    const region = this.#regions.get(id)
    if (region === undefined) throw new Pkcs11Error('REGION_LOST', 'the region is no longer open')
    return region
  }

  #result(id: number): Buffer {
    const { output, resultLength } = this.#get(id)
    if (resultLength === undefined) throw new Pkcs11Error('ARGUMENT_INVALID', 'the region has no result yet')
    return output.subarray(0, resultLength)
  }
}
