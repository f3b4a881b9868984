import 'reflect-metadata'
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { X509CrlReason } from '@peculiar/x509'
import { stringify } from '../../src/record/json.ts'
import { addToTrustStore } from '../../src/auditor/add-to-trust-store.ts'
import type { AuditReport } from '../../src/auditor/audit-report.ts'
import { FindingLog } from '../../src/auditor/finding-log.ts'
import { openContext } from '../../src/auditor/audit-context.ts'
import { revokedLater, verifyReplacedInTime } from '../../src/auditor/revoked-later.ts'
import type { RevocationResult } from '../../src/evidence/revocation.ts'
import { auditLedger } from '../../src/auditor/verify.ts'
import type { AttestationKeyReplaced } from '../../src/ledger/event.ts'
import { VALID } from '../agent/certified-by.ts'
import { attestry, type Ended } from '../cli/command.ts'
import { makeAuthority, makeList, type Authority, type ListParts } from '../evidence/authority.ts'
import { startRig, type Rig } from './rig.ts'

const DAY_MS = 86_400_000
const { keyCompromise, cessationOfOperation } = X509CrlReason
const inDays = (days: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 + days * DAY_MS)

/** A host that was registered today, audited with what was revoked since, and before. */
describe('auditLedger by revocation lists', function () {
  this.timeout(120_000)
  let rig: Rig
  let vendor: Authority

  before(async () => {
    vendor = await makeAuthority('CN=Vendor', VALID)
    rig = await startRig('osaka', vendor)
    await rig.commit([{}, {}])
  })
  after(() => rig.stop())

  /** An audit in ten days, with a list of the day before. */
  const auditWith = async (parts: ListParts, required = false): Promise<AuditReport> => {
    const { ledger, trustAnchors } = rig
    const dated = { thisUpdate: inDays(9), nextUpdate: inDays(16), ...parts }
    const lists = [await makeList(vendor, dated)]
    return auditLedger({ ledger, trustAnchors, revocation: { lists, required, currentAt: inDays(10) } })
  }
  const codesOf = ({ findings }: AuditReport) => findings.map(({ code, subject }) => [code, subject])
  const against = (code: string) => [[code, `host ${rig.hostId}`]]
  const revoked = (days: number, reason = cessationOfOperation): ListParts => ({
    ...{ revoked: ['33'], revokedOn: inDays(days), reason },
  })

  it('finds nothing where the certificate is not on the list, and does not say that none was asked', async () => {
    const report = await auditWith({}, true)
    assert.deepEqual([report.ok, report.verified], [true, 2])
    assert.ok(!report.notCovered.some((sentence) => /revo/.test(sentence)), report.notCovered.join('\n'))
  })

  it('says which certificates no list tells of, and takes it for a finding where they are required', async () => {
    const { ledger, trustAnchors } = rig
    const silent = await auditLedger({ ledger, trustAnchors })
    assert.equal(silent.ok, true)
    assert.ok(silent.notCovered.some((sentence) => /^Whether 1 certificates .* were revoked/.test(sentence)))
    const revocation = { lists: [], required: true, currentAt: inDays(10) }
    const report = await auditLedger({ ledger, trustAnchors, revocation })
    assert.deepEqual(codesOf(report), against('REVOCATION_UNKNOWN'))
    assert.equal(report.hosts[0]?.assurance, 'Unverified')
  })

  it('finds a host whose certificate was revoked before it was registered', async () => {
    const report = await auditWith(revoked(-1))
    assert.deepEqual([report.ok, report.verified], [false, 0])
    assert.deepEqual(codesOf(report), against('EK_CERTIFICATE_REVOKED'))
  })

  it('lets a host stand that was registered before the revocation, and says so', async () => {
    const report = await auditWith(revoked(1))
    assert.deepEqual([report.ok, report.verified], [true, 2])
    const said = `Host ${rig.hostId}: whether to go on trusting it. It was registered before "CN=An EK" was revoked`
    assert.ok(
      report.notCovered.some((sentence) => sentence.startsWith(said)),
      report.notCovered.join('\n'),
    )
  })

  it('finds a host whose key was compromised, whenever it was registered', async () => {
    assert.deepEqual(codesOf(await auditWith(revoked(1, keyCompromise))), against('EK_CERTIFICATE_REVOKED'))
  })

  it('finds that it cannot tell, where the list is not of the day of the audit', async () => {
    const of = { thisUpdate: inDays(-1), nextUpdate: inDays(5) }
    assert.deepEqual(codesOf(await auditWith(of)), against('REVOCATION_UNKNOWN'))
  })

  describe('attestry audit verify', () => {
    const verify = (...more: readonly string[]): Promise<Ended> => {
      const deployment = join(rig.dir, 'deployment.json')
      writeFileSync(deployment, stringify(rig.local.deployment))
      const place = ['--rpc', rig.local.rpc, '--deployment', deployment]
      return attestry('audit', 'verify', ...place, '--trust', rig.trustDir, '--json', ...more)
    }
    const add = async (parts: ListParts): Promise<string> => {
      const dated = { thisUpdate: inDays(-1), nextUpdate: inDays(1), ...parts }
      const block = { kind: 'revocation-list', der: await makeList(vendor, dated) } as const
      return (await addToTrustStore(rig.trustDir, block, { hardware: false, at: new Date() })).file
    }

    it('reads the lists of the trust store, refuses older ones in their place, and asks for them where told to', async () => {
      const required = await verify('--require-lists')
      assert.deepEqual([required.code, codesOfJson(required)], [1, ['REVOCATION_UNKNOWN']])
      await add({ number: 1 })
      const good = await verify('--require-lists')
      assert.deepEqual([good.code, codesOfJson(good)], [0, []])
      const file = await add({ number: 2, revoked: ['33'], reason: keyCompromise })
      const bad = await verify()
      assert.deepEqual([bad.code, codesOfJson(bad)], [1, ['EK_CERTIFICATE_REVOKED']])
      rmSync(join(rig.trustDir, file))
      const hidden = await verify()
      assert.equal(hidden.code, 2)
      assert.match(hidden.stdout, /REVOCATION_LIST_OLDER/)
    })
  })

  describe('verifyReplacedInTime', () => {
    const replaced = { name: 'AttestationKeyReplaced', args: {}, blockNumber: 0n } as unknown as AttestationKeyReplaced
    const endorsement = async (results: readonly RevocationResult[]) => {
      const context = await openContext(rig.ledger, { trustAnchors: [] })
      const findings = new FindingLog()
      const event = { ...replaced, blockNumber: context.to.number, args: { ...replaced.args, hostId: rig.hostId } }
      await verifyReplacedInTime(context, findings, event, { revocation: results } as never)
      return findings.findings.map(({ code }) => code)
    }
    const of = (days: number): RevocationResult => {
      const revokedFrom = inDays(days).toISOString()
      return { subject: `CN=${days}`, status: 'revoked-later', list: '0x', revokedFrom }
    }

    it('finds a key that was replaced when the EK’s certificate was revoked', async () => {
      assert.deepEqual(await endorsement([of(-1)]), ['EK_CERTIFICATE_REVOKED'])
      assert.deepEqual(await endorsement([of(2), of(-1)]), ['EK_CERTIFICATE_REVOKED'])
      assert.deepEqual(await endorsement([of(2)]), [])
      assert.deepEqual(await endorsement([{ subject: 'CN=good', status: 'good', list: '0x' }]), [])
    })

    it('goes by the first of several', () => {
      assert.equal(revokedLater({ revocation: [of(3), of(1), of(2)] } as never)?.subject, 'CN=1')
    })
  })
})

function codesOfJson(ended: Ended): readonly string[] {
  return (ended.json()['findings'] as { readonly code: string }[]).map(({ code }) => code)
}
