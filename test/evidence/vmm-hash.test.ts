import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { keccak256 } from 'ethers'
import { fromHex } from '../../src/core/bytes.ts'
import { EvidenceError } from '../../src/evidence/error.ts'
import { pcrDigest, vmmHash, vmmHashOfQuoteInfo } from '../../src/evidence/vmm-hash.ts'
import { decodeQuoteAttest } from '../../src/tcg/attest.ts'
import type { formatVectors } from '../record/format-vectors.ts'
import { sha256Pcrs, tpmVector } from '../tcg/tpm-vectors.ts'

const selection = { bank: 'sha256' as const, pcrs: [0, 2, 4, 7, 13] }

describe('vmmHash', () => {
  /** What the quote of a capture shows, and what the PCRs that were read beside it give. */
  function compare(capture: string) {
    const { quoteInfo, selections } = decodeQuoteAttest(tpmVector(`${capture}/quote_ecc.attest`))
    const [selected] = selections
    assert.ok(selected)
    return { quoted: vmmHashOfQuoteInfo(quoteInfo), read: vmmHash(selected, sha256Pcrs(`${capture}/pcrs.yaml`)) }
  }

  it('gives, for the PCRs that were read, what the quote shows', () => {
    for (const capture of ['01-ovmf-baseline', '02-ovmf-cmdline-vmm-changed']) {
      const { quoted, read } = compare(capture)
      assert.equal(read, quoted)
    }
  })

  it('is that of the worked example, from its log’s value and from its quote', () => {
    const file = new URL('../vectors/formats.json', import.meta.url)
    const { eventLog } = JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof formatVectors>
    const values = new Map([[eventLog.pcr, fromHex(eventLog.pcrValue)]])
    assert.equal(vmmHash({ bank: 'sha256', pcrs: [eventLog.pcr] }, values), eventLog.vmmHash)
    assert.equal(vmmHashOfQuoteInfo(fromHex(eventLog.quoteInfo)), eventLog.vmmHash)
  })

  it('tells where a PCR moved between the reading and the quote', () => {
    const { quoted, read } = compare('04-ovmf-secureboot-shim-grub')
    assert.notEqual(read, quoted)
  })

  it('differs where a selected PCR differs, and not where another one does', () => {
    const values = sha256Pcrs('01-ovmf-baseline/pcrs.yaml')
    const changed = (pcr: number) => new Map(values).set(pcr, new Uint8Array(32).fill(1))
    assert.notEqual(vmmHash(selection, changed(13)), vmmHash(selection, values))
    assert.equal(vmmHash(selection, changed(12)), vmmHash(selection, values))
  })

  it('differs by bank and selection, even where the values are the same', () => {
    const values = new Map([13, 14].map((pcr) => [pcr, new Uint8Array(32)]))
    const one = vmmHash({ bank: 'sha256', pcrs: [13] }, values)
    assert.notEqual(one, vmmHash({ bank: 'sha256', pcrs: [14] }, values))
  })
})

describe('vmmHashOfQuoteInfo', () => {
  it('is the Keccak-256 of the bytes as they stand', () => {
    const { quoteInfo } = decodeQuoteAttest(tpmVector('swtpm-primary-ak/quote.attest'))
    assert.equal(vmmHashOfQuoteInfo(quoteInfo), keccak256(tpmVector('swtpm-primary-ak/quote.attest').slice(-44)))
  })
})

describe('pcrDigest', () => {
  it('refuses values that are missing or as long as another bank’s', () => {
    const values = sha256Pcrs('01-ovmf-baseline/pcrs.yaml')
    const wrong = [new Map(), new Map(values).set(13, new Uint8Array(48)), new Map(values).set(13, new Uint8Array())]
    for (const bad of wrong) {
      assert.throws(
        () => pcrDigest(selection, bad),
        (error) => error instanceof EvidenceError && error.code === 'PCR_VALUES',
      )
    }
    assert.throws(() => pcrDigest({ bank: 'sha384', pcrs: [13] }, values), EvidenceError)
  })
})
