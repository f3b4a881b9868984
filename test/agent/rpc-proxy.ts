import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An exchange that the proxy holds. */
export interface Held {
  /** What was asked, once it was. */
  readonly arrived: Promise<RpcRequest>
  /** Lets what is held, and all that comes later, go on. */
  release(): void
  /** Ends what is held without an answer, and lets all that comes later go on. */
  drop(): void
}

/** As much of a JSON-RPC request as matters here. */
export interface RpcRequest {
  readonly method: string
  readonly params: readonly unknown[]
}

interface Hold extends Held {
  readonly matches: (request: RpcRequest) => boolean
  /** Before the node sees it, or when the node has answered. */
  readonly when: 'request' | 'answer'
  readonly arrive: (request: RpcRequest) => void
  readonly goesOn: Promise<boolean>
}

/** Stands between an agent and its ledger, and stops chosen exchanges at chosen moments. */
export class RpcProxy {
  readonly #server: Server
  /** Where the node is now. */
  target: string
  readonly #holds = new Set<Hold>()

  private constructor(server: Server, target: string) {
    this.#server = server
    this.target = target
  }

  static async open(target: string): Promise<RpcProxy> {
    const server = createServer()
    const proxy = new RpcProxy(server, target)
    server.on('request', (request, response: ServerResponse) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => void proxy.#pass(Buffer.concat(chunks), response))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Holds every such exchange from now on: before the node sees it, or when the node has answered. */
  hold(matches: (request: RpcRequest) => boolean, when: 'request' | 'answer'): Held {
    const arrival = Promise.withResolvers<RpcRequest>()
    const { promise: goesOn, resolve } = Promise.withResolvers<boolean>()
    const end = (how: boolean) => {
      this.#holds.delete(hold)
      resolve(how)
    }
    const hold: Hold = {
      matches,
      when,
      arrived: arrival.promise,
      arrive: arrival.resolve,
      goesOn,
      release: () => end(true),
      drop: () => end(false),
    }
    this.#holds.add(hold)
    return hold
  }

  /** Lets all that is held go on. */
  releaseAll(): void {
    for (const hold of [...this.#holds]) hold.release()
  }

  async close(): Promise<void> {
    this.releaseAll()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #pass(body: Buffer, response: ServerResponse): Promise<void> {
    const asked = JSON.parse(body.toString()) as RpcRequest
    try {
      if (!(await this.#goesOn(asked, 'request'))) return void response.destroy()
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(this.target, { method: 'POST', headers, body: new Uint8Array(body) })
      const text = await answer.text()
      if (!(await this.#goesOn(asked, 'answer'))) return void response.destroy()
      response.writeHead(answer.status, headers).end(text)
    } catch {
      response.destroy()
    }
  }

  async #goesOn(request: RpcRequest, when: Hold['when']): Promise<boolean> {
    const hold = [...this.#holds].find((candidate) => candidate.when === when && candidate.matches(request))
    if (hold === undefined) return true
    hold.arrive(request)
    return hold.goesOn
  }
}

/** Matches what sends a transaction. */
export function sending({ method }: RpcRequest): boolean {
  return method === 'eth_sendRawTransaction'
}

/** Matches calls of a contract's function, by its selector. */
export function calling(selector: string): (request: RpcRequest) => boolean {
  return ({ method, params }) => method === 'eth_call' && JSON.stringify(params).includes(selector)
}
