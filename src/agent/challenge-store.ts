import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hex } from '../core/bytes.ts'
import { EnrolError } from './enrol-error.ts'
import { OPEN_CHALLENGE, type OpenChallenge } from './enrol-file.ts'
import { requestHashOf } from './enrol-hash.ts'
import { CLOCK_SKEW_S, MAX_REQUEST_LIFE_S } from './enrol-life.ts'
import { secondsOf } from './registrar.ts'

const STORED = /^0x[0-9a-f]{64}\.(?:open|used|[0-9a-f-]{36}\.partial)$/
const PRUNE_AFTER_S = 86_400n

/**
 * The registrar's challenges, one file each in a directory of its own: `HASH.open` until it is answered, `HASH.used` from then on,
 * by the request's hash. So there is one challenge for a request, and one registration for a challenge, whatever runs at the
 * same time. `prune` deletes what has expired, so that the directory does not grow for ever.
 *
 * Whoever reads an open one could answer without the TPM: the directory is for its owner alone.
 */
export class ChallengeStore {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Makes the directory where it is missing. A challenge takes its name only when it is whole: where that fails, as on a full
   * disk, the request can be challenged again.
   *
   * @throws EnrolError `ENROL_REQUEST_REPLAYED` where the request was challenged before
   */
  async add(challenge: OpenChallenge): Promise<void> {
    const hash = requestHashOf(challenge.request)
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    if (await exists(this.#used(hash))) throw replayed(hash)
    const partial = join(this.#directory, `${hash}.${randomUUID()}.partial`)
    try {
      await writeWhole(partial, OPEN_CHALLENGE.encode(challenge))
      // Unlike a rename, a link takes no name that is taken.
      await link(partial, this.#open(hash))
    } catch (cause) {
      throw isCode(cause, 'EEXIST') ? replayed(hash, cause) : cause
    } finally {
      await rm(partial, { force: true })
    }
  }

  /**
   * Deletes what nobody can use any more: challenges that have expired, whose request has, too, so that neither is taken without
   * the file. A day is left for a clock that was wrong. What cannot be parsed, which a process that was ended in the middle leaves
   * behind, goes once it is older than any file may count.
   */
  async prune(now: Date): Promise<void> {
    const nowS = secondsOf(now)
    for (const name of await namesIn(this.#directory)) {
      const path = join(this.#directory, name)
      const until = await lastSecondOf(path)
      if (until !== undefined && until + PRUNE_AFTER_S < nowS) await unlink(path).catch(ignoreMissing)
    }
  }

  /** Takes a challenge back that was never given to anybody. */
  async withdraw(requestHash: Hex): Promise<void> {
    await unlink(this.#open(requestHash))
  }

  /** @throws EnrolError `CHALLENGE_UNKNOWN`, `CHALLENGE_USED` */
  async find(requestHash: Hex): Promise<OpenChallenge> {
    try {
      return OPEN_CHALLENGE.parse(await readFile(this.#open(requestHash), 'utf8'))
    } catch (cause) {
      if (!isCode(cause, 'ENOENT')) throw cause
      if (await exists(this.#used(requestHash))) throw used(requestHash, cause)
      const text = `this registrar has made no challenge for the request ${requestHash}`
      throw new EnrolError('CHALLENGE_UNKNOWN', text, { cause })
    }
  }

  /** A challenge that was used; undefined where it was not. */
  async findUsed(requestHash: Hex): Promise<OpenChallenge | undefined> {
    try {
      return OPEN_CHALLENGE.parse(await readFile(this.#used(requestHash), 'utf8'))
    } catch (cause) {
      if (isCode(cause, 'ENOENT')) return undefined
      throw cause
    }
  }

  /**
   * Does something with a challenge that nobody else does or did. Where it fails the challenge is open again; where the process
   * ends within, it counts as used: `enrolledBy` tells whether the host was entered, and if not, it makes another request.
   *
   * @throws EnrolError `CHALLENGE_USED`, and what `work` throws
   */
  async use<T>(requestHash: Hex, work: () => Promise<T>): Promise<T> {
    const [from, to] = [this.#open(requestHash), this.#used(requestHash)]
    await rename(from, to).catch((cause: unknown) => {
      throw isCode(cause, 'ENOENT') ? used(requestHash, cause) : cause
    })
    try {
      return await work()
    } catch (cause) {
      await rename(to, from)
      throw cause
    }
  }

  #open(hash: Hex): string {
    return join(this.#directory, `${hash}.open`)
  }

  #used(hash: Hex): string {
    return join(this.#directory, `${hash}.used`)
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The files of a store, and no others. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => STORED.test(name))
  } catch (cause) {
    if (isCode(cause, 'ENOENT')) return []
    throw cause
  }
}

/** The last second for which a file is needed; undefined where somebody else deleted it meanwhile. */
async function lastSecondOf(path: string): Promise<bigint | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    const { mtime } = await stat(path)
    return challengeIn(text) ?? secondsOf(mtime) + MAX_REQUEST_LIFE_S + CLOCK_SKEW_S
  } catch (cause) {
    if (isCode(cause, 'ENOENT')) return undefined
    throw cause
  }
}

function challengeIn(text: string): bigint | undefined {
  try {
    const { expires, request } = OPEN_CHALLENGE.parse(text)
    return expires > request.expires ? expires : request.expires
  } catch (cause) {
    if (cause instanceof EnrolError) return undefined
    throw cause
  }
}

function ignoreMissing(cause: unknown): void {
  if (!isCode(cause, 'ENOENT')) throw cause
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (cause) {
    if (isCode(cause, 'ENOENT')) return false
    throw cause
  }
}

function isCode(cause: unknown, code: string): boolean {
  return (cause as NodeJS.ErrnoException).code === code
}

function replayed(hash: Hex, cause?: unknown): EnrolError {
  const text = `this registrar has challenged the request ${hash} before: make another request`
  return new EnrolError('ENROL_REQUEST_REPLAYED', text, { cause })
}

function used(hash: Hex, cause: unknown): EnrolError {
  return new EnrolError('CHALLENGE_USED', `the challenge for the request ${hash} was answered before`, { cause })
}
