import { constants, privateEncrypt } from 'node:crypto'
import { concat, fromHex, toHex } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/tcg/hash.ts'
import { P256_ORDER } from '../../src/tcg/p256.ts'
import type { Draw } from './draw.ts'
import { nameOfArea, type QuoteCase, type Specimen } from './quote-case.ts'

/** A case while it is changed: everything is this mutation's own copy. */
interface Mutant {
  akPublic: Uint8Array
  attest: Uint8Array
  signature: Uint8Array
  akQualifiedName: Uint8Array
  qualifyingData: Uint8Array
}
type Part = keyof Mutant
type Mutate = (mutant: Mutant, draw: Draw, specimens: readonly Specimen[], specimen: Specimen) => void

const TRAVELLING: readonly Part[] = ['akPublic', 'attest', 'signature']
/** Where lengths, counts, algorithms, flags and attributes stand, for keys and attests with and without what is optional. */
const STRUCTURE: Readonly<Partial<Record<Part, readonly number[]>>> = {
  akPublic: [...range(0, 24), 44, 45, 54, 55, 56, 86, 87, 265, 279],
  attest: [...range(0, 10), 42, 43, 92, ...range(101, 120)],
}

/** Draws cases that were never drawn before, each from a specimen that it says, and none of them a specimen. */
export class Mutations {
  readonly #draw: Draw
  readonly #all: readonly Specimen[]
  readonly #seen = new Set<string>()
  /** How often a case was drawn that was there already. */
  repeated = 0

  /** @param all whose parts may come into any case */
  constructor(draw: Draw, all: readonly Specimen[]) {
    this.#draw = draw
    this.#all = all
    for (const specimen of all) this.#seen.add(keyOf(specimen))
  }

