import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import { batchLeaf, hashHeader, headAfter, type BatchHeader } from '../../src/record/batch.ts'
import { qualifyingData, registrationPayload, rotationPayload, type QuotePurpose } from '../../src/record/binding.ts'
import {
  addressReplacementDigest,
  addressRotationDigest,
  ledgerAddressClaimDigest,
  type AddressReplacement,
  type AddressRotation,
} from '../../src/record/claim.ts'
import { decisionDigest, decisionHash, type Decision } from '../../src/record/decision.ts'
import { signerOf, type Domain } from '../../src/record/eip712.ts'
import { fraudProofHash, type Fraud } from '../../src/record/fraud.ts'
import { grantId, type Grant } from '../../src/record/grant.ts'
import { dataId, hashInput, hashResult, keccak256, operationId, sha256 } from '../../src/record/hash.ts'
import { append, EMPTY_RANGE, pathToPeak } from '../../src/record/mountain-range.ts'
import { parseOperationRequest, parseRecord } from '../../src/record/parse.ts'
import { receiptGroupDigest, type ReceiptGroup } from '../../src/record/receipt.ts'
import { hashRecord, leafOf } from '../../src/record/record.ts'
import { requestHash } from '../../src/record/request.ts'
import { inclusionPath, rootFromPath, rootOf } from '../../src/record/tree.ts'
import { formatVectors } from './format-vectors.ts'

