import { createHash } from 'node:crypto'
import { Writer } from '../core/writer.ts'

/** What lies somewhere below a measured directory. */
export interface ListingEntry {
  /** Relative to the directory, with `/` between. */
  readonly path: string
  /** Of a link: where it says that it leads. */
  readonly target?: string
  /** Of a file, or of the file that a link leads to; absent for a directory. */
  readonly sha256?: Uint8Array
}

const utf8 = new TextEncoder()

/** Orders entries by their paths' bytes. */
export function byPath(a: ListingEntry, b: ListingEntry): number {
  return Buffer.compare(utf8.encode(a.path), utf8.encode(b.path))
}

/** SHA-256 of a directory's listing, its entries in the order of `byPath` (docs/formats.md, "Canonical event log"). */
export function hashListing(entries: readonly ListingEntry[]): Uint8Array {
  const listing = new Writer()
  for (const { path, target, sha256 } of entries) {
    listing.u8(sha256 === undefined ? 0 : target === undefined ? 1 : 2).sized16(utf8.encode(path))
    if (target !== undefined) listing.sized16(utf8.encode(target))
    if (sha256 !== undefined) listing.bytes(sha256)
  }
  return new Uint8Array(createHash('sha256').update(listing.finish()).digest())
}
