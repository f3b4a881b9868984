import assert from 'node:assert/strict'
import { createHash, createPublicKey, randomBytes, verify, X509Certificate } from 'node:crypto'
import { concat } from '../../src/core/bytes.ts'
import { decodeQuoteAttest } from '../../src/tcg/attest.ts'
import { requireAttestationKey } from '../../src/tcg/attestation-key.ts'
import { akQualifiedNameOf, nameOf } from '../../src/tcg/name.ts'
import { decodePublic } from '../../src/tcg/public.ts'
import { TpmError, type TpmErrorCode } from '../../src/tpm/error.ts'
import { makeCredential } from '../../src/tpm/make-credential.ts'
import type { Tpm, TpmConfig } from '../../src/tpm/tpm.ts'
import { held } from './tss.ts'

/** A TPM under test. */
export interface TpmRig {
  readonly tpm: Tpm
  readonly tcti: string
  /** The same TPM once more, with another configuration. Closed with the rig. */
  other(config: Partial<TpmConfig>): Tpm
}

/** PCR 16 is for debugging: extending it harms nobody. */
const DEBUG_PCR = 16
const HALF_N = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n

/** An assertion that an error is a TpmError with this code. */
export function tpmError(code: TpmErrorCode): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof TpmError, `expected a TpmError, found ${String(error)}`)
    assert.equal(error.code, code, error.message)
    return true
  }
}

