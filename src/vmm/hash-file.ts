import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { VmmError } from './error.ts'

/**
 * SHA-256 of a file's content (links are followed), read as a stream.
 *
 * @throws VmmError `COMPONENT_INVALID` when it is not a regular file; the file system's own error when it is not there
 */
export async function hashFile(path: string): Promise<Uint8Array> {
  // Without O_NONBLOCK, a pipe put in the file's place would hold this for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    if (!(await file.stat()).isFile()) throw new VmmError('COMPONENT_INVALID', `${path} is not a regular file`)
    const hash = createHash('sha256')
    for await (const chunk of file.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) {
      hash.update(chunk as Uint8Array)
    }
    return new Uint8Array(hash.digest())
  } finally {
    await file.close()
  }
}
