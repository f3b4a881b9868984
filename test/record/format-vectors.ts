/**
 * Worked examples for docs/formats.md, made from that page alone: bytes laid end to end and hashed, with nothing of src/.
 *
 *   node test/record/format-vectors.ts > test/vectors/formats.json
 */
import { createCipheriv, createHash } from 'node:crypto'
import { keccak256 as ethersKeccak256, SigningKey } from 'ethers'

type Words = readonly (readonly [type: string, value: string | number])[]

const chainId = 31337
const contracts = {
  hostRegistry: '0x5fbdb2315678afecb367f032d93f642f64180aa3',
  vmmRegistry: '0xe7f1725e7734ce288f8367e1bb143e90bb3f0512',
  accessPolicy: '0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0',
  auditLog: '0xcf7ed3acca5a467e9e704c703e8d87f634fb0fc9',
}
const owner = '0x70997970c51812dc3a010c7d01b50e0d17dc79c8'
const grantee = '0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc'
const zero = `0x${'00'.repeat(32)}`
const unlimited = '18446744073709551615'

const ekPublic = `0x0001000b000300b2${'5a'.repeat(40)}`
const akPublic =
  '0x0023000b00050472000000100018000b00030010' +
  '002005a86d97737ff087ea437439192e97f215a48e95e6672ddecc7eaebd0a58eb1b' +
  '0020b48befdad9337ff9e5aa62c3fbc5963bf246d99001c0ec369e12be278b724700'
const quoteInfo = `0x00000001000b039520000020${'c4'.repeat(32)}`

const hostId = sha256(ekPublic)
const vmmHash = keccak256(quoteInfo)
const salt = named('salt')
const dataId = keccak256(join(word('address', owner), salt))
const encrypt = keccak256(text('attestry/op/encrypt/1'))

/** The whole of test/vectors/formats.json. */
export function formatVectors() {
  const grant = makeGrant()
  const request = makeRequest(grant.id)
  const records = [...Array(9).keys()].map((i) => makeRecord(i, request.digest, grant.id))
  const leaves = records.map((record) => record.leaf)
  const trees = leaves.map((_, last) => {
    const some = leaves.slice(0, last + 1)
    return { count: last + 1, root: root(some), paths: some.map((_, i) => path(some, i)) }
  })
  const first = makeHeader(0, 5, root(leaves.slice(0, 5)), zero, 118, 1)
  const second = makeHeader(5, 4, root(leaves.slice(5)), first.head, 121, 2)
  const receipt = makeReceipt(leaves.slice(2, 5), 1)
  return {
    note: 'Worked examples for docs/formats.md, made by test/record/format-vectors.ts',
    chainId: String(chainId),
    contracts,
    identifiers: {
      hostId: { ekPublic, id: hostId },
      vmmHash: { quoteInfo, id: vmmHash },
      operationId: ['encrypt', 'decrypt'].map((name) => ({
        name,
        version: 1,
        id: keccak256(text(`attestry/op/${name}/1`)),
      })),
      dataId: { owner, salt, id: dataId },
      inputHash: { salt, input: '0x00ff10', hash: sha256(join(text('attestry/input/1'), salt, '0x00ff10')) },
      resultHash: { salt, result: '0x', hash: sha256(join(text('attestry/result/1'), salt)) },
    },
    grant,
    request,
    records,
    trees,
    headers: [first, second],
    range: makeRange([first.structHash, second.structHash, named('third header')]),
    receipt,
    claim: makeClaim(),
    rotation: makeRotation(),
    replacement: makeReplacement(),
    decisions: makeDecisions(),
    fraud: [
      makeFraud('Omission', 2, receipt.digest, zero),
      makeFraud('Equivocation', 3, ...inOrder(receipt.digest, named('another group'))),
      makeFraud('Contradiction', 3, receipt.digest, first.structHash),
    ],
    bindings: [
      makeBinding('register', contracts.hostRegistry, keccak256(join(word('address', grantee), keccak256(akPublic)))),
      makeBinding('replace-ak', contracts.hostRegistry, keccak256(join(word('address', grantee), keccak256(akPublic)))),
      makeBinding(
        'rotate-address',
        contracts.hostRegistry,
        keccak256(join(word('address', owner), word('address', grantee), word('uint64', 100))),
      ),
      makeBinding(
        'replace-address',
        contracts.hostRegistry,
        keccak256(join(word('address', owner), word('address', grantee))),
      ),
      makeBinding('vmm', contracts.vmmRegistry, named('manifest')),
      makeBinding('commit', contracts.auditLog, first.structHash),
    ],
    attestationKey: {
      akPublic,
      name: join('0x000b', sha256(akPublic)),
      qualifiedName: join('0x000b', sha256(join('0x4000000b', '0x000b', sha256(akPublic)))),
    },
    eventLog: makeEventLog(13),
    ciphertext: makeCiphertext(),
  }
}

