import koffi from 'koffi'
import { CodedError } from '../src/core/error.ts'

/**
 * What kind of pages a region has.
 *
 * - `memfd_secret` the kernel itself has no mapping of them: no other process reads them through /proc/PID/mem,
 *   process_vm_readv or ptrace, and they are in no core dump (memfd_secret(2))
 * - `locked` never swapped, and left out of core dumps; root can read them
 */
export type SecretMemoryKind = 'memfd_secret' | 'locked'

/** Pages for plaintext and PINs. Protects against passive reads only: what runs inside this process can read them. */
export interface SecretRegion {
  readonly kind: SecretMemoryKind
  /** The pages, zero at first. Empty once the region was closed, and so is every view of it. */
  readonly buffer: Buffer
  /** Wipes the pages and gives them back. Does nothing the second time. */
  close(): void
}

/** `LIMIT`: the process may not lock as much memory. `FAILED`: the kernel refused for another reason. */
export class SecretMemoryError extends CodedError<'LIMIT' | 'FAILED'> {}

/**
 * Opens a region of secret memory, with the strongest kind of pages that this kernel gives.
 *
 * @param size in bytes, at least 1
 * @param kind `locked` asks for the weaker kind although the stronger may be there
 * @throws SecretMemoryError
 */
export function openSecretRegion(size: number, kind: SecretMemoryKind = 'memfd_secret'): SecretRegion {
  if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`${size} is no size for a region`)
  const secret = kind === 'memfd_secret' ? mapSecret(size) : undefined
  const address = secret ?? mapLocked(size)
  // What is not the size of the region stays outside of the view: mappings are whole pages.
  const buffer = Buffer.from(koffi.view(address, size))
  return {
    kind: secret === undefined ? 'locked' : 'memfd_secret',
    get buffer() {
      return buffer
    },
    close() {
      if (buffer.length === 0) return
      explicit_bzero(address, size)
      // Detaches the memory from `buffer` and all its views: touching pages that are not mapped would end the process.
      buffer.buffer.transfer()
      munmap(address, size)
    },
  }
}

/** @returns nothing where the kernel has no memfd_secret, or has it switched off */
function mapSecret(size: number): bigint | undefined {
  const fd = memfd_secret(SYS_MEMFD_SECRET, O_CLOEXEC)
  if (fd < 0) return undefined
  try {
    if (ftruncate(fd, size) !== 0) throw failure('ftruncate')
    const address = mmap(null, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    if (address === MAP_FAILED) throw failure('mmap')
    advise(address, size, MADV_DONTFORK)
    return address
  } finally {
    // At once: while it is open another process could take it (pidfd_getfd) and map the pages itself.
    closeFd(fd)
  }
}

function mapLocked(size: number): bigint {
  const address = mmap(null, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  if (address === MAP_FAILED) throw failure('mmap')
  if (mlock(address, size) !== 0) {
    const error = failure('mlock')
    munmap(address, size)
    throw error
  }
  advise(address, size, MADV_DONTDUMP)
  advise(address, size, MADV_WIPEONFORK)
  return address
}

function advise(address: bigint, size: number, advice: number): void {
  if (madvise(address, size, advice) === 0) return
  const error = failure('madvise')
  munmap(address, size)
  throw error
}

function failure(call: string): SecretMemoryError {
  const errno = koffi.errno()
  const { EAGAIN, ENOMEM, EPERM } = koffi.os.errno
  const code = [EAGAIN, ENOMEM, EPERM].includes(errno) ? 'LIMIT' : 'FAILED'
  return new SecretMemoryError(code, `no secret memory: ${call} failed (errno ${errno})`)
}

// asm/unistd.h, asm-generic/fcntl.h, linux/mman.h
const SYS_MEMFD_SECRET = 447
const O_CLOEXEC = 0o2000000
const PROT_READ = 1
const PROT_WRITE = 2
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = 0x20
const MAP_FAILED = 0xffff_ffff_ffff_ffffn
const MADV_DONTFORK = 10
const MADV_DONTDUMP = 16
const MADV_WIPEONFORK = 18

const libc = koffi.load('libc.so.6')
const memfd_secret = libc.func('syscall', 'long', ['long', 'uint']) as (number: number, flags: number) => number
const ftruncate = libc.func('ftruncate', 'int', ['int', 'long']) as (fd: number, size: number) => number
const closeFd = libc.func('close', 'int', ['int']) as (fd: number) => number
const mmap = libc.func('mmap', 'uintptr_t', ['void *', 'size_t', 'int', 'int', 'int', 'long']) as (
  address: null,
  size: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => bigint
const onPages = (name: string, result: string, ...rest: string[]) =>
  libc.func(name, result, ['uintptr_t', 'size_t', ...rest])
const munmap = onPages('munmap', 'int') as (address: bigint, size: number) => number
const mlock = onPages('mlock', 'int') as (address: bigint, size: number) => number
const madvise = onPages('madvise', 'int', 'int') as (address: bigint, size: number, advice: number) => number
const explicit_bzero = onPages('explicit_bzero', 'void') as (address: bigint, size: number) => void
