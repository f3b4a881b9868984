import { randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { CodedError, messageOf } from '../core/error.ts'
import type { DigestSigner } from '../ledger/signer.ts'
import type { Domain } from '../record/eip712.ts'
import { ZERO_HASH, hashInput, operationId } from '../record/hash.ts'
import { stringify } from '../record/json.ts'
import { parseReceipt, type SignedRequest } from '../record/parse.ts'
import type { Receipt } from '../record/receipt.ts'
import { requestHash, type OperationRequest } from '../record/request.ts'

export type { SignedRequest } from '../record/parse.ts'

/** The agent could not be reached, or answered what cannot be read. */
export class ClientError extends CodedError<'AGENT_UNREACHABLE' | 'ANSWER_INVALID'> {}

/** The agent's refusal, or its failure, with the agent's own code. */
export class OperationRefused extends CodedError {
  /** HTTP status of the answer. */
  readonly status: number
  /** The answer's whole JSON; untrusted. */
  readonly answer: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, status: number, answer: Readonly<Record<string, unknown>>) {
    super(code, message)
    this.status = status
    this.answer = answer
  }
}

/** One of the ten steps of an operation, as the agent tells it. */
export interface Step {
  readonly step: number
  readonly name: string
  readonly ok: boolean
  readonly ms: number
  readonly detail?: string
}

/** What an agent answers to an operation that was done. The result is plaintext or ciphertext: the caller's to wipe. */
export interface OperationAnswer {
  readonly result: Uint8Array
  readonly receipt: Receipt
  readonly transaction: { readonly hash: Hex; readonly blockNumber: string } | null
  readonly steps: readonly Step[]
}

/** What is asked for. */
export interface OperationOrder {
  readonly operation: string
  readonly dataId: Hex
  readonly grantId?: Hex
  readonly hostId: Hex
  readonly input: Uint8Array
  /** Seconds since the epoch; by default five minutes from now. */
  readonly expiry?: bigint
}

/** Makes and signs a request for one operation. */
export async function signRequest(domain: Domain, signer: DigestSigner, order: OperationOrder): Promise<SignedRequest> {
  const salt = toHex(randomBytes(32))
  const request: OperationRequest = {
    operationId: operationId(order.operation),
    dataId: order.dataId,
    grantId: order.grantId ?? ZERO_HASH,
    inputHash: hashInput(salt, order.input),
    hostId: order.hostId,
    nonce: toHex(randomBytes(32)),
    expiry: order.expiry ?? BigInt(Math.floor(Date.now() / 1000) + 300),
  }
  return { request, signature: await signer.signDigest(fromHex(requestHash(domain, request))), salt }
}

/**
 * Sends a signed request to an agent and waits for its answer.
 *
 * @throws OperationRefused with the agent's code; ClientError AGENT_UNREACHABLE, ANSWER_INVALID
 */
export async function sendRequest(
  socket: string,
  signed: SignedRequest,
  input: Uint8Array,
  release?: string,
): Promise<OperationAnswer> {
  const header = Buffer.from(stringify(signed)).toString('base64url')
  const headers = {
    'attestry-request': header,
    'content-type': 'application/octet-stream',
    'content-length': String(input.length),
    ...(release === undefined ? {} : { 'attestry-release': release }),
  }
  const { response, body } = await exchange(socket, 'POST', '/v1/operations', headers, input)
  if (response.statusCode !== 200) throw refusalOf(response, body)
  const answer = parseJson(Buffer.from(String(response.headers['attestry-answer']), 'base64url'))
  try {
    return {
      result: body,
      receipt: parseReceipt(answer['receipt']),
      transaction: answer['transaction'] as OperationAnswer['transaction'],
      steps: answer['steps'] as readonly Step[],
    }
  } catch (cause) {
    throw new ClientError('ANSWER_INVALID', `the agent's answer cannot be read: ${messageOf(cause)}`, { cause })
  }
}

/** What the agent says about itself. */
export async function agentStatus(socket: string): Promise<Readonly<Record<string, unknown>>> {
  const { response, body } = await exchange(socket, 'GET', '/v1/status', {})
  if (response.statusCode !== 200) throw refusalOf(response, body)
  return parseJson(body)
}

async function exchange(
  socketPath: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: Uint8Array,
): Promise<{ response: IncomingMessage; body: Buffer }> {
  try {
    return await new Promise((resolve, reject) => {
      const request = httpRequest({ socketPath, method, path, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve({ response, body: Buffer.concat(chunks) }))
        response.on('error', reject)
      })
      request.on('error', reject)
      request.end(body)
    })
  } catch (cause) {
    throw new ClientError(
      'AGENT_UNREACHABLE',
      `no agent answers at ${socketPath} (${messageOf(cause)}): is it running? "attestry dev status" tells`,
      { cause },
    )
  }
}

function refusalOf(response: IncomingMessage, body: Buffer): Error {
  const answer = parseJson(body)
  const { code, message } = (answer['error'] ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code !== 'string' || typeof message !== 'string') {
    return new ClientError(
      'ANSWER_INVALID',
      `the agent answered with HTTP status ${response.statusCode ?? 0} and no reason`,
    )
  }
  return new OperationRefused(code, message, response.statusCode ?? 0, answer)
}

function parseJson(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Told below, like any other answer that is not an object.
  }
  throw new ClientError('ANSWER_INVALID', 'the agent answered with something that is not a JSON object')
}
