import assert from 'node:assert/strict'
import type { Hex } from '../../src/core/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY, AUDIT_LOG, VMM_REGISTRY } from '../../src/ledger/abi.ts'
import { encodeCommit } from '../../src/ledger/commit.ts'
import type { Deployment } from '../../src/ledger/deployment.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { UNLIMITED, grantId, type Grant } from '../../src/record/grant.ts'
import { ZERO_HASH, dataId, keccak256 } from '../../src/record/hash.ts'
import { REASONS } from '../../src/record/reason.ts'
import { hash, startLocalLedger, type LocalLedger } from './local-ledger.ts'

describe('Ledger', () => {
  let local: LocalLedger
  let ledger: Ledger
  let owner: DigestSigner

  before(async () => {
    local = await startLocalLedger()
    ledger = await Ledger.connect(local.rpc, local.deployment)
    owner = local.owner
  })

  after(async () => {
    ledger.close()
    await local.stop()
  })

  const registerData = (salt: Hex): Hex => ACCESS_POLICY.encodeFunctionData('registerData', [salt]) as Hex

  describe('connect', () => {
    it('refuses a chain with another id', async () => {
      const other = { ...local.deployment, chainId: 31338n }
      await assert.rejects(Ledger.connect(local.rpc, other), {
        code: 'CHAIN_ID_MISMATCH',
        message: 'expected chain 31338, found 31337',
      })
    })

    it('refuses a contract whose code differs from the deployment file', async () => {
      await assert.rejects(Ledger.connect(local.rpc, changed('auditLog', { codeHash: hash(1) })), {
        code: 'CODE_MISMATCH',
        message: /^auditLog at 0x[0-9a-f]{40}: expected code with hash 0x0101/,
      })
    })

    it('refuses an address without code', async () => {
      const address = owner.address
      await assert.rejects(Ledger.connect(local.rpc, changed('hostRegistry', { address })), {
        code: 'CODE_MISMATCH',
        message: /found no code$/,
      })
    })

    it('refuses an endpoint that is not an http or https URL, without repeating it', async () => {
      for (const url of ['not a url', 'ws://127.0.0.1:1', 'http://user:secret@127.0.0.1:1']) {
        await assert.rejects(Ledger.connect(url, local.deployment), (error: Error) => {
          assert.match(error.message, /^expected the RPC endpoint as an http or https URL/)
          return (error as { code?: string }).code === 'ENDPOINT_INVALID' && !error.message.includes('secret')
        })
      }
    })
  })

  describe('reads', () => {
    it('reads blocks, and refuses one that is not there', async () => {
      const latest = await ledger.latestBlock()
      assert.deepEqual(await ledger.blockAt(latest.number), latest)
      await assert.rejects(ledger.blockAt(latest.number + 1000n), { code: 'BLOCK_UNKNOWN' })
    })

    it('reads what is not there as nothing', async () => {
      assert.equal((await ledger.host(hash(1))).status, 'None')
      assert.equal((await ledger.vmm(hash(1))).status, 'None')
      assert.equal((await ledger.grantOf(hash(1))).grantedAt, 0n)
      assert.equal(await ledger.hostOf(owner.address), ZERO_HASH)
      assert.equal(await ledger.ownerOf(hash(1)), `0x${'00'.repeat(20)}`)
      assert.equal(await ledger.isAuthorised(hash(1)), false)
      assert.equal(await ledger.nextSeq(hash(1)), 0n)
      assert.equal(await ledger.head(hash(1)), ZERO_HASH)
      assert.deepEqual(await ledger.clock(hash(1)), { nvCounter: 0n, resetCount: 0, restartCount: 0, clockMs: 0n })
      assert.equal(await ledger.transaction(hash(1)), undefined)
      assert.equal(await ledger.receipt(hash(1)), undefined)
    })

    it('tells a contract from an account without code', async () => {
      const { address, codeHash } = local.deployment.contracts.auditLog
      assert.equal(keccak256(fromHex(await ledger.code(address))), codeHash)
      assert.equal(await ledger.code(owner.address), '0x')
    })

    it('names the domain of each contract', () => {
      const { chainId, contracts } = local.deployment
      assert.deepEqual(ledger.domain('auditLog'), { chainId, verifyingContract: contracts.auditLog.address })
    })

    it('answers an access check with the reason that the contract gives', async () => {
      const { number: asOf } = await ledger.latestBlock()
      const request = {
        dataId: hash(1),
        grantId: ZERO_HASH,
        requester: owner.address,
        operationId: hash(2),
        hostId: hash(3),
        vmmHash: hash(4),
        timestamp: 1n,
        asOf,
      }
      assert.equal(await ledger.checkAccess(request), REASONS.HOST_UNKNOWN)
    })
  })

  describe('transactions', () => {
    it('enters data, a grant and its revocation, and reads back their events in order', async () => {
      const grantee = await local.signer('grantee')
      const data = dataId(owner.address, hash(10))
      const grant: Grant = {
        dataId: data,
        grantee: grantee.address,
        operationId: ZERO_HASH,
        notBefore: 0n,
        notAfter: UNLIMITED,
        maxUses: 5n,
        vmmHash: ZERO_HASH,
        hostId: ZERO_HASH,
        minAssurance: 1,
        delegationDepth: 0,
        parent: ZERO_HASH,
        salt: hash(11),
      }
      const id = grantId(ledger.domain('accessPolicy'), grant)
      const registered = await ledger.submit(owner, { to: 'accessPolicy', data: registerData(hash(10)) })
      const granted = await ledger.submit(owner, {
        to: 'accessPolicy',
        data: ACCESS_POLICY.encodeFunctionData('grant', [grant]) as Hex,
      })
      const revoked = await ledger.submit(owner, {
        to: 'accessPolicy',
        data: ACCESS_POLICY.encodeFunctionData('revoke', [id]) as Hex,
      })

      const events = await ledger.logs('accessPolicy', registered.blockNumber, revoked.blockNumber)
      assert.deepEqual(
        events.map(({ name, args }) => ({ name, args })),
        [
          { name: 'DataRegistered', args: { dataId: data, owner: owner.address } },
          { name: 'Granted', args: { grantId: id, dataId: data, grantor: owner.address, grant } },
          { name: 'GrantRevoked', args: { grantId: id, by: owner.address } },
        ],
      )
      assert.deepEqual(events, [...registered.logs, ...granted.logs, ...revoked.logs])
      assert.deepEqual(
        events.map(({ transactionHash }) => transactionHash),
        [registered.hash, granted.hash, revoked.hash],
      )
      assert.deepEqual(await ledger.grantOf(id), {
        grant,
        grantor: owner.address,
        grantedAt: granted.blockNumber,
        revokedAt: revoked.blockNumber,
        uses: 0n,
      })
      assert.equal((await ledger.grantOf(id, granted.blockNumber)).revokedAt, 0n)
      assert.equal(await ledger.ownerOf(data), owner.address)
    })

    it('gives the signed bytes before anything is sent, and takes them twice, pending and mined', async () => {
      const order = { to: 'accessPolicy', data: registerData(hash(20)) } as const
      const nonce = await ledger.nonce(owner.address)
      const signed = await ledger.prepare(owner, order)
      assert.equal(signed.nonce, nonce)
      assert.equal(await ledger.transaction(signed.hash), undefined)

      await ledger.send(signed.raw)
      await ledger.send(signed.raw)
      let receipt
      while (receipt === undefined) receipt = await ledger.receipt(signed.hash)
      await ledger.send(signed.raw)

      assert.equal(receipt.ok, true)
      assert.deepEqual(await ledger.transaction(signed.hash), {
        from: owner.address,
        to: local.deployment.contracts.accessPolicy.address,
        input: order.data,
        blockNumber: receipt.blockNumber,
      })
      assert.equal(await ledger.nonce(owner.address), nonce + 1n)
    })

    it('refuses other bytes with a nonce that was used', async () => {
      const order = { to: 'accessPolicy', data: registerData(hash(21)), nonce: 0n } as const
      const { raw } = await ledger.prepare(owner, order)
      await assert.rejects(ledger.send(raw), { code: 'TRANSACTION_REFUSED' })
    })

    it('refuses bytes that are not a signed transaction for this chain', async () => {
      await assert.rejects(ledger.send('0x1234'), RangeError)
      const elsewhere = await Ledger.connect(local.rpc, local.deployment)
      const { raw } = await elsewhere.prepare(owner, { to: 'accessPolicy', data: registerData(hash(22)) })
      elsewhere.close()
      await assert.rejects(ledger.send(`0x02${raw.slice(4).replace('827a69', '827a6a')}`), RangeError)
    })

    it('names the custom error that a call would revert with, and its arguments', async () => {
      const order = { to: 'accessPolicy', data: ACCESS_POLICY.encodeFunctionData('revoke', [hash(99)]) as Hex } as const
      const expected = {
        code: 'REVERTED',
        message: `transaction: reverted: GrantUnknown(grantId ${hash(99)})`,
        reason: { name: 'GrantUnknown', args: { grantId: hash(99) } },
      }
      await assert.rejects(ledger.prepare(owner, order), expected)
      await assert.rejects(ledger.submit(owner, order), expected)
      await assert.rejects(ledger.call(order.to, order.data), { code: 'REVERTED', reason: expected.reason })
    })

    it('names the custom error of a transaction that failed only in its block', async () => {
      // Both are fine when they are prepared; the second one in the block is one too many.
      const data = registerData(hash(23))
      const nonce = await ledger.nonce(owner.address)
      const first = await ledger.prepare(owner, { to: 'accessPolicy', data, nonce })
      const second = ledger.submit(
        {
          address: owner.address,
          // The first is sent after the second was estimated.
          signDigest: async (digest) => {
            await ledger.send(first.raw)
            return owner.signDigest(digest)
          },
        },
        { to: 'accessPolicy', data, nonce: nonce + 1n },
      )
      const reason = { name: 'DataExists', args: { dataId: dataId(owner.address, hash(23)) } }
      await assert.rejects(second, { code: 'REVERTED', reason })
    })

    it('refuses a transaction over the size limit before it is signed', async () => {
      const deployment: Deployment = { ...local.deployment, profile: { transactionType: 2, maxTransactionBytes: 120 } }
      const small = await Ledger.connect(local.rpc, deployment)
      const unused: DigestSigner = { ...owner, signDigest: () => assert.fail('was asked to sign') }
      const data = registerData(hash(24))
      const tooLarge = { code: 'TRANSACTION_TOO_LARGE' }
      await assert.rejects(small.prepare(unused, { to: 'accessPolicy', data }), tooLarge)
      const { raw } = await ledger.prepare(owner, { to: 'accessPolicy', data })
      await assert.rejects(small.send(raw), tooLarge)
      const quote = { akPublic: new Uint8Array(0), attest: new Uint8Array(131_072), signature: new Uint8Array(64) }
      await assert.rejects(
        ledger.prepare(unused, { to: 'auditLog', data: encodeCommit(header(), [], quote) }),
        tooLarge,
      )
      small.close()
    })

    it('refuses a signature by another key, and what is no signature', async () => {
      const other = await local.signer('other')
      const order = { to: 'accessPolicy', data: registerData(hash(25)) } as const
      const wrong = { code: 'SIGNATURE_WRONG' }
      await assert.rejects(ledger.prepare({ ...other, address: owner.address }, order), wrong)
      const none: DigestSigner = { ...owner, signDigest: () => Promise.resolve(toHex(new Uint8Array(64))) }
      await assert.rejects(ledger.prepare(none, order), wrong)
    })

    it('reads the reason for which a commit of an unknown host is refused', async () => {
      const quote = { akPublic: new Uint8Array(0), attest: new Uint8Array(10), signature: new Uint8Array(64) }
      await assert.rejects(ledger.prepare(owner, { to: 'auditLog', data: encodeCommit(header(), [], quote) }), {
        code: 'REVERTED',
        reason: { name: 'HostUnknown', args: { hostId: hash(1) } },
      })
    })

    it('says when a transaction is in no block in time', async () => {
      // A gap in the nonces keeps it waiting in the pool.
      const nonce = (await ledger.nonce(owner.address)) + 5n
      const order = { to: 'accessPolicy', data: registerData(hash(26)), nonce } as const
      await assert.rejects(ledger.submit(owner, order, 1), { code: 'NOT_CONFIRMED' })
    })
  })

  it('sends legacy transactions where the chain profile says so', async () => {
    const deployment: Deployment = {
      ...local.deployment,
      profile: { transactionType: 0, maxTransactionBytes: 65_536 },
    }
    const legacy = await Ledger.connect(local.rpc, deployment)
    const signer = await local.signer('legacy')
    const data = registerData(hash(30))
    const { hash: sent, logs } = await legacy.submit(signer, { to: 'accessPolicy', data })
    assert.equal(logs[0]?.name, 'DataRegistered')
    assert.equal((await legacy.transaction(sent))?.from, signer.address)
    legacy.close()
  })

  it('reads the approvers and the threshold that were deployed', async () => {
    const answer = await ledger.call('vmmRegistry', VMM_REGISTRY.encodeFunctionData('threshold') as Hex)
    assert.equal(BigInt(answer), 1n)
    const unknown = AUDIT_LOG.encodeFunctionData('nextSeq', [hash(1)]) as Hex
    await assert.rejects(ledger.call('vmmRegistry', unknown), { code: 'REVERTED', reason: undefined })
  })

  const changed = (name: 'hostRegistry' | 'auditLog', change: { address?: Hex; codeHash?: Hex }): Deployment => {
    const { contracts } = local.deployment
    return { ...local.deployment, contracts: { ...contracts, [name]: { ...contracts[name], ...change } } }
  }

  const header = (): Parameters<typeof encodeCommit>[0] => ({
    hostId: hash(1),
    firstSeq: 0n,
    count: 0,
    root: hash(2),
    prevHead: ZERO_HASH,
    anchorBlock: 1n,
    nvCounter: 1n,
  })
})
