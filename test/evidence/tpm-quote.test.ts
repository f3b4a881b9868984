import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toHex } from '../../src/core/bytes.ts'
import { verifyTpmQuote } from '../../src/evidence/tpm-quote.ts'
import { verifyQuote } from '../../src/evidence/quote.ts'
import { decodeSignature } from '../../src/tcg/signature.ts'
import { QUOTE_PARTS } from '../tcg/quote-bytes.ts'
import { CAPTURES, tpmtPublic, tpmVector, tpmVectorText } from '../tcg/tpm-vectors.ts'
import { refuses } from './refusal.ts'
import { makeSoftwareAk, makeSoftwareRsaAk } from './software-ak.ts'

const captured = (capture: string, kind: 'ecc' | 'rsa') => ({
  akPublic: tpmtPublic(`${capture}/ak_${kind}.tpm2b_public`),
  attest: tpmVector(`${capture}/quote_${kind}.attest`),
  signature: decodeSignature(tpmVector(`${capture}/quote_${kind}.sig`)),
})

describe('verifyTpmQuote', () => {
  for (const capture of CAPTURES) {
    for (const kind of ['ecc', 'rsa'] as const) {
      it(`verifies the ${kind} quote of ${capture}, by a key below the EK`, async () => {
        const ek = tpmtPublic(`${capture}/ek.pub`)
        const verified = await verifyTpmQuote(captured(capture, kind), ek)
        assert.equal(verified.akName, toHex(tpmVector(`${capture}/${kind === 'ecc' ? 'ak' : 'ak_rsa'}.name`)))
        assert.equal(verified.place, 'below the EK')
        assert.equal((await verifyTpmQuote(captured(capture, kind))).place, undefined)
      })
    }
  }

  for (const capture of CAPTURES) {
    for (const kind of ['ecc', 'rsa'] as const) {
      it(`judges the ${kind} quote of ${capture}, and one that was changed, as tpm2_checkquote does`, async () => {
        const quote = captured(capture, kind)
        const changed = quote.attest.slice()
        // The last byte of the PCRs' digest: what stays is a quote in form, of other values.
        changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
        for (const [attest, isGood] of [
          [quote.attest, true],
          [changed, false],
        ] as const) {
          const own = await verifyTpmQuote({ ...quote, attest }).then(
            () => true,
            () => false,
          )
          assert.deepEqual([own, checkQuote(capture, kind, attest)], [isGood, isGood])
        }
      })
    }
  }

  it('says of a primary key what the ledger’s verification says', async () => {
    for (const make of [makeSoftwareAk, makeSoftwareRsaAk]) {
      const ak = await make()
      const quote = await ak.quote()
      const { vmmHash, place } = await verifyTpmQuote(quote)
      assert.equal(place, 'primary key, endorsement hierarchy')
      assert.equal(vmmHash, (await verifyQuote(quote, ak.qualifiedName, QUOTE_PARTS.extraData)).vmmHash)
    }
  })

  it('refuses a quote of which any byte was changed', async () => {
    const quote = captured('01-ovmf-baseline', 'ecc')
    for (let i = 0; i < quote.attest.length; i++) {
      const attest = quote.attest.slice()
      attest[i] = (attest[i] ?? 0) ^ 1
      await assert.rejects(verifyTpmQuote({ ...quote, attest }), `byte ${i}`)
    }
    for (let i = 0; i < quote.signature.length; i++) {
      const signature = quote.signature.slice()
      signature[i] = (signature[i] ?? 0) ^ 1
      await refuses('QUOTE_SIGNATURE', verifyTpmQuote({ ...quote, signature }))
    }
  })

  it('verifies what it returns, also where the caller’s buffers change meanwhile', async () => {
    const [{ akPublic, attest, signature }, whole] = [
      captured('01-ovmf-baseline', 'ecc'),
      captured('01-ovmf-baseline', 'ecc'),
    ]
    const verifying = verifyTpmQuote({ akPublic, attest, signature })
    for (const buffer of [akPublic, attest, signature]) buffer.fill(0)
    assert.deepEqual(await verifying, await verifyTpmQuote(whole))
  })

  it('refuses another key, one that is no attestation key, and what is no quote', async () => {
    const quote = captured('01-ovmf-baseline', 'ecc')
    const { public: akPublic } = await makeSoftwareAk()
    await refuses('QUOTE_SIGNATURE', verifyTpmQuote({ ...quote, akPublic }))
    await refuses('AK_UNSUITABLE', verifyTpmQuote({ ...quote, akPublic: tpmtPublic('01-ovmf-baseline/ek.pub') }))
    await refuses('QUOTE_MALFORMED', verifyTpmQuote({ ...quote, attest: new Uint8Array(10) }))
  })
})

/** Whether tpm2_checkquote takes a quote: its signature, its nonce and its PCR values. */
function checkQuote(capture: string, kind: 'ecc' | 'rsa', attest: Uint8Array): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'attestry-quote-'))
  try {
    const message = join(dir, 'attest')
    writeFileSync(message, attest)
    const file = (name: string) => fileURLToPath(new URL(`../vectors/tpm/${capture}/${name}`, import.meta.url))
    const args = ['-u', file(`ak_${kind}.tpm2b_public`), '-m', message, '-s', file(`quote_${kind}.sig`)]
    const values = [
      '-f',
      file(`quote_${kind}.pcrs`),
      '-g',
      'sha256',
      '-q',
      tpmVectorText(`${capture}/quote_nonce.hex`).trim(),
    ]
    const { status, error } = spawnSync('tpm2_checkquote', [...args, ...values], { encoding: 'utf8' })
    if (error !== undefined) throw error
    return status === 0
  } finally {
    rmSync(dir, { recursive: true })
  }
}
