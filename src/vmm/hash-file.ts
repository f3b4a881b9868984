import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { VmmError } from './error.ts'

const CHUNK = 1 << 20

/**
 * SHA-256 of a file's content (links are followed), read piece by piece.
 *
 * @throws VmmError `COMPONENT_INVALID` when it is not a regular file; the file system's own error when it is not there
 */
export async function hashFile(path: string): Promise<Uint8Array> {
  // Without O_NONBLOCK, a pipe put in the file's place would hold this for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new VmmError('COMPONENT_INVALID', `${path} is not a regular file`)
    const hash = createHash('sha256')
    // Most files are small, and a stream for each costs several times what reading it does.
    const buffer = Buffer.allocUnsafe(Math.min(stats.size + 1, CHUNK))
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) break
      hash.update(buffer.subarray(0, bytesRead))
    }
    return new Uint8Array(hash.digest())
  } finally {
    await file.close()
  }
}
