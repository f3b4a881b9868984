import 'reflect-metadata'
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { parseConfig } from '../../src/agent/config.ts'
import { sha256 } from '../../src/record/hash.ts'
import { decodePublic } from '../../src/tcg/public.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { attestry, faultOf } from '../cli/command.ts'
import { EnrolRig, type TpmRig } from './enrol-rig.ts'

describe('ekChoiceOf', function () {
  this.timeout(120_000)
  let rig: EnrolRig
  let host: TpmRig

  before(async () => {
    rig = await EnrolRig.make()
    host = await rig.startTpm('one')
    const { ledger } = await rig.startLedger()
    await rig.startHsms(ledger)
  })
  after(() => rig.stop())

  const configured = (ek?: string | number): Promise<string> => rig.writeConfiguration('agent', host, 1, ek)
  /** The EK that the agent's TPM has under a configuration. */
  const shown = async (ek?: string | number) => {
    const tpm = new Tpm(parseConfig(await readFile(await configured(ek), 'utf8')).tpm)
    try {
      return await tpm.endorsementKey()
    } finally {
      await tpm.close()
    }
  }
  const request = async (ek?: string | number) =>
    attestry('host', 'request', '--config', await configured(ek), '--out', `${rig.dir}/request.json`, '--json')

  it('makes the agent use the EK that it names, by kind or by handle', async () => {
    for (const [ek, place] of [
      [undefined, 'rsa-2048'],
      ['rsa-2048', 'rsa-2048'],
      [0x81010001, 'rsa-2048'],
      ['p-384', 'p-384'],
      [0x81010016, 'p-384'],
    ] as const) {
      const found = await shown(ek)
      assert.equal(found.place, place, String(ek))
      const key = decodePublic(found.public)
      assert.equal(key.type === 'rsa' ? 'rsa-2048' : key.curve, place === 'p-384' ? 'P-384' : place)
    }
  })

  it('makes another host of a TPM, for the commands too', async () => {
    const names = new Set<unknown>()
    for (const ek of ['rsa-2048', 'p-384']) {
      const asked = await request(ek)
      assert.equal(asked.code, 0, asked.stdout + asked.stderr)
      assert.equal(asked.json()['hostId'], sha256((await shown(ek)).public))
      names.add(asked.json()['hostId'])
    }
    assert.equal(names.size, 2)
  })

  it('falls back on no other EK where the named one has no certificate', async () => {
    assert.deepEqual(faultOf(await request('p-256')), { exit: 3, code: 'EK_CERTIFICATE_MISSING' })
  })
})
