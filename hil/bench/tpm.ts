import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DEFAULT_AK_HANDLE, Tpm } from '../../src/tpm/tpm.ts'
import { stopProcess } from '../stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../stack/swtpm.ts'
import { startEsysLoop } from './esys-loop.ts'
import { eventLogRows } from './event-log.ts'
import { imaLogRows } from './ima-log.ts'
import { ratioResult, rowOf, type BenchRow, type SuiteResult } from './suite.ts'

const ROUNDS = 9
const QUOTES_PER_ROUND = 300
const READS_PER_ROUND = 300
const SPAWNS_PER_ROUND = 4
/** The default profile's. */
const SELECTION = { bank: 'sha256', pcrs: [0, 2, 4, 7, 13] } as const
const ALL_PCRS = { bank: 'sha256', pcrs: Array.from({ length: 24 }, (_, i) => i) } as const

/**
 * Quotes and reads of all PCRs a second: through the device process, by a C loop over Esys, and by a tpm2_quote that is
 * started for each. In turn, on one software TPM behind one Unix socket. And what it takes to read the logs that explain
 * PCRs.
 */
export async function tpmSuite(say: (text: string) => void): Promise<SuiteResult> {
  return ratioResult([...(await deviceRows(say)), ...eventLogRows(say), ...imaLogRows(say)])
}

async function deviceRows(say: (text: string) => void): Promise<readonly BenchRow[]> {
  const dir = await mkdtemp(join(tmpdir(), 'attestry-bench-'))
  await manufactureSwtpm(dir)
  const { process: swtpm, tcti } = await startSwtpm(dir)
  const tpm = new Tpm({ tcti })
  try {
    await tpm.attestationKey()
    const loop = await startEsysLoop(dir, tcti, DEFAULT_AK_HANDLE)
    const quote = () => tpm.quote(SELECTION, randomBytes(32))
    const read = () => tpm.readPcrs(ALL_PCRS)
    const rates = {
      quotes: [] as number[],
      cQuotes: [] as number[],
      spawned: [] as number[],
      reads: [] as number[],
      cReads: [] as number[],
    }
    try {
      await atOnce(quote, 100)
      await atOnce(read, 100)
      for (let round = 0; round < ROUNDS; round++) {
        say(`round ${round + 1} of ${ROUNDS}`)
        rates.quotes.push(await rate(QUOTES_PER_ROUND, () => atOnce(quote, QUOTES_PER_ROUND)))
        rates.cQuotes.push(QUOTES_PER_ROUND / (await loop.run('quote', QUOTES_PER_ROUND)))
        rates.reads.push(await rate(READS_PER_ROUND, () => atOnce(read, READS_PER_ROUND)))
        rates.cReads.push(READS_PER_ROUND / (await loop.run('pcrs', READS_PER_ROUND)))
        rates.spawned.push(await rate(SPAWNS_PER_ROUND, () => spawnQuotes(dir, tcti)))
      }
    } finally {
      await loop.stop()
    }
    const cQuotes = { name: 'C, Esys loop', rounds: rates.cQuotes }
    const cReads = { name: 'C, Esys loop', rounds: rates.cReads }
    const spawned = { name: 'tpm2_quote, spawned', rounds: rates.spawned }
    return [
      rowOf('quotes by the device process', '/s', rates.quotes, cQuotes, 0.8, 'at least'),
      rowOf('quotes by the device process', '/s', rates.quotes, spawned, 20, 'at least'),
      rowOf('reads of 24 PCRs', '/s', rates.reads, cReads, 0.6, 'at least'),
    ]
  } finally {
    await tpm.close()
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  }
}

/** As a busy agent asks: the next call is there before the last one is answered. */
async function atOnce(call: () => Promise<unknown>, times: number): Promise<void> {
  await Promise.all(Array.from({ length: times }, call))
}

async function rate(times: number, work: () => Promise<void>): Promise<number> {
  const begin = performance.now()
  await work()
  return (times * 1000) / (performance.now() - begin)
}

async function spawnQuotes(dir: string, tcti: string): Promise<void> {
  for (let i = 0; i < SPAWNS_PER_ROUND; i++) {
    const output = ['-m', join(dir, 'quote'), '-s', join(dir, 'signature')]
    const key = ['-c', `0x${DEFAULT_AK_HANDLE.toString(16)}`, '-l', 'sha256:0,2,4,7,13']
    const nonce = ['-q', randomBytes(32).toString('hex')]
    await promisify(execFile)('tpm2_quote', ['-T', tcti, ...key, ...nonce, ...output])
  }
}
