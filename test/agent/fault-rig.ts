import assert from 'node:assert/strict'
import type { OperationRefused, SignedRequest } from '../../src/agent/client.ts'
import type { Hex } from '../../src/core/bytes.ts'
import type { OperationRecord } from '../../src/record/record.ts'
import { requestHash } from '../../src/record/request.ts'
import { TestHost, until } from './fixture.ts'
import { RpcProxy } from './rpc-proxy.ts'

/** A host with data of Alice's, and a proxy before its ledger. */
export class FaultRig {
  readonly plaintext = Buffer.from('what nobody else may read')
  readonly host: TestHost
  readonly proxy: RpcProxy
  readonly #data: Hex

  private constructor(host: TestHost, proxy: RpcProxy, data: Hex) {
    this.host = host
    this.proxy = proxy
    this.#data = data
  }

  /** Takes seconds: once a file. */
  static async up(): Promise<FaultRig> {
    const host = await TestHost.up()
    return new FaultRig(host, await RpcProxy.open(host.config.ledger.rpc), await host.data('alice'))
  }

  async down(): Promise<void> {
    await this.proxy.close()
    await this.host.down()
  }

  /** Waits until nothing of an earlier test is under way. */
  async quiet(): Promise<void> {
    await until(async () => {
      const { pending, underWay } = await this.host.status()
      return pending === '0' && underWay === 0
    })
  }

  /** A request of Alice's to encrypt the plaintext. */
  request(): Promise<SignedRequest> {
    return this.host.sign('alice', { operation: 'encrypt', dataId: this.#data, input: this.plaintext })
  }

  /** The one record on the ledger that a request led to. */
  async theRecord({ request }: SignedRequest): Promise<OperationRecord> {
    const hash = requestHash(this.host.ledger.domain('auditLog'), request)
    const found = await this.host.committedFor({ requestHash: hash })
    assert.equal(found.length, 1)
    const [record] = found
    assert.ok(record)
    return record
  }

  /** Makes sure that a request is refused so. */
  async refused(signed: SignedRequest, code: string, status: number): Promise<OperationRefused> {
    const refusal = await this.host.refusal(signed, this.plaintext)
    assert.deepEqual([refusal.code, refusal.status], [code, status])
    return refusal
  }

  /** Sends a signal to the process of one of the agent's devices. @returns its number */
  async signal(device: 'tpm' | 'hsm', signal: NodeJS.Signals): Promise<number> {
    const { pid } = (await this.host.status()).devices[device]
    assert.ok(pid !== null)
    process.kill(pid, signal)
    return pid
  }
}
