import assert from 'node:assert/strict'
import { constants, createCipheriv, createHmac, generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { concat } from '../../src/core/bytes.ts'
import { encodeEndorsementTemplate, ENDORSEMENT_TEMPLATES } from '../../src/tcg/endorsement-template.ts'
import { kdfa } from '../../src/tpm/kdfa.ts'
import { makeCredential } from '../../src/tpm/make-credential.ts'

const NAME = new Uint8Array(34).fill(5)
const SECRET = new Uint8Array(32).fill(7)

describe('makeCredential', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url')
  const ek = concat(encodeEndorsementTemplate(ENDORSEMENT_TEMPLATES['L-1']).subarray(0, -256), modulus)

  it('encrypts for the EK, under a seed that is new each time', () => {
    const [one, two] = [makeCredential(ek, NAME, SECRET), makeCredential(ek, NAME, SECRET)]
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const oaep = { key: privateKey, padding, oaepHash: 'sha256', oaepLabel: Buffer.from('IDENTITY\0') }
    const seed = privateDecrypt(oaep, one.encryptedSecret)
    assert.equal(seed.length, 32)
    assert.notDeepEqual(privateDecrypt(oaep, two.encryptedSecret), seed)

    const [hmac, encrypted] = [one.credentialBlob.subarray(2, 34), one.credentialBlob.subarray(34)]
    const integrityKey = kdfa(seed, 'INTEGRITY', new Uint8Array(), new Uint8Array(), 256)
    assert.deepEqual(createHmac('sha256', integrityKey).update(concat(encrypted, NAME)).digest(), Buffer.from(hmac))
    const key = kdfa(seed, 'STORAGE', NAME, new Uint8Array(), 128)
    const plain = Buffer.concat([Buffer.of(0, 32), SECRET])
    assert.deepEqual(createCipheriv('aes-128-cfb', key, new Uint8Array(16)).update(plain), Buffer.from(encrypted))
  })

  it('refuses a key that is no EK of the default template', () => {
    const signing = ek.slice()
    signing[5] = 0x05
    for (const bad of [signing, ek.subarray(0, -1), concat(ek, Uint8Array.of(0)), new Uint8Array()]) {
      assert.throws(() => makeCredential(bad, NAME, SECRET), RangeError)
    }
  })

  it('refuses a name or a secret of a wrong length', () => {
    assert.throws(() => makeCredential(ek, NAME.subarray(1), SECRET), RangeError)
    assert.throws(() => makeCredential(ek, NAME, new Uint8Array()), RangeError)
    assert.throws(() => makeCredential(ek, NAME, new Uint8Array(33)), RangeError)
  })
})
