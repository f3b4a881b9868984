import assert from 'node:assert/strict'
import type { AuditReport } from '../../src/auditor/audit-report.ts'
import { reportText } from '../../src/auditor/report.ts'
import { address, hash } from './events.ts'

const HOST_ID = hash(1)
const REPORT: AuditReport = {
  ok: true,
  trust: 'node',
  trustStatement: 'one RPC node believed: that chain 1 up to block 99 is what it told',
  chainId: 1n,
  blocks: { from: 3n, to: 99n },
  hosts: [
    {
      hostId: HOST_ID,
      assurance: 'Software',
      subject: 'CN=a TPM',
      ledgerAddress: address(2),
      registeredAt: 4n,
      batches: 2,
      operations: 5,
      done: 3,
      denied: 1,
      failed: 1,
      verified: 5,
      head: hash(3),
      pcrSelections: ['sha256:13'],
    },
  ],
  vmms: { proposed: 2, authorised: 1, revoked: 1 },
  grants: { granted: 3, revoked: 1 },
  receipts: 0,
  operations: 5,
  verified: 5,
  findings: [],
  notCovered: [
    'The consensus of the ledger, of which this audit says nothing at all, and which takes more than one line to say.',
  ],
}

describe('reportText', () => {
  it('says in its first line that all is well', () => {
    const [first] = reportText(REPORT).split('\n')
    assert.equal(first, 'AUDIT PASSED: all 5 operations verified, no findings')
  })

  it('names the host, what was believed, and what was not covered', () => {
    const text = reportText(REPORT)
    for (const part of [
      HOST_ID,
      'one RPC node believed',
      'Software',
      'CN=a TPM',
      '3 done, 1 denied, 1 failed',
      'Not covered',
    ]) {
      assert.ok(text.includes(part), part)
    }
  })

  it('puts findings before everything that was checked', () => {
    const findings = [
      { code: 'ROOT_DIFFERS', subject: `batch ${HOST_ID}/0`, detail: 'root: expected 1, found 2' },
    ] as const
    const text = reportText({ ...REPORT, ok: false, verified: 1, findings })
    assert.match(text, /^AUDIT FAILED: 1 finding, 1 of 5 operations verified\n/)
    assert.ok(text.indexOf('ROOT_DIFFERS') < text.indexOf(`Host ${HOST_ID}`))
    assert.ok(text.includes("the batch's root is not that of its records"))
    assert.ok(text.includes('root: expected 1, found 2'))
  })

  it('stays within 80 columns but for what has no space in it', () => {
    for (const line of reportText(REPORT).split('\n')) {
      assert.ok(line.length <= 80 || line.includes('0x'), line)
    }
  })

  it('lets no control character of a certificate through', () => {
    const [host] = REPORT.hosts
    assert.ok(host)
    const text = reportText({ ...REPORT, hosts: [{ ...host, subject: 'CN=\u001b[31mred\u202e' }] })
    assert.ok(text.includes('CN=?[31mred?'))
  })
})
