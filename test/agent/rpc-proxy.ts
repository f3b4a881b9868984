import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An exchange that the proxy holds. */
export interface Held {
  /** What was asked, once it was. */
  readonly arrived: Promise<RpcRequest>
  /** Lets it, and all later ones, go on. */
  release(): void
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
  readonly released: Promise<unknown>
}

/** Stands between an agent and its ledger, and stops chosen exchanges at chosen moments. */
export class RpcProxy {
  readonly #server: Server
  readonly #target: string
  readonly #holds = new Set<Hold>()

  private constructor(server: Server, target: string) {
    this.#server = server
    this.#target = target
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
    const release = Promise.withResolvers<unknown>()
    const hold: Hold = {
      matches,
      when,
      arrived: arrival.promise,
      arrive: arrival.resolve,
      released: release.promise,
      release: () => {
        this.#holds.delete(hold)
        release.resolve(undefined)
      },
    }
    this.#holds.add(hold)
    return hold
  }

  async close(): Promise<void> {
    for (const hold of [...this.#holds]) hold.release()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #pass(body: Buffer, response: ServerResponse): Promise<void> {
    const asked = JSON.parse(body.toString()) as RpcRequest
    try {
      await this.#stop(asked, 'request')
      // Who asked is gone: the node never sees it.
      if (response.destroyed) return
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(this.#target, { method: 'POST', headers, body: new Uint8Array(body) })
      const text = await answer.text()
      await this.#stop(asked, 'answer')
      response.writeHead(answer.status, headers).end(text)
    } catch {
      response.destroy()
    }
  }

  async #stop(request: RpcRequest, when: Hold['when']): Promise<void> {
    const hold = [...this.#holds].find((candidate) => candidate.when === when && candidate.matches(request))
    hold?.arrive(request)
    await hold?.released
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