/** What holds of each TPM 2.0 with an RSA-2048 EK certificate. @param open the rig, once it is up */
export function tpmSuite(open: () => TpmRig): void {
  it('reads every PCR of every bank, as it reads them one by one', async () => {
    const { tpm } = open()
    const banks = await tpm.readPcrBanks()
    const pcrs = Array.from({ length: 24 }, (_, pcr) => pcr)
    assert.deepEqual(banks.get('sha256'), await tpm.readPcrs({ bank: 'sha256', pcrs }))
    await tpm.extendPcr(DEBUG_PCR, randomBytes(32))
    const after = await tpm.readPcrBanks()
    const moved = pcrs.filter(
      (pcr) =>
        !Buffer.from(banks.get('sha256')?.get(pcr) ?? []).equals(after.get('sha256')?.get(pcr) ?? new Uint8Array()),
    )
    assert.deepEqual(moved, [DEBUG_PCR])
  })

  it('gives an EK whose certificate is for that very key', async () => {
    const { public: ekPublic, certificate } = await open().tpm.endorsementKey()
    const ek = decodePublic(ekPublic)
    assert.ok(ek.type === 'rsa')
    const { n } = new X509Certificate(certificate).publicKey.export({ format: 'jwk' })
    assert.equal(n, Buffer.from(ek.modulus).toString('base64url'))
  })

  it('gives a restricted AK with its name, the same one each time', async () => {
    const ak = await open().tpm.attestationKey()
    requireAttestationKey(decodePublic(ak.public))
    assert.deepEqual(ak.name, new Uint8Array(nameOf(ak.public)))
    assert.deepEqual(await open().tpm.attestationKey(), ak)
  })

  it('activates a credential that was made for its EK and AK', async () => {
    const { tpm } = open()
    const [ek, ak] = [await tpm.endorsementKey(), await tpm.attestationKey()]
    for (const length of [1, 16, 32]) {
      const secret = new Uint8Array(randomBytes(length))
      assert.deepEqual(await tpm.activateCredential(makeCredential(ek.public, ak.name, secret)), secret)
    }
  })

  it('refuses a credential for another AK, or one that was changed', async () => {
    const { tpm } = open()
    const [ek, ak] = [await tpm.endorsementKey(), await tpm.attestationKey()]
    const otherName = concat(ak.name.subarray(0, 2), randomBytes(32))
    const other = makeCredential(ek.public, otherName, randomBytes(32))
    await assert.rejects(tpm.activateCredential(other), tpmError('CREDENTIAL_REFUSED'))
    for (const field of ['credentialBlob', 'encryptedSecret'] as const) {
      const good = makeCredential(ek.public, ak.name, randomBytes(32))
      const changed = good[field].map((byte, i) => (i === 40 ? byte ^ 1 : byte))
      await assert.rejects(tpm.activateCredential({ ...good, [field]: changed }), tpmError('CREDENTIAL_REFUSED'))
    }
  })

  it('reads all PCRs, though the TPM gives eight at a time', async () => {
    const pcrs = Array.from({ length: 24 }, (_, i) => i)
    const values = await open().tpm.readPcrs({ bank: 'sha256', pcrs })
    assert.deepEqual([...values.keys()], pcrs)
    assert.ok([...values.values()].every((value) => value.length === 32))
  })

  it('extends a PCR', async () => {
    const { tpm } = open()
    const read = async () => (await tpm.readPcrs({ bank: 'sha256', pcrs: [DEBUG_PCR] })).get(DEBUG_PCR)
    const before = await read()
    const digest = randomBytes(32)
    await tpm.extendPcr(DEBUG_PCR, digest)
    assert.ok(before !== undefined)
    assert.deepEqual(await read(), sha256(before, digest))
  })

  it('refuses to extend with a digest of another length, or a PCR that there is not', async () => {
    const { tpm } = open()
    await assert.rejects(tpm.extendPcr(DEBUG_PCR, new Uint8Array(31)), RangeError)
    await assert.rejects(tpm.extendPcr(24, new Uint8Array(32)), RangeError)
  })

  it('quotes the selected PCRs and the qualifying data, signed by the AK', async () => {
    const { tpm } = open()
    const ak = await tpm.attestationKey()
    const selection = { bank: 'sha256', pcrs: [0, 7, DEBUG_PCR] } as const
    const qualifyingData = new Uint8Array(randomBytes(32))
    const values = await tpm.readPcrs(selection)
    const { akPublic, attest, signature } = await tpm.quote(selection, qualifyingData)
    assert.deepEqual(akPublic, ak.public)

    const attestationKey = requireAttestationKey(decodePublic(ak.public))
    assert.ok(attestationKey.type === 'ecc')
    const { x, y } = attestationKey
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
    const key = createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: base64(x), y: base64(y) } })
    assert.ok(verify('sha256', attest, { key, dsaEncoding: 'ieee-p1363' }, signature))

    const quote = decodeQuoteAttest(attest)
    assert.deepEqual(quote.extraData, qualifyingData)
    assert.deepEqual(quote.selections, [selection])
    assert.deepEqual(quote.pcrDigest, sha256(...values.values()))
    assert.deepEqual(quote.qualifiedSigner, akQualifiedNameOf(ak.public))
  })

  it('gives signatures of 64 bytes with a low s', async () => {
    // Every other signature of a TPM has a high s.
    for (let i = 0; i < 16; i++) {
      const { signature } = await open().tpm.quote({ bank: 'sha256', pcrs: [0] }, new Uint8Array())
      assert.equal(signature.length, 64)
      assert.ok(BigInt(`0x${Buffer.from(signature).subarray(32).toString('hex')}`) <= HALF_N)
    }
  })

  it('refuses to quote nothing, or with too much qualifying data', async () => {
    const { tpm } = open()
    await assert.rejects(tpm.quote({ bank: 'sha256', pcrs: [] }, new Uint8Array(32)), { code: 'SELECTION_EMPTY' })
    await assert.rejects(tpm.quote({ bank: 'sha256', pcrs: [0] }, new Uint8Array(65)), RangeError)
  })

  it('has a clock that agrees with the one in a quote', async () => {
    const { tpm } = open()
    const before = await tpm.readClock()
    const { clock } = decodeQuoteAttest((await tpm.quote({ bank: 'sha256', pcrs: [0] }, new Uint8Array(32))).attest)
    assert.deepEqual([clock.resetCount, clock.restartCount], [before.resetCount, before.restartCount])
    assert.ok(clock.clock >= before.clock)
  })

  it('counts up by one, and reads what it counted', async () => {
    const { tpm } = open()
    const first = await tpm.incrementCounter()
    assert.equal(await tpm.incrementCounter(), first + 1n)
    assert.equal(await tpm.readCounter(), first + 1n)
  })

  it('refuses an AK handle where a key of another kind lies', async () => {
    // The RSA EK's.
    await assert.rejects(open().other({ akHandle: 0x81010001 }).attestationKey(), tpmError('AK_UNSUITABLE'))
  })

  it('refuses an NV index where something other than the counter lies', async () => {
    // The EK certificate's.
    const other = open().other({ nvIndex: 0x01c00002 })
    await assert.rejects(other.incrementCounter(), tpmError('NV_UNSUITABLE'))
    await assert.rejects(other.readCounter(), tpmError('NV_UNSUITABLE'))
  })

  it('leaves nothing in the TPM after ten rounds of everything, refusals too', async () => {
    const { tpm, tcti } = open()
    const before = held(tcti)
    for (let i = 0; i < 10; i++) {
      const [ek, ak] = [await tpm.endorsementKey(), await tpm.attestationKey()]
      await tpm.activateCredential(makeCredential(ek.public, ak.name, randomBytes(32)))
      const bad = { credentialBlob: randomBytes(68), encryptedSecret: randomBytes(256) }
      await assert.rejects(tpm.activateCredential(bad), tpmError('CREDENTIAL_REFUSED'))
      await tpm.quote({ bank: 'sha256', pcrs: [0] }, randomBytes(32))
      await tpm.incrementCounter()
    }
    assert.deepEqual(held(tcti), before)
    assert.deepEqual([before.transient, before.sessions], [[], []])
  })
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHash('sha256')
      .update(concat(...parts))
      .digest(),
  )
}