function makeGrant() {
  const members: Words = [
    ['bytes32 dataId', dataId],
    ['address grantee', grantee],
    ['bytes32 operationId', encrypt],
    ['uint64 notBefore', '1700000000'],
    ['uint64 notAfter', unlimited],
    ['uint64 maxUses', '3'],
    ['bytes32 vmmHash', zero],
    ['bytes32 hostId', hostId],
    ['uint8 minAssurance', 1],
    ['uint8 delegationDepth', 2],
    ['bytes32 parent', zero],
    ['bytes32 salt', named('grant')],
  ]
  return { grant: object(members), id: digest(contracts.accessPolicy, structHash('Grant', members)) }
}

function makeRequest(grantId: string) {
  const members: Words = [
    ['bytes32 operationId', encrypt],
    ['bytes32 dataId', dataId],
    ['bytes32 grantId', grantId],
    ['bytes32 inputHash', named('input')],
    ['bytes32 hostId', hostId],
    ['bytes32 nonce', named('nonce')],
    ['uint64 expiry', '1700000600'],
  ]
  return { request: object(members), digest: digest(contracts.auditLog, structHash('OperationRequest', members)) }
}

function makeRecord(seq: number, requestHash: string, grantId: string) {
  const done = seq % 3 !== 2
  const members: Words = [
    ['bytes32 hostId', hostId],
    ['uint64 seq', String(seq)],
    ['bytes32 vmmHash', vmmHash],
    ['bytes32 operationId', encrypt],
    ['address requester', grantee],
    ['bytes32 requestHash', requestHash],
    ['bytes32 dataId', dataId],
    ['bytes32 grantId', done ? grantId : zero],
    ['uint64 policyBlock', String(100 + seq)],
    ['bytes32 dataHash', named(`data ${seq}`)],
    ['bytes32 resultHash', done ? named(`result ${seq}`) : zero],
    ['uint16 status', done ? 0 : 5],
    ['uint64 timestamp', String(1_700_000_100 + seq)],
  ]
  const hash = structHash('Record', members)
  return { record: object(members), structHash: hash, leaf: keccak256(join('0x00', hash)) }
}

function makeHeader(first: number, count: number, treeRoot: string, prevHead: string, anchor: number, nv: number) {
  const members: Words = [
    ['bytes32 hostId', hostId],
    ['uint64 firstSeq', String(first)],
    ['uint32 count', count],
    ['bytes32 root', treeRoot],
    ['bytes32 prevHead', prevHead],
    ['uint64 anchorBlock', String(anchor)],
    ['uint64 nvCounter', String(nv)],
  ]
  const hash = structHash('BatchHeader', members)
  return { header: object(members), structHash: hash, head: keccak256(join(prevHead, hash)) }
}

function makeReceipt(leaves: readonly string[], index: number) {
  const members: Words = [
    ['bytes32 hostId', hostId],
    ['bytes32 groupRoot', root(leaves)],
    ['uint64 firstSeq', '2'],
    ['uint32 count', leaves.length],
    ['uint64 includeBy', '140'],
  ]
  const hash = digest(contracts.auditLog, structHash('ReceiptGroup', members))
  return { group: object(members), seq: String(2 + index), path: path(leaves, index), digest: hash, ...signed(hash) }
}

function makeClaim() {
  const akHash = keccak256(akPublic)
  const members: Words = [
    ['bytes32 hostId', hostId],
    ['bytes32 akHash', akHash],
  ]
  const hash = digest(contracts.hostRegistry, structHash('LedgerAddressClaim', members))
  return { hostId, akPublic, akHash, digest: hash, ...signed(hash) }
}

function makeRotation() {
  const members: Words = [
    ['bytes32 hostId', hostId],
    ['address from', owner],
    ['address to', grantee],
    ['uint64 overlapBlocks', '100'],
  ]
  const hash = digest(contracts.hostRegistry, structHash('AddressRotation', members))
  return { rotation: object(members), digest: hash, ...signed(hash) }
}

function makeReplacement() {
  const members: Words = [
    ['bytes32 hostId', hostId],
    ['address from', owner],
    ['address to', grantee],
  ]
  const hash = digest(contracts.hostRegistry, structHash('AddressReplacement', members))
  return { replacement: object(members), digest: hash, ...signed(hash) }
}

