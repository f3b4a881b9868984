import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { startFaultProxy, type FaultProxy } from '../../hil/tpm-fault/proxy.ts'
import { pinnedTpm, type KnownTpm } from '../../src/agent/pinned-tpm.ts'
import { EvidenceError } from '../../src/evidence/error.ts'
import { primaryQualifiedName } from '../../src/tcg/name.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { tpmError } from '../tpm/suite.ts'

const SELECTION = { bank: 'sha256', pcrs: [0, 7, 13] } as const
const [PCR_READ, NV_READ, NV_INCREMENT, QUOTE] = [0x17e, 0x14e, 0x134, 0x158]
/** In the last value of the answer. */
const LATE = { kind: 'flip', at: 0.95 } as const

/** What lies on the bus between the agent and its TPM is the fault proxy. */
describe('pinnedTpm', () => {
  let dir: string
  let swtpm: StackProcess
  let proxy: FaultProxy
  let tpm: Tpm
  let known: KnownTpm

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-pinned-'))
    await manufactureSwtpm(dir)
    ;({ process: swtpm } = await startSwtpm(dir))
    proxy = await startFaultProxy(join(dir, 'swtpm.sock'), join(dir, 'p.sock'))
    tpm = new Tpm({ tcti: proxy.tcti, deadlineMs: 30_000 })
    const hostId = hash('sha256', (await tpm.endorsementKey()).public, 'buffer')
    const akQualifiedName = primaryQualifiedName((await tpm.attestationKey()).public).subarray(2)
    known = { hostId, akQualifiedName }
  })
  afterEach(() => proxy.clear())
  after(async () => {
    await tpm.close()
    await proxy.close()
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  it('gives PCRs and the counter of the TPM that the ledger knows', async () => {
    const pinned = pinnedTpm(tpm, known)
    assert.deepEqual(await pinned.readPcrs(SELECTION), await tpm.readPcrs(SELECTION))
    assert.equal(await pinned.readCounter(), 0n)
    const first = await pinned.incrementCounter()
    assert.equal(await pinned.incrementCounter(), first + 1n)
    assert.equal(await pinned.readCounter(), first + 1n)
    assert.equal(await tpm.readCounter(), first + 1n)
  })

  it('refuses PCRs that were changed on their way, which nobody sees without a quote', async () => {
    const honest = await tpm.readPcrs(SELECTION)
    proxy.inject(PCR_READ, LATE, { always: true })
    assert.notDeepEqual(await tpm.readPcrs(SELECTION), honest)
    await assert.rejects(pinnedTpm(tpm, known).readPcrs(SELECTION), tpmError('PCRS_MOVING'))
  })

  it('refuses a quote that was changed on its way', async () => {
    proxy.inject(QUOTE, { kind: 'flip', at: 0.3 }, { always: true })
    await assert.rejects(pinnedTpm(tpm, known).readPcrs(SELECTION), tpmError('RESPONSE_UNEXPECTED'))
  })

  it('refuses a counter that was changed on its way, which nobody sees without a session', async () => {
    const pinned = pinnedTpm(tpm, known)
    const value = await pinned.incrementCounter()
    proxy.inject(NV_READ, { kind: 'flip', at: 0.6 }, { always: true })
    assert.notEqual(await tpm.readCounter(), value)
    await assert.rejects(pinned.readCounter(), tpmError('TPM_RC'))
    await assert.rejects(pinned.incrementCounter(), tpmError('TPM_RC'))
  })

  it('refuses an increment that never came to the TPM', async () => {
    const pinned = pinnedTpm(tpm, known)
    const value = await pinned.readCounter()
    proxy.inject(NV_INCREMENT, { kind: 'return code', rc: 0 })
    await assert.rejects(pinned.incrementCounter())
    assert.equal(await pinned.readCounter(), value)
  })

  it('refuses the TPM of another host', async () => {
    const other = hash('sha256', 'another', 'buffer')
    const pinned = pinnedTpm(tpm, { hostId: other, akQualifiedName: other })
    await assert.rejects(pinned.readCounter(), tpmError('EK_MISMATCH'))
    await assert.rejects(pinned.incrementCounter(), tpmError('EK_MISMATCH'))
    await assert.rejects(pinned.readPcrs(SELECTION), (error) => {
      assert.ok(error instanceof EvidenceError)
      return error.code === 'QUOTE_KEY' || error.code === 'QUOTE_SIGNER'
    })
  })
})
