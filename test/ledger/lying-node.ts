import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How one answer of the honest node is changed; `result` is what it said. */
export type Lie = (result: unknown, params: readonly unknown[]) => unknown

/** The error that a call is answered with, undefined for none. */
export type Refusal = (params: readonly unknown[]) => { readonly code: number; readonly message: string } | undefined

/** A node between an honest one and its client, which lies about what it is told to, or answers as no node should. */
export interface LyingNode {
  readonly rpc: string
  /** Changes every later answer to a method. */
  lie(method: string, lie: Lie): void
  /** Answers later calls of a method with an error where one is given, and does not pass them on. */
  refuse(method: string, refusal: Refusal): void
  /** Takes over every later answer as a whole. */
  answer(respond: (response: ServerResponse, id: number) => void): void
  /** From here on it tells the truth. */
  beHonest(): void
  stop(): Promise<void>
}

export async function startLyingNode(honest: string): Promise<LyingNode> {
  const lies = new Map<string, Lie>()
  const refusals = new Map<string, Refusal>()
  let whole: ((response: ServerResponse, id: number) => void) | undefined
  const server = createServer((request, response) => {
    void body(request).then(async (text) => {
      const { id, method, params } = JSON.parse(text) as { id: number; method: string; params: readonly unknown[] }
      if (whole !== undefined) return whole(response, id)
      const error = refusals.get(method)?.(params)
      if (error !== undefined) return void response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
      const answer = await fetch(honest, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
      })
      const told = (await answer.json()) as Record<string, unknown>
      const lie = lies.get(method)
      if (lie !== undefined && 'result' in told) told['result'] = lie(told['result'], params)
      response.end(JSON.stringify(told))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    rpc: `http://127.0.0.1:${port}`,
    lie: (method, lie) => void lies.set(method, lie),
    refuse: (method, refusal) => void refusals.set(method, refusal),
    answer: (respond) => (whole = respond),
    beHonest: () => {
      lies.clear()
      refusals.clear()
      whole = undefined
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function body(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
