import { type FileHandle, constants, open } from 'node:fs/promises'
import { MAX_SECRET_BYTES } from '../device/protocol.ts'
import { Pkcs11Error } from './error.ts'

/** Of its mode: anything that group or others may do. */
const OTHERS = 0o077

/**
 * Reads the PIN from a file that only its owner may read: the whole content, but for one line end.
 *
 * @returns bytes that are the caller's to wipe
 * @throws Pkcs11Error PIN_FILE_MISSING, PIN_FILE_UNSAFE, PIN_FILE_INVALID
 */
export async function readPinFile(path: string): Promise<Uint8Array> {
  const file = await openForReading(path)
  try {
    // Of the file that is open, not of whatever the path names by now.
    const { mode, uid, size } = await file.stat()
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || (mode & OTHERS) !== 0 || !isTrusted(uid)) {
      throw new Pkcs11Error('PIN_FILE_UNSAFE', `${path} must be a file that only its owner may read (mode 0600)`)
    }
    if (size > MAX_SECRET_BYTES) throw invalid(path)
    const buffer = Buffer.alloc(MAX_SECRET_BYTES)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    const newline = bytesRead > 0 && buffer[bytesRead - 1] === 0x0a ? 1 : 0
    const pin = buffer.subarray(0, bytesRead - newline)
    if (pin.length === 0) throw invalid(path)
    return pin
  } finally {
    await file.close()
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    // Not blocking: a pipe in its place would otherwise hold the start for ever.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new Pkcs11Error('PIN_FILE_MISSING', `the PIN file ${path} cannot be opened`, {}, { cause })
  }
}

/** Its owner must be root or whoever runs this. */
function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.()
}

function invalid(path: string): Pkcs11Error {
  return new Pkcs11Error('PIN_FILE_INVALID', `${path} holds no PIN: expected 1 to ${MAX_SECRET_BYTES} bytes`)
}
