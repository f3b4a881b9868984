import assert from 'node:assert/strict'
import type { Hex } from '../../src/core/bytes.ts'
import { stringify } from '../../src/record/json.ts'
import { FormatError, parseOperationRequest, parseReceipt, parseSignedRequest } from '../../src/record/parse.ts'
import type { Receipt } from '../../src/record/receipt.ts'

const hash = (byte: string): Hex => `0x${byte.repeat(32)}`
const request = {
  operationId: hash('01'),
  dataId: hash('02'),
  grantId: hash('00'),
  inputHash: hash('03'),
  hostId: hash('04'),
  nonce: hash('05'),
  expiry: 18_446_744_073_709_551_615n,
}
const receipt: Receipt = {
  record: {
    hostId: hash('04'),
    seq: 9n,
    vmmHash: hash('06'),
    operationId: hash('01'),
    requester: `0x${'07'.repeat(20)}`,
    requestHash: hash('08'),
    dataId: hash('02'),
    grantId: hash('00'),
    policyBlock: 12n,
    dataHash: hash('03'),
    resultHash: hash('09'),
    status: 0,
    timestamp: 1_700_000_000n,
  },
  group: { hostId: hash('04'), groupRoot: hash('0a'), firstSeq: 8n, count: 2, includeBy: 76n },
  path: [hash('0b')],
  signature: `0x${'0c'.repeat(65)}`,
  request,
  requestSignature: `0x${'0d'.repeat(65)}`,
  salt: hash('0e'),
}

function refuses(parse: () => unknown, message: RegExp): void {
  assert.throws(parse, (error: unknown) => {
    assert.ok(error instanceof FormatError)
    assert.match(error.message, message)
    return true
  })
}

const json = (value: unknown): Record<string, unknown> => JSON.parse(stringify(value)) as Record<string, unknown>

describe('parseOperationRequest', () => {
  it('reads back what stringify wrote', () => {
    assert.deepEqual(parseOperationRequest(json(request)), request)
  })

  it('refuses a member that is not in the format', () => {
    refuses(() => parseOperationRequest({ ...json(request), gratnId: hash('00') }), /no member "gratnId"/)
  })

  it('refuses a missing member', () => {
    const rest = json(request)
    delete rest.nonce
    refuses(() => parseOperationRequest(rest), /request\.nonce: expected a value/)
  })

  for (const [what, dataId] of [
    ['a short hash', '0x02'],
    ['a long hash', `${hash('02')}00`],
    ['upper case', hash('AB')],
    ['no prefix', '02'.repeat(32)],
    ['a number', 2],
    ['null', null],
  ] as const) {
    it(`refuses a dataId with ${what}`, () => {
      refuses(() => parseOperationRequest({ ...json(request), dataId }), /request\.dataId: expected 32 bytes/)
    })
  }

  for (const expiry of [1, '-1', '01', '', '18446744073709551616', '1e3', '0x1', ' 1']) {
    it(`refuses the expiry ${JSON.stringify(expiry)}`, () => {
      refuses(() => parseOperationRequest({ ...json(request), expiry }), /64-bit number/)
    })
  }

  for (const value of [null, 'text', 3, []]) {
    it(`refuses ${JSON.stringify(value)} in its place`, () => {
      refuses(() => parseOperationRequest(value), /request: expected an object/)
    })
  }

  it('takes nothing from a prototype', () => {
    refuses(() => parseOperationRequest(Object.create(json(request))), /expected a value/)
    refuses(() => parseOperationRequest(JSON.parse('{"__proto__": {}}')), /no member "__proto__"/)
  })
})

describe('parseSignedRequest', () => {
  const signed = { request, signature: receipt.requestSignature, salt: receipt.salt }

  it('reads back what stringify wrote', () => {
    assert.deepEqual(parseSignedRequest(json(signed)), signed)
  })

  it('refuses a signature of another length', () => {
    refuses(() => parseSignedRequest({ ...json(signed), signature: `0x${'0d'.repeat(64)}` }), /expected 65 bytes/)
  })
})

describe('parseReceipt', () => {
  it('reads back what stringify wrote', () => {
    assert.deepEqual(parseReceipt(json(receipt)), receipt)
  })

  it('refuses a path that no tree could have', () => {
    const path = Array.from({ length: 33 }, () => hash('0b'))
    refuses(() => parseReceipt({ ...json(receipt), path }), /at most 32 hashes/)
    refuses(() => parseReceipt({ ...json(receipt), path: ['0x'] }), /receipt\.path\[0\]/)
  })

  it('refuses an empty group', () => {
    refuses(() => parseReceipt({ ...json(receipt), group: json({ ...receipt.group, count: 0 }) }), /group\.count/)
  })

  it('refuses a status that does not fit', () => {
    refuses(() => parseReceipt({ ...json(receipt), record: json({ ...receipt.record, status: 65536 }) }), /status/)
  })
})