const file = new URL('../vectors/formats.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof formatVectors>
const { identifiers, contracts } = vectors

describe('test/vectors/formats.json', () => {
  it('is what its generator makes', () => {
    assert.deepEqual(vectors, JSON.parse(JSON.stringify(formatVectors())))
  })

  it('agrees on identifiers', () => {
    assert.equal(sha256(bytes(identifiers.hostId.ekPublic)), identifiers.hostId.id)
    assert.equal(keccak256(bytes(identifiers.vmmHash.quoteInfo)), identifiers.vmmHash.id)
    for (const { name, version, id } of identifiers.operationId) assert.equal(operationId(name, version), id)
    assert.equal(dataId(hex(identifiers.dataId.owner), hex(identifiers.dataId.salt)), identifiers.dataId.id)
    const { inputHash, resultHash } = identifiers
    assert.equal(hashInput(hex(inputHash.salt), bytes(inputHash.input)), inputHash.hash)
    assert.equal(hashResult(hex(resultHash.salt), bytes(resultHash.result)), resultHash.hash)
  })

  it('agrees on the id of a grant', () => {
    const grant = integers(vectors.grant.grant, ['notBefore', 'notAfter', 'maxUses']) as unknown as Grant
    assert.equal(grantId(domain(contracts.accessPolicy), grant), vectors.grant.id)
  })

  it('agrees on the hash of a request', () => {
    const request = parseOperationRequest(vectors.request.request)
    assert.equal(requestHash(domain(contracts.auditLog), request), vectors.request.digest)
  })

  it('agrees on records and leaves', () => {
    for (const vector of vectors.records) {
      const record = parseRecord(vector.record)
      assert.equal(hashRecord(record), vector.structHash)
      assert.equal(leafOf(record), vector.leaf)
    }
  })

  it('agrees on trees of one to nine leaves and on each path', () => {
    assert.equal(vectors.trees.length, 9)
    for (const { count, root, paths } of vectors.trees) {
      const leaves = vectors.records.slice(0, count).map(({ leaf }) => hex(leaf))
      assert.equal(rootOf(leaves), root)
      paths.forEach((path, index) => {
        assert.deepEqual(inclusionPath(leaves, index), path)
        const leaf = leaves[index]
        assert.ok(leaf !== undefined)
        assert.equal(rootFromPath(leaf, index, count, path.map(hex)), root)
      })
    }
  })

  it('agrees on headers and on the chain of heads', () => {
    for (const vector of vectors.headers) {
      const header = integers(vector.header, ['firstSeq', 'anchorBlock', 'nvCounter']) as unknown as BatchHeader
      assert.equal(hashHeader(header), vector.structHash)
      assert.equal(headAfter(header), vector.head)
    }
    assert.equal(vectors.headers[1]?.header['prevHead'], vectors.headers[0]?.head)
  })

  it('agrees on the digest of a receipt, and on its path', () => {
    const { receipt, records } = vectors
    const group = integers(receipt.group, ['firstSeq', 'includeBy']) as unknown as ReceiptGroup
    const digest = receiptGroupDigest(domain(contracts.auditLog), group)
    assert.equal(digest, receipt.digest)
    assert.equal(signerOf(digest, receipt.signature), receipt.signer)
    const seq = Number(receipt.seq)
    const leaf = hex(records[seq]?.leaf ?? '')
    assert.equal(rootFromPath(leaf, seq - Number(group.firstSeq), group.count, receipt.path.map(hex)), group.groupRoot)
  })

  it('agrees on the digest of a ledger address claim', () => {
    const { claim } = vectors
    const digest = ledgerAddressClaimDigest(domain(contracts.hostRegistry), hex(claim.hostId), bytes(claim.akPublic))
    assert.equal(digest, claim.digest)
    assert.equal(signerOf(digest, claim.signature), claim.signer)
  })

  it('agrees on the digest of an address rotation', () => {
    const { rotation } = vectors
    const content = integers(rotation.rotation, ['overlapBlocks']) as unknown as AddressRotation
    const digest = addressRotationDigest(domain(contracts.hostRegistry), content)
    assert.equal(digest, rotation.digest)
    assert.equal(signerOf(digest, rotation.signature), rotation.signer)
  })

  it('agrees on the digest of an address replacement', () => {
    const { replacement } = vectors
    const content = replacement.replacement as unknown as AddressReplacement
    const digest = addressReplacementDigest(domain(contracts.hostRegistry), content)
    assert.equal(digest, replacement.digest)
    assert.equal(signerOf(digest, replacement.signature), replacement.signer)
  })

  it('agrees on decisions and on what approvers sign', () => {
    for (const { kind, content, approver, deadline, decision: hash, digest } of vectors.decisions) {
      const numbers = integers(content as Record<string, string>, ['validUntil', 'nonce'])
      const decision = { kind, content: numbers } as unknown as Decision
      const contract = kind === 'RegistrarChange' ? contracts.hostRegistry : contracts.vmmRegistry
      assert.equal(decisionHash(decision), hash)
      assert.equal(decisionDigest(domain(contract), decision, hex(approver), BigInt(deadline)), digest)
    }
  })

  it('agrees on the range of a host’s batches', () => {
    const { range, headers } = vectors
    headers.forEach(({ header }, i) => {
      const whole = integers(header, ['firstSeq', 'anchorBlock', 'nvCounter']) as unknown as BatchHeader
      assert.equal(batchLeaf(whole), range.leaves[i])
    })
    const leaves = range.leaves.map(hex)
    assert.deepEqual(leaves.slice(0, 2).reduce(append, EMPTY_RANGE).peaks, range.after2.peaks)
    assert.deepEqual(leaves.reduce(append, EMPTY_RANGE).peaks, range.after3.peaks)
    range.after3.paths.forEach((path, i) => {
      assert.deepEqual(pathToPeak(leaves, i), path)
    })
  })

  it('agrees on the hashes of proofs of fraud', () => {
    for (const { fraud, hostId, seq, digestA, digestB, proofHash } of vectors.fraud) {
      const proof = { fraud: fraud as Fraud, hostId: hex(hostId), seq: BigInt(seq) }
      assert.equal(fraudProofHash({ ...proof, digestA: hex(digestA), digestB: hex(digestB) }), proofHash)
    }
  })

  it('agrees on what quotes are bound to', () => {
    for (const binding of vectors.bindings) {
      const data = qualifyingData({
        purpose: binding.purpose as QuotePurpose,
        chainId: BigInt(binding.chainId),
        contract: hex(binding.contract),
        hostId: hex(binding.hostId),
        payloadHash: hex(binding.payloadHash),
        anchorBlockHash: hex(binding.anchorBlockHash),
      })
      assert.equal(toHex(data), binding.qualifyingData)
    }
    const payload = registrationPayload(
      hex('0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc'),
      bytes(vectors.claim.akPublic),
    )
    assert.equal(payload, vectors.bindings[0]?.payloadHash)
    assert.equal(payload, vectors.bindings[1]?.payloadHash)
    const { from, to, overlapBlocks } = vectors.rotation.rotation
    const rotation = rotationPayload(hex(String(from)), hex(String(to)), BigInt(overlapBlocks ?? 0))
    assert.equal(rotation, vectors.bindings[2]?.payloadHash)
  })
})

function domain(verifyingContract: string): Domain {
  return { chainId: BigInt(vectors.chainId), verifyingContract: hex(verifyingContract) }
}

/** A struct of the file with its 64-bit members as bigint. */
function integers(struct: Record<string, string | number | undefined>, u64: readonly string[]): object {
  return Object.fromEntries(
    Object.entries(struct).map(([name, value]) => [name, u64.includes(name) ? BigInt(value ?? '') : value]),
  )
}

function hex(text: string): Hex {
  assert.match(text, /^0x(?:[0-9a-f]{2})*$/)
  return text as Hex
}

function bytes(text: string): Uint8Array {
  return fromHex(text)
}