/** What is signed has two members more than the decision: the approver before the term, and the deadline at the end. */
function makeDecisions() {
  const deadline = '1700000600'
  const approvers = [owner, grantee]
  const make = (kind: string, contract: string, members: Words, content: object, type?: string) => {
    const own = [['address approver', owner], ...members.slice(-1), ['uint64 deadline', deadline]]
    const signature = [...members.slice(0, -1), ...own] as Words
    const typeText = type ?? `${kind}(${signature.map(([member]) => member).join(',')})`
    const words = (some: Words) => some.map(([member, value]) => word(member, value))
    const hash = keccak256(text(typeText))
    return {
      kind,
      content,
      approver: owner,
      deadline,
      decision: keccak256(join(hash, ...words(members))),
      digest: digest(contract, keccak256(join(hash, ...words(signature)))),
    }
  }
  const approval: Words = [
    ['bytes32 vmmHash', vmmHash],
    ['uint32 epoch', 2],
    ['bytes32 manifestHash', named('manifest')],
    ['uint64 validUntil', '1800000000'],
    ['uint32 term', 3],
  ]
  const listHash = keccak256(join(...approvers.map((one) => word('address', one))))
  const change: Words = [
    ['bytes32 approvers', listHash],
    ['uint32 threshold', 2],
    ['uint32 term', 3],
  ]
  const changeType =
    'ApproversChange(address[] approvers,uint32 threshold,address approver,uint32 term,uint64 deadline)'
  const registrar: Words = [
    ['address registrar', grantee],
    ['bool isRegistrar', 1],
    ['uint64 nonce', '4'],
    ['uint32 term', 3],
  ]
  return [
    make('VmmApproval', contracts.vmmRegistry, approval, object(approval)),
    make('ApproversChange', contracts.vmmRegistry, change, { approvers, threshold: 2, term: 3 }, changeType),
    make('RegistrarChange', contracts.hostRegistry, registrar, { ...object(registrar), isRegistrar: true }),
  ]
}

/** Three batches: a peak over the first two, and the third alone. */
function makeRange(headerHashes: readonly string[]) {
  const leaves = headerHashes.map((hash) => keccak256(join('0x00', hash)))
  const [a = zero, b = zero, c = zero] = leaves
  const pair = keccak256(join('0x01', a, b))
  return {
    headerHashes,
    leaves,
    after2: { peaks: [a, pair] },
    after3: { peaks: [c, pair], paths: [[b], [a], []] },
  }
}

function makeFraud(fraud: string, seq: number, digestA: string, digestB: string) {
  const kind = ['None', 'Omission', 'Equivocation', 'Contradiction'].indexOf(fraud)
  const encoded = join(word('uint8', kind), hostId, word('uint64', seq), digestA, digestB)
  return { fraud, hostId, seq: String(seq), digestA, digestB, proofHash: keccak256(encoded) }
}

function inOrder(a: string, b: string): [string, string] {
  return a < b ? [a, b] : [b, a]
}

function makeBinding(purpose: string, contract: string, payloadHash: string) {
  const anchorBlockHash = named(`block for ${purpose}`)
  const purposeHash = keccak256(text(`attestry/quote/${purpose}`))
  const head = join(purposeHash, word('uint256', chainId), word('address', contract))
  const qualifyingData = sha256(join(head, hostId, payloadHash, anchorBlockHash))
  return { purpose, chainId: String(chainId), contract, hostId, payloadHash, anchorBlockHash, qualifyingData }
}

function makeEventLog(pcr: number) {
  const described = [
    { kind: 'profile', name: 'ci' },
    { kind: 'component', name: 'vmm/hypervisor', sha256: named('hypervisor') },
    { kind: 'component', name: 'vmm/größe', sha256: named('size') },
    { kind: 'changed', name: 'vmm/hypervisor', sha256: named('hypervisor, patched') },
    { kind: 'changed', name: 'vmm/größe' },
  ]
  const events = described.map((event, recnum) => {
    const kind = uint(8, ['profile', 'component', 'changed'].indexOf(event.kind))
    const digestField = event.sha256 === undefined ? '0x' : tlv('0x02', event.sha256)
    const content = join(tlv('0x00', kind), tlv('0x01', text(event.name)), digestField)
    const extended = sha256(content)
    const position = join(tlv('0x00', uint(64, recnum)), tlv('0x01', uint(8, pcr)))
    const record = join(position, tlv('0x03', tlv('0x0b', extended)), tlv('0x5a', content))
    return { event, digest: extended, record }
  })
  const log = join(...events.map(({ record }) => record))
  const pcrValue = events.reduce((value, { digest: extended }) => sha256(join(value, extended)), zero)
  // One selection: the SHA-256 bank, three bytes, the bit of the PCR; then the digest over the one value.
  const selection = join('0x00000001', '0x000b', '0x03', uint(24, 1 << (8 * (2 - (pcr >> 3)) + (pcr & 7))))
  const info = join(selection, '0x0020', sha256(pcrValue))
  return { pcr, events, log, manifestHash: sha256(log), pcrValue, quoteInfo: info, vmmHash: keccak256(info) }
}

