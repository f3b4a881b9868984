import { BANKS, type BankName } from './bank.ts'
import { EV } from './event-type.ts'

/** Where an event's digests lie, by algorithm, counted from the first of them. Shared by the events that are written alike. */
export type DigestLayout = ReadonlyMap<number, { readonly offset: number; readonly length: number }>

/**
 * One event of a firmware event log: numbers, and where in the log the rest lies. Digests and data are views, made when they are asked for: a log of
 * many small events costs little more than its bytes. Everything is untrusted until its digests replay to a quoted PCR, and type and data of no
 * digest even then (`coverageOf`).
 */
export class FirmwareEvent {
  /** From 0. */
  readonly index: number
  readonly pcr: number
  /** An unsigned number of 32 bits (`EV`). */
  readonly type: number
  readonly #log: Uint8Array
  readonly #layout: DigestLayout
  readonly #digests: number
  readonly #data: number
  readonly #length: number

  /** @param place where the digests begin, where the data begin, and how many bytes they are, all within `log` */
  constructor(
    head: { readonly index: number; readonly pcr: number; readonly type: number },
    log: Uint8Array,
    layout: DigestLayout,
    place: { readonly digests: number; readonly data: number; readonly length: number },
  ) {
    this.index = head.index
    this.pcr = head.pcr
    this.type = head.type
    this.#log = log
    this.#layout = layout
    this.#digests = place.digests
    this.#data = place.data
    this.#length = place.length
  }

  /** Whether the event stands for something that was extended: EV_NO_ACTION never does. */
  get extended(): boolean {
    return this.type !== EV.NO_ACTION
  }

  /** The event's data, as the firmware wrote them. */
  get data(): Uint8Array {
    return this.#log.subarray(this.#data, this.#data + this.#length)
  }

  /** Algorithms of the digests that the event has (TPM_ALG_ID). */
  get algorithms(): readonly number[] {
    return [...this.#layout.keys()]
  }

  /** The digest of a bank, undefined where the event has none. */
  digest(bank: BankName): Uint8Array | undefined {
    return this.digestOf(BANKS[bank].algorithm)
  }

  /** The digest of an algorithm, which may be one that only the log's header knows. */
  digestOf(algorithm: number): Uint8Array | undefined {
    const found = this.#layout.get(algorithm)
    if (found === undefined) return undefined
    const start = this.#digests + found.offset
    return this.#log.subarray(start, start + found.length)
  }
}