  /** A change of one of these specimens. */
  next(specimens: readonly Specimen[]): QuoteCase {
    for (;;) {
      const drawn = mutate(this.#draw, specimens, this.#all)
      const key = keyOf(drawn)
      if (!this.#seen.has(key)) {
        this.#seen.add(key)
        return drawn
      }
      this.repeated++
    }
  }
}

/** All that a verifier is asked: two cases of one key are one. */
export function keyOf({ quote, akQualifiedName, qualifyingData }: QuoteCase): string {
  return [quote.akPublic, quote.attest, quote.signature, akQualifiedName, qualifyingData].map(toHex).join()
}

/**
 * Another case, made from a specimen by one or two changes. Often what the changes broke is made good again, so that the next
 * check is come to: the names, the qualifying data and, where the key is the test's own, the signature.
 */
function mutate(draw: Draw, specimens: readonly Specimen[], all: readonly Specimen[]): QuoteCase {
  const specimen = draw.pick(specimens)
  const { quote, akQualifiedName, qualifyingData } = specimen
  const mutant: Mutant = { ...quote, akQualifiedName, qualifyingData }
  do draw.pick(MUTATIONS)(mutant, draw, all, specimen)
  while (draw.chance(25))
  if (draw.chance(60)) mutant.akQualifiedName = nameOfArea(mutant.akPublic)
  if (draw.chance(60)) mutant.attest = put(mutant.attest, 10, mutant.akQualifiedName)
  if (draw.chance(60)) mutant.qualifyingData = fixed(mutant.attest.slice(44, 76), 32)
  const isUntouched = mutant.signature === quote.signature
  if (isUntouched && draw.chance(80)) mutant.signature = specimen.signatureOf?.(mutant.attest) ?? mutant.signature
  const { akPublic, attest, signature } = mutant
  return {
    quote: { akPublic, attest, signature },
    akQualifiedName: mutant.akQualifiedName,
    qualifyingData: mutant.qualifyingData,
  }
}

const MUTATIONS: readonly Mutate[] = [
  function flipBits(mutant, draw) {
    const part = draw.pick(Object.keys(mutant) as Part[])
    for (let i = draw.below(3); i >= 0; i--) edit(mutant, part, draw.below(mutant[part].length), draw, 'flip')
  },
  function flipStructure(mutant, draw) {
    const part = draw.pick(['akPublic', 'attest'] as const)
    edit(mutant, part, draw.pick(STRUCTURE[part] ?? [0]), draw, draw.pick(['flip', 'any', 'small']))
  },
  function flipAttributes(mutant, draw) {
    edit(mutant, 'akPublic', 4 + draw.below(4), draw, 'flip')
  },
  function truncate(mutant, draw) {
    const part = draw.pick(TRAVELLING)
    const length = draw.chance(20) ? draw.below(mutant[part].length + 1) : mutant[part].length - 1 - draw.below(40)
    mutant[part] = mutant[part].slice(0, Math.max(0, length))
  },
  function extend(mutant, draw) {
    const part = draw.pick(TRAVELLING)
    const more = draw.chance(50) ? new Uint8Array(1 + draw.below(8)) : draw.bytes(1 + draw.below(300))
    mutant[part] = draw.chance(70) ? concat(mutant[part], more) : concat(more, mutant[part])
  },
  function cutOut(mutant, draw) {
    const part = draw.pick(TRAVELLING)
    const [at, length] = [draw.below(mutant[part].length + 1), 1 + draw.below(34)]
    mutant[part] = concat(mutant[part].slice(0, at), mutant[part].slice(at + length))
  },
  function otherPart(mutant, draw, specimens) {
    const { quote, akQualifiedName, qualifyingData } = draw.pick(specimens)
    const part = draw.pick(Object.keys(mutant) as Part[])
    mutant[part] = { ...quote, akQualifiedName, qualifyingData }[part]
  },
  function splice(mutant, draw, specimens) {
    const part = draw.pick(TRAVELLING)
    const { quote } = draw.pick(specimens)
    const other = { ...mutant, ...quote }[part]
    const [from, to] = [draw.below(other.length + 1), draw.below(other.length + 1)].sort((a, b) => a - b)
    mutant[part] = put(mutant[part], from ?? 0, other.slice(from, to))
  },
  function head(mutant, draw, specimens) {
    const other = draw.pick(specimens).quote.attest
    mutant.attest = concat(mutant.attest.slice(0, 101), other.slice(101))
  },
  function swapFields(mutant) {
    const { attest } = mutant
    mutant.attest = put(put(attest, 10, attest.slice(44, 76)), 44, attest.slice(10, 42))
  },
  function swapCoordinates(mutant, draw) {
    const [x, y] = [mutant.akPublic.slice(-66, -34), mutant.akPublic.slice(-32)]
    const at = mutant.akPublic.length
    mutant.akPublic = draw.chance(50)
      ? put(put(mutant.akPublic, at - 66, y), at - 32, x)
      : put(mutant.akPublic, at - 66, draw.pick([FIELD, new Uint8Array(32), concat(FIELD, Uint8Array.of(0, 32), y)]))
  },
  function clock(mutant, draw) {
    mutant.attest = put(mutant.attest, 76, draw.bytes(16))
  },
  function selection(mutant, draw) {
    const bank = (): readonly number[] => [
      0,
      draw.pick([0x0b, 0x0c, 0x0b, 0x0c, 0x04, 0x0d]),
      draw.pick([3, 3, 3, 3, 2, 4]),
    ]
    const select = (): Uint8Array => draw.pick([draw.bytes(3), new Uint8Array(3), Uint8Array.of(0, 0x20, 0)])
    const count = draw.pick([1, 2, 2, 3, 0])
    const entries = Array.from({ length: count }, () => concat(Uint8Array.from(bank()), select()))
    const said = draw.chance(80) ? count : draw.below(4)
    const size = draw.chance(90) ? 32 : draw.below(64)
    const info = concat(Uint8Array.of(0, 0, 0, said), ...entries, Uint8Array.of(0, size), draw.bytes(32))
    mutant.attest = concat(mutant.attest.slice(0, 101), info)
  },
  function ecdsaArithmetic(mutant, draw) {
    const [r, s] = [number(mutant.signature.slice(0, 32)), number(mutant.signature.slice(32, 64))]
    const values = [0n, 1n, r, s, r + 1n, P256_ORDER - r, P256_ORDER - s, s + P256_ORDER, r + P256_ORDER]
    const edges = [P256_ORDER, P256_ORDER - 1n, P256_ORDER + 1n, HALF, HALF + 1n, 2n ** 256n - 1n]
    const other = draw.pick([...values, ...edges]) % 2n ** 256n
    const [keep, change] = [draw.chance(50), draw.chance(50)]
    mutant.signature = concat(bytes(keep ? r : change ? other : s, 32), bytes(keep ? other : change ? s : r, 32))
  },
  function negateS(mutant) {
    const s = number(mutant.signature.slice(32, 64))
    mutant.signature = concat(mutant.signature.slice(0, 32), bytes((P256_ORDER - (s % P256_ORDER)) % P256_ORDER, 32))
  },
  function rsaModulus(mutant, draw) {
    const first = mutant.akPublic.length - 256
    const at = draw.pick([first, first, mutant.akPublic.length - 1])
    mutant.akPublic = put(mutant.akPublic, at, Uint8Array.of(draw.pick([0x7f, 0x40, 0x80, 0x00, 0xfe])))
  },
  function rsaArithmetic(mutant, draw) {
    const [s, n] = [number(mutant.signature), number(mutant.akPublic.slice(-256))]
    mutant.signature = bytes(
      draw.pick([s + n, n > s ? n - s : s, n, n - 1n, n + 1n, 0n, 1n, s + 1n]) % 2n ** 2048n,
      256,
    )
  },
  function rsaEncoding(mutant, draw, _, { privateKey }) {
    if (privateKey === undefined) return
    const block = encodedMessage(mutant.attest, draw)
    mutant.signature = Uint8Array.from(
      privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, Buffer.from(block)),
    )
  },
]

