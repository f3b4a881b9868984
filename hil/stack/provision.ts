import { existsSync } from 'node:fs'
import { copyFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { AgentConfig } from '../../src/agent/config.ts'
import { enrolHost } from '../../src/agent/enrol.ts'
import { profileOf, proposeVmm } from '../../src/agent/propose.ts'
import { readTrustStore } from '../../src/auditor/trust-store.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { openHsm } from '../../src/agent/open-hsm.ts'
import { approveVmm } from '../../src/ledger/approve.ts'
import { deployContracts } from '../../src/ledger/deploy.ts'
import { readDeployment, type Deployment } from '../../src/ledger/deployment.ts'
import { isLedgerError } from '../../src/ledger/error.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { stringify } from '../../src/record/json.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { measure } from '../../src/vmm/measurement.ts'
import { setBalance } from './anvil.ts'
import type { StackLayout } from './layout.ts'
import type { Person } from './people.ts'
import { settleAll } from './settle-all.ts'
import { swtpmTrustAnchors } from './swtpm.ts'

/** What a stack's host is, once it is enrolled and its VMM authorised. */
export interface Provisioned {
  readonly hostId: Hex
  readonly ledgerAddress: Hex
  readonly vmmHash: Hex
  /** What the VMM's profile leaves uncovered. */
  readonly note: string
}

/** An anvil of today, whose pool takes what geth's does. */
const CHAIN = { transactionType: 2, maxTransactionBytes: 131_072 } as const
const THRESHOLD = 2

/**
 * Makes a stack with running devices and ledger one whose agent can start: everybody funded, contracts deployed, keys made,
 * the VMM measured, the host enrolled, its VMM proposed and approved. What was done before is left as it is.
 */
export async function provision(
  layout: StackLayout,
  config: AgentConfig,
  signers: Readonly<Record<Person, DigestSigner>>,
  onProgress: (label: string) => void,
): Promise<Provisioned> {
  const { rpc } = config.ledger
  await using started = new AsyncDisposableStack()
  const tpm = new Tpm(config.tpm)
  started.defer(() => tpm.close())
  const profile = profileOf(config)
  onProgress('deploying the contracts, making keys, measuring the VMM')
  const [deployment] = await settleAll([
    ensureDeployment(layout, rpc, signers),
    makeHsmKeys(config),
    measure(tpm, profile, config.vmm.log),
  ])
  const hsm = openHsm(config, deployment)
  started.defer(() => hsm.close())
  const ledger = await Ledger.connect(rpc, deployment)
  started.defer(() => ledger.close())
  onProgress('enrolling the host')
  await setBalance(rpc, (await hsm.ledgerKey()).address)
  for (const anchor of swtpmTrustAnchors(layout.swtpm)) await copyFile(anchor, join(layout.trust, basename(anchor)))
  const { hostId, ledgerAddress } = await enrolHost({
    ...{ tpm, hsm, ledger },
    registrar: signers.registrar,
    trustAnchors: readTrustStore(layout.trust),
    selection: config.vmm.selection,
  })
  onProgress('proposing and approving the VMM')
  const { vmmHash } = await proposeVmm({ tpm, ledger, config: config.vmm, signer: signers.deployer })
  await approve(ledger, vmmHash, [signers.approver1, signers.approver2])
  return { hostId, ledgerAddress, vmmHash, note: profile.note ?? '' }
}

/** Funds everybody, and deploys where that was not done yet. */
async function ensureDeployment(
  layout: StackLayout,
  rpc: string,
  signers: Readonly<Record<Person, DigestSigner>>,
): Promise<Deployment> {
  for (const { address } of Object.values(signers)) await setBalance(rpc, address)
  if (!existsSync(layout.deployment)) await deploy(layout, rpc, signers)
  return readDeployment(layout.deployment)
}

async function deploy(
  layout: StackLayout,
  rpc: string,
  signers: Readonly<Record<Person, DigestSigner>>,
): Promise<void> {
  const { deployer, registrar, approver1, approver2, approver3 } = signers
  const deployment = await deployContracts(rpc, deployer, {
    registrars: [registrar.address],
    approvers: [approver1.address, approver2.address, approver3.address],
    threshold: THRESHOLD,
    profile: CHAIN,
  })
  await writeFile(layout.deployment, `${stringify(deployment, 2)}\n`)
}

async function makeHsmKeys(config: AgentConfig): Promise<void> {
  const hsm = openHsm(config)
  try {
    const there = new Set((await hsm.listKeys()).map(({ label }) => label))
    for (const label of [config.hsm.ledgerKey, config.hsm.dataKey]) if (!there.has(label)) await hsm.generateKey(label)
  } finally {
    await hsm.close()
  }
}

/** One after the other: the approval that completes them needs more gas than was estimated beside the first. */
async function approve(ledger: Ledger, vmmHash: Hex, approvers: readonly DigestSigner[]): Promise<void> {
  for (const approver of approvers) {
    if ((await ledger.vmm(vmmHash)).status === 'Authorised') return
    try {
      await approveVmm(ledger, approver, vmmHash)
    } catch (error) {
      // An approval that an interrupted start left behind.
      if (!isLedgerError(error, 'REVERTED') || error.reason?.name !== 'AlreadyApproved') throw error
    }
  }
}
