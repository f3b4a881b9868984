import type { Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { LedgerError } from './error.ts'

/** Something that answers JSON-RPC requests. What it answers is untrusted. */
export interface Rpc {
  /** @throws LedgerError UNAVAILABLE, RPC_REFUSED, RPC_INVALID */
  request(method: string, params: readonly unknown[]): Promise<unknown>
}

const MAX_ANSWER_BYTES = 33_554_432
const MAX_REVERT_CHARACTERS = 65_536

/**
 * One JSON-RPC endpoint over HTTP. Nothing is polled, batched or repeated behind the caller's back: each request is one
 * exchange with a deadline, so a node that is gone shows at once and one that is back is used at once.
 */
export class RpcEndpoint implements Rpc {
  readonly #url: URL
  readonly #timeoutMs: number
  readonly #closing = new AbortController()
  #lastId = 0

  /** @throws LedgerError ENDPOINT_INVALID */
  constructor(url: string, timeoutMs: number) {
    this.#url = parseUrl(url)
    this.#timeoutMs = timeoutMs
  }

  async request(method: string, params: readonly unknown[]): Promise<unknown> {
    const id = ++this.#lastId
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    return resultOf(method, id, await this.#exchange(method, body))
  }

  /** Ends what is under way with UNAVAILABLE, and whatever is asked later. */
  close(): void {
    this.#closing.abort(new Error('closed'))
  }

  async #exchange(method: string, body: string): Promise<string> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timeoutMs)])
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body,
        redirect: 'error',
        signal,
      })
      if (response.ok) return await boundedText(method, response)
      await response.body?.cancel()
      throw new Error(`HTTP status ${response.status}`)
    } catch (cause) {
      if (cause instanceof LedgerError) throw cause
      // The URL's path and query may hold an access token: only the host is named.
      const why = signal.aborted ? messageOf(signal.reason) : whyOf(cause)
      throw new LedgerError('UNAVAILABLE', `${method}: no answer from ${this.#url.host}: ${why}`, { cause })
    }
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new LedgerError('ENDPOINT_INVALID', 'expected the RPC endpoint as an http or https URL without credentials')
  }
  return url
}

async function boundedText(method: string, response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_ANSWER_BYTES) {
      throw new LedgerError('RPC_INVALID', `${method}: expected at most ${MAX_ANSWER_BYTES} bytes, found more`)
    }
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function resultOf(method: string, id: number, text: string): unknown {
  const answer = parseObject(text)
  if (answer?.['id'] === id) {
    const { error, result } = answer
    if (typeof error === 'object' && error !== null) throw refusal(method, error)
    if (error === undefined || error === null) if (result !== undefined) return result
  }
  throw new LedgerError('RPC_INVALID', `${method}: expected a JSON-RPC answer to request ${id}, found something else`)
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function refusal(method: string, error: object): LedgerError {
  const { code, message, data } = error as { code?: unknown; message?: unknown; data?: unknown }
  const said = typeof message === 'string' ? printable(message) : 'nothing'
  const number = typeof code === 'number' ? ` (${code})` : ''
  const isHex = typeof data === 'string' && data.length <= MAX_REVERT_CHARACTERS && /^0x(?:[0-9a-f]{2})*$/i.test(data)
  return new LedgerError('RPC_REFUSED', `${method}: the node refused${number}: ${said}`, {
    data: isHex ? (data.toLowerCase() as Hex) : undefined,
  })
}

/** Words from outside, fit for one line of a log. */
export function printable(text: string): string {
  return text.slice(0, 300).replace(/[^\x20-\x7e]/g, '?')
}

function whyOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code
  return printable(messageOf(thrown))
}
