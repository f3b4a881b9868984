import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { CollectError } from '../../src/agent/collect-error.ts'
import { collectEvidence, type LogPaths } from '../../src/agent/collect-evidence.ts'
import { verifyTpmQuote } from '../../src/evidence/tpm-quote.ts'
import { pcrDigest } from '../../src/evidence/vmm-hash.ts'
import { Tpm } from '../../src/tpm/tpm.ts'

const selection = { bank: 'sha256', pcrs: [0, 13] } as const
const nonce = new Uint8Array(20).fill(9)

describe('collectEvidence', function () {
  this.timeout(60_000)
  let dir: string
  let swtpm: StackProcess
  let tpm: Tpm
  let logs: Required<LogPaths>

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'attestry-collect-'))
    await manufactureSwtpm(dir)
    const started = await startSwtpm(dir)
    swtpm = started.process
    tpm = new Tpm({ tcti: started.tcti })
    const vmmLog = join(dir, 'vmm.cel')
    logs = { eventLog: join(dir, 'event.log'), imaLog: join(dir, 'ima.log'), vmmLog }
    writeFileSync(vmmLog, 'a log')
  })
  after(async () => {
    await tpm.close()
    await stopProcess(swtpm)
    rmSync(dir, { recursive: true, force: true })
  })

  /** The TPM, with a PCR that is extended so many times between a reading and the quote. */
  const moving = (times: number) => {
    let left = times
    return {
      endorsementKey: () => tpm.endorsementKey(),
      readPcrs: (of: Parameters<Tpm['readPcrs']>[0]) => tpm.readPcrs(of),
      quote: async (...args: Parameters<Tpm['quote']>) => {
        if (left-- > 0) await tpm.extendPcr(13, new Uint8Array(32).fill(left & 0xff))
        return tpm.quote(...args)
      },
    }
  }

  it('gives a quote over the nonce, the values that were quoted, and the logs that there are', async () => {
    const evidence = await collectEvidence({ tpm, selection, nonce, logs })
    const quote = await verifyTpmQuote(evidence.quote)
    assert.deepEqual(quote.extraData, nonce)
    assert.deepEqual(quote.pcrDigest, pcrDigest(selection, evidence.pcrs?.get('sha256') ?? new Map()))
    assert.deepEqual([evidence.eventLog, evidence.imaLog], [undefined, undefined])
    assert.equal(Buffer.from(evidence.vmmLog ?? []).toString(), 'a log')
  })

  it('class 10: quotes again where PCRs move, and says so where they never stop', async () => {
    const evidence = await collectEvidence({ tpm: moving(3), selection, nonce, logs })
    const { pcrDigest: quoted } = await verifyTpmQuote(evidence.quote)
    assert.deepEqual(quoted, pcrDigest(selection, evidence.pcrs?.get('sha256') ?? new Map()))
    await assert.rejects(
      collectEvidence({ tpm: moving(1000), selection, nonce, logs }),
      (error) => error instanceof CollectError && error.code === 'PCR_MOVED',
    )
  })

  it('says which log cannot be read', async () => {
    const unreadable = { ...logs, imaLog: dir }
    await assert.rejects(
      collectEvidence({ tpm, selection, nonce, logs: unreadable }),
      (error) => error instanceof CollectError && error.code === 'LOG_UNREADABLE' && error.message.includes(dir),
    )
  })
})
