import { id } from 'ethers'
import { concat, fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { batchCapacity } from '../../src/ledger/batch-capacity.ts'
import { encodeCommit, quoteOnLedger } from '../../src/ledger/commit.ts'
import type { ContractName } from '../../src/ledger/deployment.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { NO_END, type AccessRequest } from '../../src/ledger/state.ts'
import { batchLeaf, type BatchHeader } from '../../src/record/batch.ts'
import { replacementPayload, rotationPayload } from '../../src/record/binding.ts'
import { addressReplacementDigest, addressRotationDigest } from '../../src/record/claim.ts'
import { splitRecords } from '../../src/record/contexts.ts'
import { decisionDigest, type Decision } from '../../src/record/decision.ts'
import { UNLIMITED, grantId, type Grant } from '../../src/record/grant.ts'
import { ZERO_HASH, dataId, operationId } from '../../src/record/hash.ts'
import { pathToPeak } from '../../src/record/mountain-range.ts'
import { leafOf, type OperationRecord } from '../../src/record/record.ts'
import { inclusionPath } from '../../src/record/tree.ts'
import type { Hardfork } from '../stack/anvil.ts'
import { startContractChain, type ContractChain, type Mined } from './chain.ts'
import { readHarness } from './harness.ts'
import { OpenHost, ownHashes, prediction, type RecordParts } from './host.ts'
import { eccAk, rsaAk } from './software-ak.ts'

/** One call of a scene, once it is in its block. */
export interface Act {
  readonly contract: ContractName
  readonly name: string
  /** What is special about this call of the function. */
  readonly variant: string
  readonly mined: Mined
}

/** What a scene left behind. */
export interface Scene {
  readonly chain: ContractChain
  readonly acts: readonly Act[]
  /** The host whose log it is, with its data, its VMM and everybody in it. */
  readonly host: OpenHost
  readonly owner: DigestSigner
  readonly data: Hex
  readonly vmmHash: Hex
  /** Grants, each delegated from the one before; the fourth is four levels deep. */
  readonly chainOfGrants: readonly Hex[]
  /** An access that the fourth of them allows. */
  readonly delegated: AccessRequest
  /** One that the fifth allows. */
  readonly delegatedDeeper: AccessRequest
  /** A batch of 256 records of four grants that could come next, as the contract takes it. */
  readonly nextBatch: Hex
  /** How many records the largest batch had that the chain takes in one transaction. */
  readonly largestBatch: number
}

const MANIFEST = id('manifest') as Hex
const ENCRYPT = operationId('attestry/op/encrypt')
/** A certificate's length. */
const CERTIFICATE = fromHex(`0x${'c5'.repeat(900)}`)
const DEADLINE = 2_000_000_000n

/**
 * Calls every function that changes the contracts' state, on a chain of its own, from keys, times and hashes that are always the same: what
 * a call costs is too.
 *
 * @returns the chain still runs: stop it
 */
export async function playScene(hardfork: Hardfork): Promise<Scene> {
  const chain = await startContractChain(hardfork)
  try {
    return await play(chain)
  } catch (error) {
    await chain.stop()
    throw error
  }
}

async function play(chain: ContractChain): Promise<Scene> {
  const { ledger } = chain
  const acts: Act[] = []
  const act = async (
    who: DigestSigner,
    contract: ContractName,
    name: string,
    args: readonly unknown[],
    variant = '',
  ): Promise<Mined> => {
    const mined = await chain.send(who, contract, name, args)
    acts.push({ contract, name, variant, mined })
    return mined
  }
  const person = async (name: string) => chain.person(name)
  const [registrar, first, second, third] = [
    await person('registrar'),
    await person('approver1'),
    await person('approver2'),
    await person('approver3'),
  ]
  const [owner, anybody] = [await person('owner'), await person('anybody')]

  // ------------------------------------------------------------------ hosts
  const host = new OpenHost(chain, 'host', eccAk('host'), await person('host'))
  const rsaHost = new OpenHost(chain, 'rsa host', rsaAk('rsa host'), await person('rsa host'))
  for (const [registered, variant] of [
    [host, 'P-256'],
    [rsaHost, 'RSA-2048'],
  ] as const) {
    const { anchorBlock, quote, consent } = await registered.bond('register')
    const { ekPublic, speaker } = registered
    const registration = { ekPublic, ekCertificate: CERTIFICATE, ledgerAddress: speaker.address, assurance: 2 }
    const args = [registration, anchorBlock, quoteOnLedger(quote), consent]
    await act(registrar, 'hostRegistry', 'register', args, variant)
  }

  // ------------------------------------------------------------------- VMMs
  const signedApproval = async (contract: ContractName, decision: Decision, approver: DigestSigner) => {
    const digest = decisionDigest(ledger.domain(contract), decision, approver.address, DEADLINE)
    return { approver: approver.address, deadline: DEADLINE, signature: await approver.signDigest(fromHex(digest)) }
  }
  const proposal = async () => {
    const { anchorBlock, quote } = await host.quote('vmm', 'vmmRegistry', MANIFEST)
    return [host.hostId, MANIFEST, anchorBlock, quoteOnLedger(quote)]
  }
  await act(anybody, 'vmmRegistry', 'propose', await proposal(), 'by a quote')
  const { vmmHash } = host
  const approval = { vmmHash, epoch: 1, manifestHash: MANIFEST, validUntil: NO_END, term: 1 }
  const approve = [vmmHash, 1, MANIFEST, NO_END]
  await act(first, 'vmmRegistry', 'approve', [...approve, []], 'first of two')
  await act(second, 'vmmRegistry', 'approve', [...approve, []], 'the one that authorises')
  const next = prediction(new Uint8Array(32).fill(0x5a))
  await act(first, 'vmmRegistry', 'predict', [next.attested, MANIFEST])
  const nextApproval = { ...approval, vmmHash: next.vmmHash }
  const signed = [
    await signedApproval('vmmRegistry', { kind: 'VmmApproval', content: nextApproval }, second),
    await signedApproval('vmmRegistry', { kind: 'VmmApproval', content: nextApproval }, third),
  ]
  await act(anybody, 'vmmRegistry', 'approve', [next.vmmHash, 1, MANIFEST, NO_END, signed], 'two by signature')
  const present = host.pcrDigest
  host.pcrDigest = new Uint8Array(32).fill(0x5a)
  await act(anybody, 'vmmRegistry', 'propose', await proposal(), 'that proves a prediction')
  host.pcrDigest = present
  await act(third, 'vmmRegistry', 'revoke', [next.vmmHash])

  // -------------------------------------------------------------- approvers
  const appointed = (await person('second registrar')).address
  const appointment = { registrar: appointed, isRegistrar: true, nonce: 0n, term: 1 }
  const change = { kind: 'RegistrarChange', content: appointment } as const
  const votes = [await signedApproval('hostRegistry', change, second)]
  await act(first, 'hostRegistry', 'changeRegistrar', [appointed, true, 0, votes], 'by one and a signature')
  const approvers = [first.address, second.address, anybody.address]
  const succession = { kind: 'ApproversChange', content: { approvers, threshold: 2, term: 1 } } as const
  const ballot = [await signedApproval('vmmRegistry', succession, second)]
  await act(first, 'vmmRegistry', 'changeApprovers', [approvers, 2, 1, ballot], 'by one and a signature')

  // --------------------------------------------------------- hosts' changes
  const successor = await person('host, second key')
  const rotation = { hostId: host.hostId, from: host.speaker.address, to: successor.address, overlapBlocks: 10n }
  const digest = fromHex(addressRotationDigest(ledger.domain('hostRegistry'), rotation))
  const rotated = await host.quote('rotate-address', 'hostRegistry', rotationPayload(rotation.from, rotation.to, 10n))
  const signatures = [await host.speaker.signDigest(digest), await successor.signDigest(digest)]
  const rotate = [host.hostId, rotation.to, 10, rotated.anchorBlock, quoteOnLedger(rotated.quote), ...signatures]
  await act(anybody, 'hostRegistry', 'rotateAddress', rotate)
  host.speaker = successor
  host.ak = eccAk('host, second AK')
  const bond = await host.bond('replace-ak')
  const replaceAk = [host.hostId, bond.anchorBlock, quoteOnLedger(bond.quote), bond.consent]
  await act(registrar, 'hostRegistry', 'replaceAk', replaceAk)
  await act(first, 'hostRegistry', 'suspend', [host.hostId])
  const substitute = await person('host, third key')
  const replacement = { hostId: host.hostId, from: host.speaker.address, to: substitute.address }
  const consent = await substitute.signDigest(
    fromHex(addressReplacementDigest(ledger.domain('hostRegistry'), replacement)),
  )
  const shown = await host.quote(
    'replace-address',
    'hostRegistry',
    replacementPayload(replacement.from, replacement.to),
  )
  const replaceAddress = [host.hostId, replacement.to, shown.anchorBlock, quoteOnLedger(shown.quote), consent]
  await act(registrar, 'hostRegistry', 'replaceAddress', replaceAddress)
  host.speaker = substitute
  await act(registrar, 'hostRegistry', 'reinstate', [host.hostId])
  await act(registrar, 'hostRegistry', 'retire', [rsaHost.hostId])

  // ------------------------------------------------------------------- data
  const salt = id('salt') as Hex
  await act(owner, 'accessPolicy', 'registerData', [salt])
  const data = dataId(owner.address, salt)
  const wallet = readHarness('Wallet')
  const walletCode = concat(fromHex(wallet.bytecode), fromHex(wallet.abi.encodeDeploy([owner.address])))
  const { created: walletAddress } = await chain.sendRaw(anybody, undefined, toHex(walletCode))
  if (walletAddress === undefined) throw new Error('the wallet was not created')
  await act(owner, 'accessPolicy', 'offerOwnership', [data, anybody.address])
  await act(anybody, 'accessPolicy', 'acceptOwnership', [data])
  await act(anybody, 'accessPolicy', 'offerOwnership', [data, owner.address], 'again')
  await act(owner, 'accessPolicy', 'acceptOwnership', [data], 'again')

  // ----------------------------------------------------------------- grants
  const grantees = await Promise.all(['bob', 'carol', 'dave', 'erin', 'frank'].map(person))
  const grantOf = (parts: Partial<Grant>): Grant => ({
    dataId: data,
    grantee: anybody.address,
    operationId: ENCRYPT,
    notBefore: 1_700_000_000n,
    notAfter: UNLIMITED,
    maxUses: 1_000_000n,
    vmmHash: ZERO_HASH,
    hostId: host.hostId,
    minAssurance: 1,
    delegationDepth: 0,
    parent: ZERO_HASH,
    salt,
    ...parts,
  })
  const idOf = (grant: Grant): Hex => grantId(ledger.domain('accessPolicy'), grant)
  const chainOfGrants: Hex[] = []
  for (const [level, grantee] of grantees.entries()) {
    const parent = chainOfGrants.at(-1) ?? ZERO_HASH
    const grant = grantOf({ grantee: grantee.address, delegationDepth: 4 - level, parent })
    const variant = level === 0 ? 'by the owner' : level === 1 ? 'delegated' : `delegated, ${level} above`
    await act(level === 0 ? owner : (grantees[level - 1] ?? owner), 'accessPolicy', 'grant', [grant], variant)
    chainOfGrants.push(idOf(grant))
  }
  // Four grants of one owner, as a batch has them, and one that is revoked.
  const direct: Pick<OperationRecord, 'grantId' | 'requester'>[] = []
  for (const [i, grantee] of [...grantees.slice(0, 4), anybody].entries()) {
    const grant = grantOf({ grantee: grantee.address, salt: id(`direct ${i}`) as Hex })
    const signature = await owner.signDigest(fromHex(idOf(grant)))
    const variant = i === 0 ? 'by a key' : `by a key, ${i + 1}`
    await act(anybody, 'accessPolicy', 'grantBySignature', [grant, owner.address, signature], variant)
    direct.push({ grantId: idOf(grant), requester: grantee.address })
  }
  // Ownership moves to a contract, which signs by ERC-1271, and its key sends for it.
  const walletData = dataId(walletAddress, salt)
  const registerData = ACCESS_POLICY.encodeFunctionData('registerData', [salt])
  const { address: policy } = chain.deployment.contracts.accessPolicy
  await chain.sendRaw(owner, walletAddress, wallet.abi.encodeFunctionData('send', [policy, registerData]) as Hex)
  const byWallet = grantOf({ dataId: walletData })
  const erc1271 = await owner.signDigest(fromHex(idOf(byWallet)))
  const walletArgs = [byWallet, walletAddress, erc1271]
  await act(anybody, 'accessPolicy', 'grantBySignature', walletArgs, 'by a contract (ERC-1271)')
  await act(owner, 'accessPolicy', 'cancel', [idOf(grantOf({ salt: id('never') as Hex }))])
  await act(owner, 'accessPolicy', 'revoke', [direct[4]?.grantId])

  // -------------------------------------------------------------------- log
  const { number: policyBlock } = await chain.anchor()
  const { timestamp } = await ledger.latestBlock()
  const shared = { vmmHash, operationId: ENCRYPT, dataId: data, policyBlock, status: 0, timestamp }
  const parts = (count: number): readonly RecordParts[] =>
    Array.from({ length: count }, (_, i) => ({ ...shared, ...pick(direct, i % 4), ...ownHashes(i) }))
  const headers: BatchHeader[] = []
  const commit = async (count: number, variant: string, mode: 'commit' | 'anchor' = 'commit') => {
    const records = await host.records(parts(count))
    const { header, quote } = await host.batch(records)
    headers.push(header)
    const { contexts, bodies } = splitRecords(records)
    const args = mode === 'commit' ? [header, contexts, bodies, quoteOnLedger(quote)] : [header, quoteOnLedger(quote)]
    await act(host.speaker, 'auditLog', mode, args, variant)
    return records
  }
  await commit(1, '1 record, first batch')
  await commit(1, '1 record')
  await commit(256, '256 records, third batch')
  const last = await commit(4, '4 records')
  await commit(256, '256 records')
  await commit(256, '256 records', 'anchor')
  const { byTransactionSize: largestBatch } = batchCapacity(chain.deployment.profile, {
    blockGasLimit: 30_000_000n,
    p256Precompile: chain.hardfork !== 'berlin',
  })
  await commit(largestBatch, 'as many records as fit')

  // ------------------------------------------------------------------ fraud
  const includeBy = (await ledger.latestBlock()).number
  const promised = await host.records(parts(4))
  const receipt = await host.receipt(promised, includeBy)
  await chain.pass(1)
  await act(anybody, 'auditLog', 'proveOmission', [receipt.group, receipt.signature])
  const other = promised.map((record, i) => (i === 2 ? { ...record, status: 34 } : record))
  const contradicting = await host.receipt(other, includeBy)
  const seq = promised[2]?.seq
  const inA = proofOf(promised, 2)
  await act(anybody, 'auditLog', 'proveEquivocation', [receipt, contradicting, seq, inA, proofOf(other, 2)])
  const altered = last.map((record, i) => (i === 1 ? { ...record, status: 34 } : record))
  const denied = await host.receipt(altered, includeBy)
  const path = pathToPeak(headers.map(batchLeaf), 3)
  const logged = [proofOf(altered, 1), headers[3], 3, path, proofOf(last, 1)]
  await act(anybody, 'auditLog', 'proveContradiction', [denied, last[1]?.seq, ...logged])

  const accessOf = (level: number): AccessRequest => ({
    ...{ dataId: data, grantId: pick(chainOfGrants, level), requester: pick(grantees, level).address },
    ...{ operationId: ENCRYPT, hostId: host.hostId, vmmHash, timestamp, asOf: policyBlock },
  })
  const records = await host.records(parts(256))
  const { header, quote } = await host.batch(records)
  const nextBatch = encodeCommit(header, records, quote)
  const [delegated, delegatedDeeper] = [accessOf(3), accessOf(4)]
  const grants = { chainOfGrants, delegated, delegatedDeeper }
  return { chain, acts, host, owner, data, vmmHash, ...grants, nextBatch, largestBatch }
}

function proofOf(
  records: readonly OperationRecord[],
  index: number,
): { readonly leaf: Hex; readonly path: readonly Hex[] } {
  const leaves = records.map(leafOf)
  return { leaf: pick(leaves, index), path: inclusionPath(leaves, index) }
}

function pick<T>(list: readonly T[], index: number): T {
  const item = list[index]
  if (item === undefined) throw new RangeError(`expected an index below ${list.length}, found ${index}`)
  return item
}
