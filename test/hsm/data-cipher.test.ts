import assert from 'node:assert/strict'
import { createDecipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pkcs11js from 'pkcs11js'
import { createSoftHsm } from '../../hil/stack/softhsm.ts'
import { fromHex, type Hex } from '../../src/core/bytes.ts'
import { decrypt, encrypt, keyVersionOf, type FoundDataKey } from '../../src/hsm/data-cipher.ts'
import { Token } from '../../src/hsm/token.ts'
import type { formatVectors } from '../record/format-vectors.ts'

const PIN = '738194'

/** A token and node:crypto, with one key that both know: what Attestry never allows, and what shows that its bytes are the format's. */
describe('data-cipher on SoftHSM, with the key of the worked example', () => {
  const file = new URL('../vectors/formats.json', import.meta.url)
  const { ciphertext: example } = JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof formatVectors>
  const bytes = (text: string): Buffer => Buffer.from(fromHex(text))
  const [dataId, plaintext, sealed] = [example.dataId as Hex, bytes(example.plaintext), bytes(example.ciphertext)]
  let dir: string
  let token: Token
  let key: FoundDataKey

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-data-cipher-'))
    const { environment, ...config } = await createSoftHsm(dir, { label: 'attestry test', pin: PIN, soPin: '55512345' })
    process.env['SOFTHSM2_CONF'] = environment.SOFTHSM2_CONF
    token = new Token(config, () => PIN)
    const handle = token.call('C_CreateObject', (pkcs11, session) =>
      pkcs11.C_CreateObject(session, [
        { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
        { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_AES },
        { type: pkcs11js.CKA_TOKEN, value: false },
        { type: pkcs11js.CKA_ENCRYPT, value: true },
        { type: pkcs11js.CKA_DECRYPT, value: true },
        { type: pkcs11js.CKA_VALUE, value: bytes(example.key) },
      ]),
    )
    key = { handle, version: example.keyVersion }
  })
  after(async () => {
    token.call('C_Finalize', (pkcs11) => pkcs11.C_Finalize())
    delete process.env['SOFTHSM2_CONF']
    await rm(dir, { recursive: true })
  })

  it('opens the worked example', () => {
    assert.equal(keyVersionOf(sealed), example.keyVersion)
    const result = Buffer.alloc(sealed.length)
    const length = decrypt(token, key, dataId, sealed, result)
    assert.deepEqual(result.subarray(0, length), plaintext)
  })

  it('makes what anybody opens who has the key and reads docs/formats.md', () => {
    const result = Buffer.alloc(sealed.length)
    assert.equal(encrypt(token, key, dataId, plaintext, result), sealed.length)
    const [header, iv] = [result.subarray(0, 8), result.subarray(8, 20)]
    const [body, tag] = [result.subarray(20, -16), result.subarray(-16)]
    assert.deepEqual(header, sealed.subarray(0, 8))
    const cipher = createDecipheriv('aes-256-gcm', bytes(example.key), iv)
      .setAAD(bytes(example.additionalData))
      .setAuthTag(tag)
    assert.deepEqual(Buffer.concat([cipher.update(body), cipher.final()]), plaintext)
  })

  it('takes a new IV from the token each time', () => {
    const given: Buffer[] = []
    token.call('C_GenerateRandom', (pkcs11) => {
      const generate = pkcs11.C_GenerateRandom.bind(pkcs11)
      pkcs11.C_GenerateRandom = (session, buffer) => {
        given.push(Buffer.from(generate(session, buffer)))
        return buffer
      }
    })
    const ivs = [0, 1].map(() => {
      const result = Buffer.alloc(sealed.length)
      encrypt(token, key, dataId, plaintext, result)
      return result.subarray(8, 20)
    })
    assert.deepEqual(ivs, given)
    assert.notDeepEqual(ivs[0], ivs[1])
    for (const iv of ivs) assert.notDeepEqual(iv, Buffer.alloc(12))
  })
})
