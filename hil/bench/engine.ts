import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/agent/config.ts'
import { signRequest, sendRequest, type SignedRequest } from '../../src/agent/client.ts'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { openHsm } from '../../src/agent/open-hsm.ts'
import { Interruption } from '../../src/cli/interruption.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { readDeployment } from '../../src/ledger/deployment.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { keyFileSigner } from '../../src/ledger/signer.ts'
import { dataId } from '../../src/record/hash.ts'
import { stackDown, stackUp } from '../stack/stack.ts'
import { median, ratioResult, rowOf, type SuiteResult } from './suite.ts'

const ROUNDS = 7
const OPERATIONS_PER_ROUND = 20
const INPUT_BYTES = 1024

/**
 * The latency of one operation at `release=journaled`, from the customer's socket and back, beside the bare HSM calls that it
 * cannot do without: one AES-GCM encryption and one signature, through a device process of their own.
 */
export async function engineSuite(say: (text: string) => void): Promise<SuiteResult> {
  using interruption = new Interruption()
  const dir = await mkdtemp(join(tmpdir(), 'attestry-bench-'))
  try {
    const onProgress = (label: string): void => {
      interruption.check()
      say(label)
    }
    const stack = await stackUp(dir, { onProgress })
    const config = readConfig(join(dir, 'agent.toml'))
    const ledger = await Ledger.connect(config.ledger.rpc, await readDeployment(config.ledger.deployment))
    const hsm = openHsm(config, ledger.deployment)
    try {
      const alice = await keyFileSigner(join(dir, 'keys', 'alice.key'))
      const salt = toHex(randomBytes(32))
      const data = ACCESS_POLICY.encodeFunctionData('registerData', [salt]) as Hex
      await ledger.submit(alice, { to: 'accessPolicy', data })
      const id = dataId(alice.address, salt)
      const input = randomBytes(INPUT_BYTES)

      const order = { operation: 'encrypt', dataId: id, hostId: stack.hostId, input }
      const sign = () => signRequest(ledger.domain('auditLog'), alice, order)
      const operate = async (signed: SignedRequest) => {
        await sendRequest(config.api.socket, signed, input, 'journaled')
      }
      const bare = async () => {
        const region = await hsm.openRegion(input)
        try {
          await region.encrypt(id)
          await region.result()
        } finally {
          await region.close()
        }
        await hsm.sign({
          kind: 'receipt',
          group: { hostId: id, groupRoot: toHex(randomBytes(32)), firstSeq: 1n, count: 1, includeBy: 1n },
        })
      }

      await operate(await sign())
      await bare()
      const operations: number[] = []
      const calls: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        say(`round ${round + 1} of ${ROUNDS}`)
        const [operation, call]: [number[], number[]] = [[], []]
        for (let i = 0; i < OPERATIONS_PER_ROUND; i++) {
          interruption.check()
          const signed = await sign()
          operation.push(await timed(() => operate(signed)))
          call.push(await timed(bare))
        }
        operations.push(median(operation))
        calls.push(median(call))
      }
      const reference = { name: 'HSM: AES-GCM + signature', rounds: calls }
      return ratioResult([rowOf('encrypt 1 KiB, journaled', 'ms', operations, reference, null)])
    } finally {
      ledger.close()
      await hsm.close()
    }
  } finally {
    await stackDown(dir)
    await rm(dir, { recursive: true, force: true })
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}
