import 'reflect-metadata'
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { enrolHost, type Enrolment } from '../../src/agent/enrol.ts'
import { proposeVmm } from '../../src/agent/propose.ts'
import type { Hsm } from '../../src/hsm/hsm.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { approveVmm } from '../../src/ledger/approve.ts'
import { sha256 } from '../../src/record/hash.ts'
import { measure } from '../../src/vmm/measurement.ts'
import { EnrolRig, type TpmRig } from './enrol-rig.ts'

const selection = { bank: 'sha256', pcrs: [13] } as const

describe('enrolling a host and proposing its VMM', () => {
  let rig: EnrolRig
  let [one, two]: TpmRig[] = []
  let hsms: readonly [Hsm, Hsm]
  let ledger: Ledger
  let registrar: DigestSigner

  before(async () => {
    rig = await EnrolRig.make()
    ;[one, two] = await Promise.all([rig.startTpm('one'), rig.startTpm('two')])
    const started = await rig.startLedger()
    const tokens = await rig.startHsms(started.ledger)
    ;({ ledger, registrar } = started)
    hsms = tokens
  })
  after(() => rig.stop())

  const first = () => one ?? assert.fail('not started')
  const second = () => two ?? assert.fail('not started')
  const enrolment = (changes: Partial<Enrolment> = {}): Enrolment => ({
    ...{ ...first(), hsm: hsms[0], ledger, registrar, selection },
    ...changes,
  })

  describe('enrolHost', () => {
    it('refuses a TPM that no trusted root vouches for', async () => {
      const { trustAnchors } = second()
      await assert.rejects(enrolHost(enrolment({ trustAnchors })), { name: 'EvidenceError' })
      await assert.rejects(enrolHost(enrolment({ trustAnchors: [] })), { code: 'CHAIN_INCOMPLETE' })
    })

    it('refuses an AK of another TPM than the EK’s, whichever of the two answers', async () => {
      for (const { tpm: answering } of [first(), second()]) {
        const tpm: Enrolment['tpm'] = {
          endorsementKey: () => first().tpm.endorsementKey(),
          attestationKey: () => second().tpm.attestationKey(),
          quote: (...args) => second().tpm.quote(...args),
          activateCredential: (challenge) => answering.activateCredential(challenge),
        }
        await assert.rejects(enrolHost(enrolment({ tpm })), { code: 'CREDENTIAL_REFUSED' })
      }
    })

    it('refuses a secret that was not opened', async () => {
      const { tpm: real } = first()
      const tpm: Enrolment['tpm'] = {
        endorsementKey: () => real.endorsementKey(),
        attestationKey: () => real.attestationKey(),
        quote: (...args) => real.quote(...args),
        activateCredential: (challenge) => Promise.resolve(new Uint8Array(32).fill(challenge.credentialBlob.length)),
      }
      await assert.rejects(enrolHost(enrolment({ tpm })), { code: 'CHALLENGE_ALTERED' })
    })

    it('left no trace of what it refused', async () => {
      const hostId = sha256((await first().tpm.endorsementKey()).public)
      assert.equal((await ledger.host(hostId)).status, 'None')
    })

    it('enters a host, as Software, with its TPM’s identity and its HSM’s address', async () => {
      const enrolled = await enrolHost(enrolment())
      const { address } = await hsms[0].ledgerKey()
      assert.deepEqual(enrolled, {
        hostId: sha256((await first().tpm.endorsementKey()).public),
        ledgerAddress: address,
        assurance: 'Software',
        registered: true,
      })
      const host = await ledger.host(enrolled.hostId)
      assert.deepEqual([host.status, host.assurance, host.ledgerAddress], ['Active', 'Software', address])
      assert.equal(await ledger.hostOf(address), enrolled.hostId)
    })

    it('recognises a host that is registered with these very keys', async () => {
      const { registered } = await enrolHost(enrolment())
      assert.equal(registered, false)
    })

    it('refuses a host that is registered with another ledger address', async () => {
      await assert.rejects(enrolHost(enrolment({ hsm: hsms[1] })), { code: 'HOST_EXISTS' })
    })

    it('refuses a ledger address that speaks for another host', async () => {
      await assert.rejects(enrolHost(enrolment(second())), { code: 'ADDRESS_TAKEN' })
    })

    it('leaves it to the ledger who may register', async () => {
      const stranger = await rig.makeSigner('stranger')
      await assert.rejects(enrolHost(enrolment({ ...second(), hsm: hsms[1], registrar: stranger })), {
        name: 'LedgerError',
      })
    })
  })

  describe('proposeVmm', () => {
    const file = () => join(rig.dir, 'vmm', 'qemu')
    const config = () => ({ pcr: 13, selection, log: join(rig.dir, 'vmm.cel') })
    const profile = () => ({
      ...{ name: 'test', selection, pcr: 13 },
      components: [{ name: 'vmm', path: join(rig.dir, 'vmm'), perFile: true }],
    })
    const propose = ({ tpm } = first()) => proposeVmm({ tpm, ledger, config: config(), signer: registrar })

    before(async () => {
      await mkdir(join(rig.dir, 'vmm'))
      await writeFile(file(), 'qemu')
    })

    it('refuses a VMM that was not measured', async () => {
      await assert.rejects(propose(), { code: 'LOG_MISMATCH' })
    })

    it('proposes what the quote shows', async () => {
      const { log } = await measure(first().tpm, profile(), config().log)
      const proposal = await propose()
      assert.deepEqual(
        { ...proposal, hostId: undefined, vmmHash: undefined },
        {
          ...{ hostId: undefined, vmmHash: undefined, epoch: 1, status: 'Proposed', proposed: true, proven: true },
          manifestHash: sha256(log.bytes),
        },
      )
      assert.equal((await ledger.vmm(proposal.vmmHash)).status, 'Proposed')
    })

    it('does not propose twice', async () => {
      assert.equal((await propose()).proposed, false)
    })

    it('proposes it anew once its validity is over, and not before', async () => {
      const { vmmHash } = await propose()
      const { timestamp } = await ledger.latestBlock()
      await approveVmm(ledger, registrar, vmmHash, timestamp + 10n)
      assert.deepEqual([(await propose()).proposed, (await ledger.vmm(vmmHash)).epoch], [false, 1])
      while (await ledger.isAuthorised(vmmHash)) await new Promise((resolve) => setTimeout(resolve, 100))
      const { proposed, epoch, status } = await propose()
      assert.deepEqual([proposed, epoch, status], [true, 2, 'Proposed'])
    })

    it('proposes a changed VMM as another one', async () => {
      const before = await propose()
      await writeFile(file(), 'patched')
      await measure(first().tpm, profile(), config().log)
      const after = await propose()
      assert.notEqual(after.vmmHash, before.vmmHash)
      assert.equal(after.proposed, true)
    })

    it('refuses a PCR that the log does not explain', async () => {
      await first().tpm.extendPcr(13, new Uint8Array(32))
      await assert.rejects(propose(), { code: 'LOG_MISMATCH' })
    })

    it('refuses a host that is not enrolled', async () => {
      await assert.rejects(propose(second()), { code: 'HOST_NOT_ACTIVE', message: /attestry host enrol/ })
    })
  })
})
