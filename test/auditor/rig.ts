import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setBalance, type Hardfork } from '../../hil/stack/anvil.ts'
import { stopProcess } from '../../hil/stack/process.ts'
import { createSoftHsm } from '../../hil/stack/softhsm.ts'
import { manufactureSwtpm, startSwtpm, swtpmTrustAnchors } from '../../hil/stack/swtpm.ts'
import { enrolHost } from '../../src/agent/enrol.ts'
import { proposeVmm } from '../../src/agent/propose.ts'
import { signingScope } from '../../src/agent/signing-scope.ts'
import { writePem } from '../../src/auditor/pem.ts'
import { readTrustStore } from '../../src/auditor/trust-store.ts'
import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import { Hsm } from '../../src/hsm/hsm.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { approveVmm } from '../../src/ledger/approve.ts'
import { encodeCommit } from '../../src/ledger/commit.ts'
import type { ContractName } from '../../src/ledger/deployment.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { DigestSigner, TransactionSigner } from '../../src/ledger/signer.ts'
import { hashHeader, type BatchHeader } from '../../src/record/batch.ts'
import { qualifyingData } from '../../src/record/binding.ts'
import { UNLIMITED, grantId, type Grant } from '../../src/record/grant.ts'
import { ZERO_HASH, dataId, operationId } from '../../src/record/hash.ts'
import { leafOf, type OperationRecord } from '../../src/record/record.ts'
import { rootOf } from '../../src/record/tree.ts'
import type { PcrSelection } from '../../src/tcg/pcr-selection.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { measure } from '../../src/vmm/measurement.ts'
import { certifiedBy } from '../agent/certified-by.ts'
import type { Authority } from '../evidence/authority.ts'
import { startLocalLedger } from '../ledger/local-ledger.ts'

export const SELECTION = { bank: 'sha256', pcrs: [13] } as const

/** What a test may choose of a record. What it leaves out is what a good host would write. */
export type RecordParts = Partial<OperationRecord>

/** What a test may choose of a batch's header. */
export type HeaderParts = Partial<BatchHeader>

/**
 * A real ledger, and a host on it with a (software) TPM and HSM of its own, which commits whatever a test wants: the ledger refuses
 * no authentic evidence.
 */
export type Rig = Awaited<ReturnType<typeof startRig>>

