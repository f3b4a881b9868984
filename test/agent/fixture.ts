import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAnvil } from '../../hil/stack/anvil.ts'
import { stackDown, stackUp } from '../../hil/stack/stack.ts'
import { layoutOf, type StackLayout } from '../../hil/stack/layout.ts'
import { signersOf, type Person } from '../../hil/stack/people.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { readState, type StackPart } from '../../hil/stack/state.ts'
import { startSwtpm } from '../../hil/stack/swtpm.ts'
import { runAgent, type Agent } from '../../src/agent/agent.ts'
import {
  OperationRefused,
  agentStatus,
  sendRequest,
  signRequest,
  type OperationAnswer,
  type OperationOrder,
  type SignedRequest,
} from '../../src/agent/client.ts'
import { readConfig, type AgentConfig, type Release } from '../../src/agent/config.ts'
import type { Status } from '../../src/agent/status.ts'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { readDeployment } from '../../src/ledger/deployment.ts'
import { decodeCommit } from '../../src/ledger/commit.ts'
import { isLedgerError } from '../../src/ledger/error.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { dataId } from '../../src/record/hash.ts'
import type { OperationRecord } from '../../src/record/record.ts'

/** What an agent told its log. */
export interface LogEntry {
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A host on a software TPM, a SoftHSM and a development ledger: enrolled, its VMM authorised, its agent not running. */
export class TestHost {
  readonly layout: StackLayout
  readonly config: AgentConfig
  readonly signers: Readonly<Record<Person, DigestSigner>>
  /** Another one after the ledger's node was started again. */
  ledger: Ledger
  /** Where the ledger's node listens. */
  rpc: string
  readonly hostId: Hex
  /** What the VMM measured as when the host came up. */
  readonly vmmHash: Hex
  readonly log: LogEntry[] = []
  #agent: Agent | undefined
  /** Where they were started again. */
  #anvil: StackProcess | undefined
  #swtpm: StackProcess | undefined

  private constructor(
    layout: StackLayout,
    config: AgentConfig,
    signers: Readonly<Record<Person, DigestSigner>>,
    ledger: Ledger,
    { hostId, vmmHash }: { hostId: Hex; vmmHash: Hex },
  ) {
    this.layout = layout
    this.config = config
    this.signers = signers
    this.ledger = ledger
    this.rpc = config.ledger.rpc
    this.hostId = hostId
    this.vmmHash = vmmHash
  }

  /** Takes seconds: once a file. */
  static async up(): Promise<TestHost> {
    const layout = layoutOf(await mkdtemp(join(tmpdir(), 'attestry-')))
    const stack = await stackUp(layout.dir)
    await stopProcess(await partOf(layout, 'agent'))
    const ledger = await Ledger.connect(stack.rpc, await readDeployment(layout.deployment))
    return new TestHost(layout, readConfig(layout.configuration), await signersOf(layout), ledger, stack)
  }

  async down(): Promise<void> {
    await this.stop()
    this.ledger.close()
    for (const started of [this.#anvil, this.#swtpm]) if (started !== undefined) await stopProcess(started)
    await stackDown(this.layout.dir)
    await rm(this.layout.dir, { recursive: true })
  }

  /** The ledger's node. */
  async anvil(): Promise<StackProcess> {
    return this.#anvil ?? partOf(this.layout, 'anvil')
  }

  /** Kills the ledger's node and starts it again, with what it had on disk, on another port: anybody may have taken its own. */
  async restartAnvil(): Promise<void> {
    const anvil = await this.anvil()
    process.kill(anvil.pid, 'SIGKILL')
    await stopProcess(anvil)
    const { process: started, rpc } = await startAnvil(this.layout.anvil)
    this.#anvil = started
    this.rpc = rpc
    this.ledger.close()
    this.ledger = await Ledger.connect(rpc, this.ledger.deployment)
  }

  /** Takes the TPM's power away. @returns what gives it back: PCRs are at zero then, the counter is what it was */
  async killTpm(): Promise<() => Promise<void>> {
    const swtpm = this.#swtpm ?? (await partOf(this.layout, 'swtpm'))
    process.kill(swtpm.pid, 'SIGKILL')
    await stopProcess(swtpm)
    return async () => {
      this.#swtpm = (await startSwtpm(this.layout.swtpm)).process
    }
  }

  /** Starts an agent in this process. */
  async start(change: (config: AgentConfig) => AgentConfig = (config) => config): Promise<Agent> {
    this.#agent = await runAgent(change(this.config), (_, event, fields = {}) => {
      this.log.push({ event, fields })
    })
    return this.#agent
  }

  async stop(): Promise<void> {
    const agent = this.#agent
    this.#agent = undefined
    await agent?.close()
  }

  /** Registers data. */
  async data(owner: Person): Promise<Hex> {
    const signer = this.signers[owner]
    const salt = toHex(randomBytes(32))
    const call = ACCESS_POLICY.encodeFunctionData('registerData', [salt]) as Hex
    await this.ledger.submit(signer, { to: 'accessPolicy', data: call })
    return dataId(signer.address, salt)
  }

  /** A signed request to this host. */
  sign(person: Person, order: Omit<OperationOrder, 'hostId'> & { hostId?: Hex }): Promise<SignedRequest> {
    return signRequest(this.ledger.domain('auditLog'), this.signers[person], { hostId: this.hostId, ...order })
  }

  send(signed: SignedRequest, input: Uint8Array, release?: Release): Promise<OperationAnswer> {
    return sendRequest(this.config.api.socket, signed, input, release)
  }

  /** What an agent refuses a request with. @throws Error where it does not */
  async refusal(signed: SignedRequest, input: Uint8Array, release?: Release): Promise<OperationRefused> {
    try {
      await this.send(signed, input, release)
    } catch (error) {
      if (error instanceof OperationRefused) return error
      throw error
    }
    throw new Error('the agent did not refuse')
  }

  /** Every record of this host that is on the ledger. */
  async committed(): Promise<readonly OperationRecord[]> {
    const { number } = await this.ledger.latestBlock()
    const batches = await this.ledger.logs('auditLog', this.ledger.deployment.block, number)
    const records = await Promise.all(
      batches.map(async ({ transactionHash }) => {
        const sent = await this.ledger.transaction(transactionHash)
        return decodeCommit(sent?.input ?? '0x').records ?? []
      }),
    )
    return records.flat()
  }

  /** Waits until a record is on the ledger, and gives back every one there with its request: there should be one. */
  async committedFor({ requestHash }: Pick<OperationRecord, 'requestHash'>): Promise<readonly OperationRecord[]> {
    let found: readonly OperationRecord[] = []
    await until(async () => {
      try {
        found = (await this.committed()).filter((record) => record.requestHash === requestHash)
      } catch (error) {
        // A node that was just started again is behind for a moment.
        if (!isLedgerError(error, 'UNAVAILABLE')) throw error
      }
      return found.length > 0
    })
    return found
  }

  /** The agent's status, as JSON has it: bigints are strings. */
  async status(): Promise<Jsonified<Status>> {
    return (await agentStatus(this.config.api.socket)) as unknown as Jsonified<Status>
  }
}

type Jsonified<T> = T extends bigint ? string : T extends object ? { [Key in keyof T]: Jsonified<T[Key]> } : T

async function partOf(layout: StackLayout, name: string): Promise<StackPart> {
  const part = (await readState(layout)).parts.find((candidate) => candidate.name === name)
  if (part === undefined) throw new Error(`the stack has no ${name}`)
  return part
}

/** Waits until something holds; the test's own time limit ends a wait in vain. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}
