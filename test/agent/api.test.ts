import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Api, type ApiParts } from '../../src/agent/api.ts'
import type { Hex } from '../../src/core/bytes.ts'
import type { Submission } from '../../src/agent/engine.ts'
import { Refusal } from '../../src/agent/refusal.ts'
import { stringify } from '../../src/record/json.ts'
import type { SignedRequest } from '../../src/record/parse.ts'

const hash: Hex = `0x${'01'.repeat(32)}`
const signed: SignedRequest = {
  request: {
    operationId: hash,
    dataId: hash,
    grantId: hash,
    inputHash: hash,
    hostId: hash,
    nonce: hash,
    expiry: 2_000_000_000n,
  },
  signature: `0x${'02'.repeat(65)}`,
  salt: hash,
}
const header = Buffer.from(stringify(signed)).toString('base64url')
const MAX_INPUT_BYTES = 1000

describe('Api', () => {
  let listener: Server
  let api: Api
  let uid: number
  let submissions: Submission[]

  beforeEach(async () => {
    uid = 1000
    submissions = []
    const parts: ApiParts = {
      engine: {
        // How operations end is tested on real parts; here it matters only what reaches the engine.
        submit: (submission) => {
          submissions.push({ ...submission, input: submission.input.slice() })
          return Promise.reject(new Refusal('AGENT_BUSY', 'that is enough'))
        },
      },
      status: () => Promise.reject(new Error('no status')),
      readiness: () => Promise.resolve({ ready: false, missing: ['tpm: gives no measurement'] }),
      maxInputBytes: MAX_INPUT_BYTES,
      release: 'confirmed',
      allowedUids: new Set([1000]),
      log: () => undefined,
    }
    api = new Api(parts)
    listener = createServer((socket) => api.accept(socket, { pid: 1, uid, gid: 1 }))
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
  })

  afterEach(async () => {
    listener.close()
    await api.close(0)
  })

  function open(): Socket {
    return connect((listener.address() as AddressInfo).port, '127.0.0.1')
  }

  /** Sends bytes and gives back status, code and headers of the answer. */
  async function send(text: string | readonly (string | Buffer)[]) {
    const socket = open()
    for (const part of typeof text === 'string' ? [text] : text) socket.write(part)
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    const answer = Buffer.concat(chunks).toString()
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    const { error } = (body === '' ? {} : JSON.parse(body)) as { error?: { code: string; message: string } }
    return { status: Number(head.split(' ')[1]), code: error?.code, message: error?.message ?? '', head, body }
  }

  const post = (headers: Record<string, string | number>, body: string | Buffer = '') =>
    send([
      'POST /v1/operations HTTP/1.1\r\nhost: x\r\n',
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`),
      '\r\n',
      body,
    ])

  it('gives the engine what was sent, and who sent it', async () => {
    const headers = { 'attestry-request': header, 'attestry-release': 'journaled', 'content-length': 5 }
    const { status, code } = await post(headers, 'input')
    assert.deepEqual([status, code], [503, 'AGENT_BUSY'])
    assert.deepEqual(submissions, [
      { signed, input: new Uint8Array(Buffer.from('input')), uid: 1000, release: 'journaled' },
    ])
  })

  it('waits for the ledger as it is configured to, where the request does not say', async () => {
    await post({ 'attestry-request': header, 'content-length': 0 })
    assert.equal(submissions[0]?.release, 'confirmed')
  })

  for (const [what, headers, message] of [
    ['no signed request', {}, /header attestry-request is needed/],
    ['what is not base64url', { 'attestry-request': '{"request"}' }, /base64url/],
    ['what is not JSON', { 'attestry-request': 'AAAA' }, /not JSON/],
    ['a list', { 'attestry-request': Buffer.from('[]').toString('base64url') }, /expected an object/],
    ['members missing', { 'attestry-request': Buffer.from('{}').toString('base64url') }, /expected a value/],
    [
      'an unknown member',
      { 'attestry-request': Buffer.from(stringify({ ...signed, force: true })).toString('base64url') },
      /no member "force"/,
    ],
    ['an unknown release', { 'attestry-request': header, 'attestry-release': 'never' }, /attestry-release/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const answer = await post({ 'content-length': 5, ...headers }, 'input')
      assert.deepEqual([answer.status, answer.code], [400, 'REQUEST_MALFORMED'])
      assert.match(answer.message, message)
      assert.deepEqual(submissions, [])
    })
  }

  it('refuses a body without a length', async () => {
    const answer = await post({ 'attestry-request': header, 'transfer-encoding': 'chunked' }, '1\r\nx\r\n0\r\n\r\n')
    assert.deepEqual([answer.status, answer.code], [400, 'REQUEST_MALFORMED'])
  })

  it('refuses an input over the limit, and lets the client see it', async () => {
    const input = Buffer.alloc(3_000_000)
    const answer = await post({ 'attestry-request': header, 'content-length': input.length }, input)
    assert.deepEqual([answer.status, answer.code], [413, 'INPUT_TOO_LARGE'])
    assert.deepEqual(submissions, [])
  })

  it('refuses a user who is not allowed', async () => {
    uid = 1001
    const answer = await post({ 'attestry-request': header, 'content-length': 5 }, 'input')
    assert.deepEqual([answer.status, answer.code], [403, 'PEER_REFUSED'])
    assert.deepEqual(submissions, [])
  })

  it('knows no other path', async () => {
    const answer = await send('GET /v2/operations HTTP/1.1\r\nhost: x\r\n\r\n')
    assert.deepEqual([answer.status, answer.code], [404, 'NOT_FOUND'])
  })

  it('knows no other method, and says which', async () => {
    const answer = await send('DELETE /v1/status HTTP/1.1\r\nhost: x\r\n\r\n')
    assert.deepEqual([answer.status, answer.code], [405, 'METHOD_NOT_ALLOWED'])
    assert.match(answer.head, /^allow: GET$/m)
  })

  it('refuses headers without end', async () => {
    const answer = await post({ 'x-padding': 'a'.repeat(20_000) })
    assert.deepEqual([answer.status, answer.code], [431, 'HEADERS_TOO_LARGE'])
  })

  it('refuses what is not HTTP', async () => {
    const answer = await send('\x16\x03\x01\x02\x00\r\n\r\n')
    assert.deepEqual([answer.status, answer.code], [400, 'REQUEST_MALFORMED'])
  })

  it('answers one request a connection', async () => {
    const get = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'
    const { status, head, body } = await send(get + get)
    assert.deepEqual([status, body], [200, '{"alive":true}'])
    assert.match(head, /^connection: close$/im)
  })

  it('is not ready where something is missing, and says what', async () => {
    const { status, body } = await send('GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n')
    assert.deepEqual([status, body], [503, '{"ready":false,"missing":["tpm: gives no measurement"]}'])
  })

  it('tells nobody what went wrong inside', async () => {
    const { status, code, message } = await send('GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n')
    assert.deepEqual([status, code], [500, 'INTERNAL'])
    assert.doesNotMatch(message, /no status/)
  })

  it('cuts connections beyond its limit', async () => {
    const sockets = Array.from({ length: 256 }, open)
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    const { status } = await send('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n').catch(() => ({ status: undefined }))
    assert.notEqual(status, 200)
    for (const socket of sockets) socket.destroy()
  })
})
