import type { IncomingMessage } from 'node:http'
import { inputTooLarge } from './admission.ts'
import { Refusal } from './refusal.ts'

const BODY_MS = 30_000
/** Of a body that is refused, this much is still read so that the client gets to see why. */
const DRAIN_BYTES = 64 << 20

/**
 * Reads a request's body into memory of its own, and wipes each piece that it came in.
 *
 * @returns the caller's to wipe
 * @throws Refusal REQUEST_MALFORMED without a length, INPUT_TOO_LARGE; the body has been read, so an answer will be seen
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const length = request.headers['content-length']
  if (length === undefined || !/^[0-9]{1,15}$/.test(length)) {
    await drain(request)
    throw new Refusal('REQUEST_MALFORMED', 'the header content-length is needed')
  }
  if (Number(length) > maxBytes) {
    await drain(request)
    throw inputTooLarge(maxBytes)
  }
  const body = new Uint8Array(Number(length))
  let filled = 0
  try {
    await consume(request, (piece) => {
      body.set(piece, filled)
      filled += piece.length
      piece.fill(0)
    })
  } catch (error) {
    body.fill(0)
    throw error
  }
  return body
}

/** Reads and drops a body of a sensible length; a longer one ends the connection. */
export async function drain(request: IncomingMessage): Promise<void> {
  let read = 0
  await consume(request, (piece) => {
    read += piece.length
    if (read > DRAIN_BYTES) throw new Refusal('INPUT_TOO_LARGE', 'the body is far too large')
  })
}

/** @throws where the body does not end in time, or the client goes away; the connection is ended then */
async function consume(request: IncomingMessage, take: (piece: Uint8Array) => void): Promise<void> {
  const timer = setTimeout(() => request.destroy(new Error('the body did not end in time')), BODY_MS)
  try {
    for await (const piece of request) take(piece as Uint8Array)
  } finally {
    clearTimeout(timer)
  }
}
