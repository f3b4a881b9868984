import { STATUS_CODES, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { stringify } from '../record/json.ts'
import { FormatError, parseSignedRequest, type SignedRequest } from '../record/parse.ts'
import { drain, readBody } from './body.ts'
import { RELEASES, type Release } from './config.ts'
import type { Engine } from './engine.ts'
import type { Peer } from './gate.ts'
import { HTTP_STATUS, type ApiCode } from './http-status.ts'
import { errorFields, type Log } from './log.ts'
import { Refusal, type RefusalCode } from './refusal.ts'
import type { Readiness, Status } from './status.ts'

/** What the API answers from. */
export interface ApiParts {
  readonly engine: Pick<Engine, 'submit'>
  readonly status: () => Promise<Status>
  readonly readiness: () => Promise<Readiness>
  readonly maxInputBytes: number
  /** Where a request names none. */
  readonly release: Release
  readonly allowedUids: ReadonlySet<number>
  readonly log: Log
}

const HEADERS_MS = 10_000
const MAX_CONNECTIONS = 256
const MAX_HEADER_BYTES = 16 << 10

/**
 * The agent's HTTP interface (docs/operators.md, "The API"). It listens on nothing: connections are given to it, each with who made it. One
 * request a connection.
 */
export class Api {
  readonly #parts: ApiParts
  readonly #server: Server
  readonly #peers = new Map<Socket, Peer>()
  readonly #timers = new WeakMap<Socket, NodeJS.Timeout>()

  constructor(parts: ApiParts) {
    this.#parts = parts
    this.#server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
      void this.#answer(request, response)
    })
    this.#server.on('clientError', refuseUnreadable)
  }

  /** Serves a connection. */
  accept(socket: Socket, peer: Peer): void {
    socket.on('error', () => socket.destroy())
    if (this.#peers.size >= MAX_CONNECTIONS) {
      socket.destroy()
      return
    }
    this.#peers.set(socket, peer)
    // A server that does not listen enforces no time-outs of its own.
    const timer = setTimeout(() => socket.destroy(), HEADERS_MS)
    socket.once('close', () => {
      clearTimeout(timer)
      this.#peers.delete(socket)
    })
    this.#timers.set(socket, timer)
    this.#server.emit('connection', socket)
    socket.resume()
  }

  /** Ends when every connection has; those that have not in time are cut. */
  async close(graceMs = 1000): Promise<void> {
    const closed = [...this.#peers.keys()].map(
      (socket) => new Promise((resolve) => (socket.destroyed ? resolve(undefined) : socket.once('close', resolve))),
    )
    const timer = setTimeout(() => {
      for (const socket of this.#peers.keys()) socket.destroy()
    }, graceMs)
    await Promise.all(closed)
    clearTimeout(timer)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    clearTimeout(this.#timers.get(request.socket))
    response.setHeader('connection', 'close')
    try {
      await this.#route(request, response)
    } catch (error) {
      if (response.headersSent || response.destroyed) response.destroy()
      else this.#refuse(response, error)
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const peer = this.#peers.get(request.socket)
    if (peer === undefined || !this.#parts.allowedUids.has(peer.uid)) {
      await drain(request)
      return refuse(response, 'PEER_REFUSED', 'this user may not use the agent')
    }
    const path = request.url?.split('?')[0] ?? ''
    const route = this.#routes.get(path)
    if (route === undefined || route.method !== request.method) {
      await drain(request)
      if (route === undefined) return refuse(response, 'NOT_FOUND', 'there is nothing here')
      response.setHeader('allow', route.method)
      return refuse(response, 'METHOD_NOT_ALLOWED', `only ${route.method} is answered here`)
    }
    await route.serve(request, response, peer)
  }

  readonly #routes: ReadonlyMap<
    string,
    { method: string; serve: (request: IncomingMessage, response: ServerResponse, peer: Peer) => Promise<void> | void }
  > = new Map([
    ['/v1/operations', { method: 'POST', serve: (...exchange) => this.#operation(...exchange) }],
    ['/v1/status', { method: 'GET', serve: async (_, response) => json(response, 200, await this.#parts.status()) }],
    ['/healthz', { method: 'GET', serve: (_, response) => json(response, 200, { alive: true }) }],
    [
      '/readyz',
      {
        method: 'GET',
        serve: async (_, response) => {
          const readiness = await this.#parts.readiness()
          json(response, readiness.ready ? 200 : 503, readiness)
        },
      },
    ],
  ])

  async #operation(request: IncomingMessage, response: ServerResponse, { uid }: Peer): Promise<void> {
    const { engine, maxInputBytes } = this.#parts
    const input = await readBody(request, maxInputBytes)
    const { headers } = request
    const release = releaseOf(headers['attestry-release'], this.#parts.release)
    const signed = signedRequestOf(headers['attestry-request'])
    const { result, ...answer } = await engine.submit({ signed, input, uid, release })
    response.once('close', () => result.fill(0))
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': result.length,
      'attestry-answer': Buffer.from(stringify(answer)).toString('base64url'),
    })
    response.end(result)
  }

  #refuse(response: ServerResponse, error: unknown): void {
    if (error instanceof Refusal) return refuse(response, error.code, error.message, error.detail)
    this.#parts.log('error', 'api.failed', errorFields(error))
    refuse(response, 'INTERNAL', 'the agent failed; its log says how')
  }
}

/** @param header untrusted: base64url of the JSON of a SignedRequest. @throws Refusal REQUEST_MALFORMED */
function signedRequestOf(header: string | string[] | undefined): SignedRequest {
  if (typeof header !== 'string' || !/^[A-Za-z0-9_-]+$/.test(header)) {
    throw new Refusal('REQUEST_MALFORMED', 'the header attestry-request is needed: base64url of the signed request')
  }
  try {
    return parseSignedRequest(JSON.parse(Buffer.from(header, 'base64url').toString('utf8')))
  } catch (cause) {
    const why = cause instanceof FormatError ? cause.message : 'it is not JSON'
    throw new Refusal('REQUEST_MALFORMED', `the header attestry-request: ${why}`, { cause })
  }
}

function releaseOf(header: string | string[] | undefined, or: Release): Release {
  if (header === undefined) return or
  const release = RELEASES.find((known) => known === header)
  if (release !== undefined) return release
  throw new Refusal('REQUEST_MALFORMED', `the header attestry-release: expected one of ${RELEASES.join(', ')}`)
}

function refuse(response: ServerResponse, code: RefusalCode | ApiCode, message: string, detail: object = {}): void {
  json(response, HTTP_STATUS[code], { error: { code, message }, ...detail })
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(stringify(value))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
}

/** Answers what is not HTTP, or has headers without end, and closes. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'HEADERS_TOO_LARGE' : 'REQUEST_MALFORMED'
  const status = HTTP_STATUS[code]
  const body = stringify({ error: { code, message: 'the request cannot be read' } })
  if (!socket.writable) return
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
