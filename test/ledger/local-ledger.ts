import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setBalance, startAnvil, type Hardfork } from '../../hil/stack/anvil.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { deployContracts } from '../../src/ledger/deploy.ts'
import type { Deployment } from '../../src/ledger/deployment.ts'
import { keyFileSigner, type DigestSigner } from '../../src/ledger/signer.ts'

/** A real ledger of its own, with the contracts on it. The owner is registrar, approver and whatever else it likes. */
export interface LocalLedger {
  readonly dir: string
  readonly rpc: string
  readonly process: StackProcess
  readonly owner: DigestSigner
  readonly deployment: Deployment
  /** A signer with a key file of its own, with funds. */
  signer(name: string): Promise<DigestSigner>
  stop(): Promise<void>
}

export async function startLocalLedger(transactionType: 0 | 2 = 2, hardfork: Hardfork = 'osaka'): Promise<LocalLedger> {
  const dir = await mkdtemp(join(tmpdir(), 'attestry-ledger-'))
  const { process, rpc } = await startAnvil(dir, { blockTimeS: 0.2, hardfork })
  const signer = async (name: string): Promise<DigestSigner> => {
    const made = await keyFileSigner(await keyFile(dir, name))
    await setBalance(rpc, made.address)
    return made
  }
  const owner = await signer('owner')
  const deployment = await deployContracts(rpc, owner, {
    registrars: [owner.address],
    approvers: [owner.address],
    threshold: 1,
    profile: { transactionType, maxTransactionBytes: hardfork === 'berlin' ? 65_536 : 131_072 },
  })
  const stop = async (): Promise<void> => {
    await stopProcess(process)
    await rm(dir, { recursive: true })
  }
  return { dir, rpc, process, owner, deployment, signer, stop }
}

/** Writes a new key to a file that only this user reads. */
export async function keyFile(dir: string, name: string, mode = 0o600): Promise<string> {
  const path = join(dir, `${name}.key`)
  await writeFile(path, `${toHex(randomBytes(32))}\n`, { mode })
  return path
}

/** 32 bytes, all the same. */
export function hash(byte: number): Hex {
  return toHex(new Uint8Array(32).fill(byte))
}