/** @param vendor certifies the host's EK in place of the TPM's own maker, and is trusted beside that one */
export async function startRig(hardfork: Hardfork = 'osaka', vendor?: Authority) {
  const dir = await mkdtemp(join(tmpdir(), 'attestry-audit-'))
  const [tpmDir, hsmDir, trustDir, vmmDir] = [join(dir, 'tpm'), join(dir, 'hsm'), join(dir, 'trust'), join(dir, 'vmm')]
  for (const path of [tpmDir, hsmDir, trustDir, vmmDir]) await mkdir(path)
  await writeFile(join(vmmDir, 'qemu'), 'qemu')
  const [local, { process: swtpm, tcti }, token] = await Promise.all([
    startLocalLedger(hardfork === 'berlin' ? 0 : 2, hardfork),
    manufactureSwtpm(tpmDir).then(() => startSwtpm(tpmDir)),
    createSoftHsm(hsmDir, { label: 'audit', pin: '1234', soPin: '5678' }),
  ])
  for (const anchor of swtpmTrustAnchors(tpmDir)) await copyFile(anchor, join(trustDir, basename(anchor)))
  if (vendor !== undefined) {
    await writeFile(join(trustDir, 'vendor.pem'), writePem({ kind: 'certificate', der: vendor.der }))
  }
  const trustAnchors = readTrustStore(trustDir)
  const tpm = new Tpm({ tcti })
  const ledger = await Ledger.connect(local.rpc, local.deployment)
  const [alice, bob] = await Promise.all([local.signer('alice'), local.signer('bob')])
  const scope = signingScope(local.deployment)
  const hsm = new Hsm({ ...token, ledgerKey: 'attestry/ledger/v1', dataKey: 'attestry/data/v1', scope })
  await hsm.generateKey('attestry/ledger/v1')
  const { address } = await hsm.ledgerKey()
  const host: TransactionSigner = {
    address,
    signTransaction: (unsigned) => hsm.sign({ kind: 'transaction', unsigned }),
  }
  await setBalance(local.rpc, address)

  const send = async (who: TransactionSigner, to: ContractName, data: string) =>
    ledger.submit(who, { to, data: data as Hex })
  const policy = async (who: DigestSigner, name: string, ...args: readonly unknown[]) =>
    send(who, 'accessPolicy', ACCESS_POLICY.encodeFunctionData(name, args))

  /** Several calls of the policy in as few blocks as they fit into. None may need another of them. */
  const policyAtOnce = async (
    calls: readonly { readonly who: DigestSigner; readonly name: string; readonly args: readonly unknown[] }[],
  ): Promise<void> => {
    const hashes: Hex[] = []
    for (const { who, name, args } of calls) {
      const data = ACCESS_POLICY.encodeFunctionData(name, args) as Hex
      const { raw, hash } = await ledger.prepare(who, { to: 'accessPolicy', data })
      await ledger.send(raw)
      hashes.push(hash)
    }
    for (const hash of hashes) {
      let receipt = await ledger.receipt(hash)
      for (; receipt === undefined; receipt = await ledger.receipt(hash)) await sleep(20)
      if (!receipt.ok) throw new Error(`transaction ${hash} failed`)
    }
  }

  /** Measures the VMM's directory as it is now, proposes it, and approves it. */
  const authoriseVmm = async (): Promise<Hex> => {
    const config = { pcr: 13, selection: SELECTION, log: join(dir, 'vmm.cel') }
    const components = [{ name: 'vmm', path: vmmDir }]
    await measure(tpm, { name: 'test', selection: SELECTION, pcr: 13, components }, config.log)
    const { vmmHash } = await proposeVmm({ tpm, ledger, config, signer: local.owner })
    await approveVmm(ledger, local.owner, vmmHash)
    return vmmHash
  }

  const registrar = local.owner
  const enrolled = vendor === undefined ? tpm : certifiedBy(vendor, tpm)
  const { hostId } = await enrolHost({ tpm: enrolled, hsm, ledger, registrar, trustAnchors, selection: SELECTION })
  const vmmHash = await authoriseVmm()
  const salt = toHex(randomBytes(32))
  await policy(alice, 'registerData', salt)
  const data = dataId(alice.address, salt)

  /** A grant of alice's data to bob, unless the test says otherwise. */
  const grant = async (parts: Partial<Grant> = {}, grantor = alice): Promise<Hex> => {
    const whole: Grant = {
      dataId: data,
      grantee: bob.address,
      operationId: ZERO_HASH,
      notBefore: 0n,
      notAfter: UNLIMITED,
      maxUses: UNLIMITED,
      vmmHash: ZERO_HASH,
      hostId: ZERO_HASH,
      minAssurance: 1,
      delegationDepth: 0,
      parent: ZERO_HASH,
      salt: toHex(randomBytes(32)),
      ...parts,
    }
    await policy(grantor, 'grant', whole)
    return grantId(ledger.domain('accessPolicy'), whole)
  }

  /** Commits records, numbered and with times as a good host's; by default each is alice's, done. */
  const commit = async (
    parts: readonly RecordParts[],
    header: HeaderParts = {},
    selection: PcrSelection = SELECTION,
  ): Promise<readonly OperationRecord[]> => {
    const [firstSeq, prevHead, latest] = await Promise.all([
      ledger.nextSeq(hostId),
      ledger.head(hostId),
      ledger.latestBlock(),
    ])
    const records = parts.map((part, i): OperationRecord => {
      const status = part.status ?? 0
      return {
        hostId,
        seq: firstSeq + BigInt(i),
        vmmHash,
        operationId: operationId('encrypt'),
        requester: alice.address,
        requestHash: toHex(randomBytes(32)),
        dataId: data,
        grantId: ZERO_HASH,
        policyBlock: latest.number,
        dataHash: toHex(randomBytes(32)),
        resultHash: status === 0 ? toHex(randomBytes(32)) : ZERO_HASH,
        status,
        timestamp: latest.timestamp,
        ...part,
      }
    })
    const anchor = await ledger.blockAt(latest.number - 1n)
    const whole: BatchHeader = {
      hostId,
      firstSeq,
      count: records.length,
      root: rootOf(records.map(leafOf)),
      prevHead,
      anchorBlock: anchor.number,
      nvCounter: await tpm.incrementCounter(),
      ...header,
    }
    const { chainId, verifyingContract: contract } = ledger.domain('auditLog')
    const binding = { purpose: 'commit', chainId, contract, hostId, anchorBlockHash: anchor.hash } as const
    const quote = await tpm.quote(selection, qualifyingData({ ...binding, payloadHash: hashHeader(whole) }))
    await send(host, 'auditLog', encodeCommit(whole, records, quote))
    return records
  }

  const stop = async (): Promise<void> => {
    ledger.close()
    await Promise.all([tpm.close(), hsm.close()])
    await stopProcess(swtpm)
    await local.stop()
    await rm(dir, { recursive: true })
  }

  return {
    ...{ dir, vmmDir, trustDir, local, ledger, tpm, host, alice, bob, trustAnchors, hostId, vmmHash, data },
    ...{ send, policy, policyAtOnce, grant, commit, authoriseVmm, stop },
  }
}

/** Signs any digest. */
export async function sign(signer: DigestSigner, digest: Hex): Promise<Hex> {
  return signer.signDigest(fromHex(digest, 32))
}
