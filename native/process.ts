import koffi from 'koffi'

const PR_SET_PDEATHSIG = 1
const PR_GET_DUMPABLE = 3
const PR_SET_DUMPABLE = 4
const SIGKILL = 9

/**
 * Forbids core dumps of this process, and other processes of its user to read its memory or to trace it (prctl(2),
 * PR_SET_DUMPABLE).
 *
 * @throws Error when the kernel refuses
 */
export function undumpable(): void {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) !== 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) !== 0) {
    throw new Error(`the process cannot be made undumpable (errno ${koffi.errno()})`)
  }
}

/**
 * Has the kernel kill this process when its parent ends, even while it hangs in a native call and answers nothing
 * (prctl(2), PR_SET_PDEATHSIG). A parent that ended before this call is not noticed.
 *
 * @throws Error when the kernel refuses
 */
export function endWithParent(): void {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) !== 0) {
    throw new Error(`the process cannot be tied to its parent (errno ${koffi.errno()})`)
  }
}

const prctl = koffi.load('libc.so.6').func('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']) as (
  option: number,
  ...rest: readonly number[]
) => number