/** Under a key that protects nothing. */
function makeCiphertext() {
  const [keyVersion, key, iv, plaintext] = [7, named('the data key'), '0x000102030405060708090a0b', text('für Alice')]
  const additionalData = join(text('attestry/gcm/1'), uint(32, keyVersion), dataId)
  const cipher = createCipheriv('aes-256-gcm', buffer(key), buffer(iv)).setAAD(buffer(additionalData))
  const sealed = `0x${cipher.update(buffer(plaintext), undefined, 'hex')}${cipher.final('hex')}`
  const tag = `0x${cipher.getAuthTag().toString('hex')}`
  const ciphertext = join(text('ATG1'), uint(32, keyVersion), iv, sealed, tag)
  return { key, keyVersion, iv, dataId, plaintext, additionalData, ciphertext }
}

/** Signed by the host's ledger key of these examples, which protects nothing. */
function signed(hash: string) {
  const key = new SigningKey(keccak256(text('the ledger key of the worked examples')))
  const address = `0x${keccak256(`0x${key.publicKey.slice(4)}`).slice(26)}`
  return { signer: address, signature: key.sign(hash).serialized }
}

// ---------------------------------------------------------------------------------------------------------------------

/** EIP-712: hashStruct is keccak256(typeHash ‖ each member as a word); these types have members of fixed size only. */
function structHash(name: string, members: Words): string {
  const type = `${name}(${members.map(([member]) => member).join(',')})`
  return keccak256(join(keccak256(text(type)), ...members.map(([member, value]) => word(member, value))))
}

function digest(contract: string, hash: string): string {
  const type = 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'
  const domain = join(
    keccak256(text(type)),
    keccak256(text('Attestry')),
    keccak256(text('1')),
    word('uint256', chainId),
    word('address', contract),
  )
  return keccak256(join('0x1901', keccak256(domain), hash))
}

/** RFC 9162, section 2.1.1, as it is written there: by recursion over the largest power of two below the count. */
function root(leaves: readonly string[]): string {
  const [only] = leaves
  if (leaves.length === 1 && only !== undefined) return only
  const k = split(leaves.length)
  return keccak256(join('0x01', root(leaves.slice(0, k)), root(leaves.slice(k))))
}

/** RFC 9162, section 2.1.3.1. */
function path(leaves: readonly string[], index: number): readonly string[] {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return index < k
    ? [...path(leaves.slice(0, k), index), root(leaves.slice(k))]
    : [...path(leaves.slice(k), index - k), root(leaves.slice(0, k))]
}

function split(count: number): number {
  let k = 1
  while (2 * k < count) k *= 2
  return k
}

function object(members: Words): Record<string, string | number> {
  return Object.fromEntries(members.map(([member, value]) => [member.slice(member.indexOf(' ') + 1), value]))
}

function word(type: string, value: string | number): string {
  if (type.startsWith('uint') || type.startsWith('bool')) return `0x${BigInt(value).toString(16).padStart(64, '0')}`
  return `0x${String(value).slice(2).padStart(64, '0')}`
}

/** TCG CEL 1.0, section 5: type, length, value. */
function tlv(type: string, value: string): string {
  return join(type, uint(32, buffer(value).length), value)
}

function uint(bits: number, value: number): string {
  return `0x${value.toString(16).padStart(bits / 4, '0')}`
}

/** 32 bytes that stand for something whose content does not matter here. */
function named(what: string): string {
  return sha256(text(what))
}

function text(value: string): string {
  return `0x${Buffer.from(value).toString('hex')}`
}

function join(...parts: readonly string[]): string {
  return `0x${parts.map((part) => part.slice(2)).join('')}`
}

function keccak256(bytes: string): string {
  return ethersKeccak256(bytes)
}

function sha256(bytes: string): string {
  return `0x${createHash('sha256').update(buffer(bytes)).digest('hex')}`
}

function buffer(bytes: string): Buffer {
  return Buffer.from(bytes.slice(2), 'hex')
}

if (import.meta.main) console.log(JSON.stringify(formatVectors(), null, 2))
