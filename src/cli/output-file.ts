import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { UsageError } from './error.ts'
import { fileFault } from './file-fault.ts'

/**
 * A file that will hold what an operation gives. It is opened before the operation is asked for, so that nothing is done, and put
 * on record, whose result could not be kept; and it takes its name only when it is whole.
 */
export class OutputFile {
  readonly path: string
  readonly #partial: string
  readonly #handle: FileHandle

  private constructor(path: string, partial: string, handle: FileHandle) {
    this.path = path
    this.#partial = partial
    this.#handle = handle
  }

  /** @throws UsageError FILE_UNWRITABLE; nothing was asked of anybody then */
  static async open(name: string, mode = 0o600): Promise<OutputFile> {
    const path = resolve(name)
    const partial = `${path}.partial`
    try {
      await rm(partial, { force: true })
      return new OutputFile(path, partial, await open(partial, 'wx', mode))
    } catch (cause) {
      throw new UsageError('FILE_UNWRITABLE', `cannot write ${path}: ${fileFault(cause)}`, { cause })
    }
  }

  /** Writes the content, and gives the file its name in place of what had it. @throws UsageError FILE_UNWRITABLE */
  async keep(content: string | Uint8Array): Promise<void> {
    try {
      await this.#handle.writeFile(content)
      await this.#handle.sync()
      await this.#handle.close()
      await rename(this.#partial, this.path)
    } catch (cause) {
      throw new UsageError('FILE_UNWRITABLE', `cannot write ${this.path}: ${fileFault(cause)}`, { cause })
    }
  }

  /** Removes what there is of it; nothing where it was kept. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
    await rm(this.#partial, { force: true })
  }
}
