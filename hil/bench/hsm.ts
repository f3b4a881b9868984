import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pkcs11js from 'pkcs11js'
import { type Hex, toHex } from '../../src/core/bytes.ts'
import { Hsm } from '../../src/hsm/hsm.ts'
import { createSoftHsm, type SoftHsm } from '../stack/softhsm.ts'
import { buildPkcs11Loop, startPkcs11Loop } from './pkcs11-loop.ts'
import { ratioResult, rowOf, type BenchRow, type SuiteResult } from './suite.ts'

const ROUNDS = 7
const SIGNATURES_PER_ROUND = 400
const IN_FLIGHT = 8
const CHUNK_BYTES = 64 * 1024
const CHUNKS_PER_ROUND = 100
const OBJECTS = 1000
const START_GOAL_MS = 500

const KEYS = { ledgerKey: 'attestry/ledger/v1', dataKey: 'attestry/data/v1' } as const
const PIN = '738194'
const dataId: Hex = `0x${'11'.repeat(32)}`
/** A ledger that is nowhere. */
const SCOPE = {
  chainId: 31_337n,
  auditLog: `0x${'a1'.repeat(20)}`,
  hostRegistry: `0x${'b2'.repeat(20)}`,
  calls: new Map<Hex, readonly Hex[]>(),
  maxGasPriceWei: 0n,
} as const

/**
 * Signatures and encryption by the HSM's device process beside a C loop over the same module, in turn, on one SoftHSM token;
 * and the time from nothing to the first signature on a token with many objects.
 */
export async function hsmSuite(say: (text: string) => void): Promise<SuiteResult> {
  const dir = await mkdtemp(join(tmpdir(), 'attestry-bench-'))
  try {
    const token = await createSoftHsm(dir, { label: 'attestry bench', pin: PIN, soPin: '55512345' })
    const program = await buildPkcs11Loop(dir)
    const open = () => new Hsm({ ...token, ...KEYS, scope: SCOPE })
    const hsm = open()
    for (const label of Object.values(KEYS)) await hsm.generateKey(label)
    const rows = await throughputRows(say, hsm, await startPkcs11Loop(program, token, KEYS)).finally(() => hsm.close())
    addObjects(token)
    return ratioResult([...rows, await startRow(say, open, () => startPkcs11Loop(program, token, KEYS))])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

type Loop = Awaited<ReturnType<typeof startPkcs11Loop>>

async function throughputRows(say: (text: string) => void, hsm: Hsm, loop: Loop): Promise<readonly BenchRow[]> {
  const names = ['c1', 'c2', 'one', 'eight', 'cChunks', 'chunks'] as const
  const rates = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    (typeof names)[number],
    number[]
  >
  const chunk = randomBytes(CHUNK_BYTES)
  try {
    await inFlight(IN_FLIGHT, 100, () => sign(hsm))
    await inFlight(1, 10, () => encrypt(hsm, chunk))
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`)
      rates.c1.push(SIGNATURES_PER_ROUND / (await loop.sign(1, SIGNATURES_PER_ROUND)))
      rates.one.push(await rate(SIGNATURES_PER_ROUND, () => inFlight(1, SIGNATURES_PER_ROUND, () => sign(hsm))))
      rates.c2.push(SIGNATURES_PER_ROUND / (await loop.sign(2, SIGNATURES_PER_ROUND)))
      rates.eight.push(
        await rate(SIGNATURES_PER_ROUND, () => inFlight(IN_FLIGHT, SIGNATURES_PER_ROUND, () => sign(hsm))),
      )
      rates.cChunks.push(CHUNKS_PER_ROUND / (await loop.encrypt(CHUNK_BYTES, CHUNKS_PER_ROUND)))
      rates.chunks.push(await rate(CHUNKS_PER_ROUND, () => inFlight(1, CHUNKS_PER_ROUND, () => encrypt(hsm, chunk))))
    }
  } finally {
    await loop.stop()
  }
  const [c1, c2] = [
    { name: 'C, one thread', rounds: rates.c1 },
    { name: 'C, two threads', rounds: rates.c2 },
  ]
  return [
    rowOf('signatures, 1 in flight', '/s', rates.one, c1, 0.5, 'at least'),
    rowOf(`signatures, ${IN_FLIGHT} in flight`, '/s', rates.eight, c1, 1, 'at least'),
    rowOf(`signatures, ${IN_FLIGHT} in flight`, '/s', rates.eight, c2, 0.9, 'at least'),
    rowOf(
      '64 KiB chunks encrypted',
      '/s',
      rates.chunks,
      { name: 'C, one thread', rounds: rates.cChunks },
      0.8,
      'at least',
    ),
  ]
}

async function startRow(say: (text: string) => void, open: () => Hsm, start: () => Promise<Loop>): Promise<BenchRow> {
  const [times, reference]: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    say(`start ${round + 1} of ${ROUNDS}`)
    let begin = performance.now()
    const hsm = open()
    await sign(hsm)
    times.push(performance.now() - begin)
    await hsm.close()
    begin = performance.now()
    const loop = await start()
    await loop.sign(1, 1)
    reference.push(performance.now() - begin)
    await loop.stop()
  }
  const row = rowOf(`start to first signature, ${OBJECTS} objects`, 'ms', times, { name: 'C', rounds: reference }, null)
  return { ...row, goal: START_GOAL_MS, goalOf: 'value', met: row.value <= START_GOAL_MS }
}

async function sign(hsm: Hsm): Promise<void> {
  const group = { hostId: dataId, groupRoot: toHex(randomBytes(32)), firstSeq: 1n, count: 1, includeBy: 1n }
  await hsm.sign({ kind: 'receipt', group })
}

async function encrypt(hsm: Hsm, chunk: Uint8Array): Promise<void> {
  const region = await hsm.openRegion(chunk)
  try {
    await region.encrypt(dataId)
    await region.result()
  } finally {
    await region.close()
  }
}

/** Keeps so many calls under way until so many are made. */
async function inFlight(width: number, times: number, call: () => Promise<void>): Promise<void> {
  let left = times
  const work = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  await Promise.all(Array.from({ length: width }, work))
}

async function rate(times: number, work: () => Promise<void>): Promise<number> {
  const begin = performance.now()
  await work()
  return (times * 1000) / (performance.now() - begin)
}

/** Objects that have nothing to do with Attestry. */
function addObjects(token: SoftHsm): void {
  process.env['SOFTHSM2_CONF'] = token.environment.SOFTHSM2_CONF
  const pkcs11 = new pkcs11js.PKCS11()
  pkcs11.load(token.module)
  pkcs11.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
  try {
    const slot = pkcs11.C_GetSlotList(true).find((id) => pkcs11.C_GetTokenInfo(id).label.trimEnd() === token.token)
    if (slot === undefined) throw new Error('the token is not there')
    const session = pkcs11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
    pkcs11.C_Login(session, pkcs11js.CKU_USER, PIN)
    for (let i = 0; i < OBJECTS; i++) {
      pkcs11.C_CreateObject(session, [
        { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
        { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_AES },
        { type: pkcs11js.CKA_TOKEN, value: true },
        { type: pkcs11js.CKA_LABEL, value: `somebody else’s ${i}` },
        { type: pkcs11js.CKA_VALUE, value: randomBytes(32) },
      ])
    }
  } finally {
    pkcs11.C_Finalize()
    pkcs11.close()
    delete process.env['SOFTHSM2_CONF']
  }
}