const FIELD = fromHex('0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff', 32)
const HALF = P256_ORDER / 2n
const DIGEST_INFO = {
  sha256: '0x3031300d060960864801650304020105000420',
  'without parameters': '0x302f300b0609608648016503040201' + '0420',
  sha512: '0x3051300d060960864801650304020305000440',
  none: '0x',
}

/** What RSASSA-PKCS1-v1_5 signs (RFC 8017, 9.2), or what careless verifiers would take for it. */
function encodedMessage(attest: Uint8Array, draw: Draw): Uint8Array<ArrayBuffer> {
  const info = fromHex(draw.pick([DIGEST_INFO.sha256, ...Object.values(DIGEST_INFO)]))
  const end = concat(info, sha256(attest), draw.chance(20) ? draw.bytes(1 + draw.below(8)) : new Uint8Array())
  const padding = new Uint8Array(256 - 3 - end.length).fill(0xff)
  if (draw.chance(30)) padding[draw.below(padding.length)] = draw.below(256)
  const type = draw.chance(80) ? 1 : draw.below(3)
  return concat(Uint8Array.of(0, type), padding, Uint8Array.of(draw.chance(90) ? 0 : 0xff), end)
}

function edit(mutant: Mutant, part: Part, at: number, draw: Draw, how: 'flip' | 'any' | 'small'): void {
  const before = mutant[part][at]
  if (before === undefined) return
  const value = { flip: before ^ (1 << draw.below(8)), any: draw.below(256), small: draw.below(4) }[how]
  mutant[part] = put(mutant[part], at, Uint8Array.of(value))
}

/** Overwrites, within what there is. */
function put(whole: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(whole)
  if (at >= 0 && at < copy.length) copy.set(piece.subarray(0, copy.length - at), at)
  return copy
}

function fixed(short: Uint8Array, length: number): Uint8Array {
  return concat(short, new Uint8Array(length - short.length))
}

function number(big: Uint8Array): bigint {
  return BigInt(toHex(Uint8Array.of(0, ...big)))
}

function bytes(value: bigint, length: number): Uint8Array {
  return fromHex(`0x${value.toString(16).padStart(2 * length, '0')}`, length)
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}
