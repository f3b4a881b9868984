import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import type { Handle, TpmCommands, TpmConnection } from './commands.ts'
import { ENDORSEMENT, PASSWORD } from './commands.ts'
import { hasRc, isConnectionError, RC } from './rc.ts'

/** The largest TPMT_PUBLIC that is read, in bytes: an RSA-4096 key's is well below. */
const MAX_PUBLIC = 1024

/** An object in the TPM, with its public area. */
export interface TpmObject {
  readonly handle: Handle
  /** TPMT_PUBLIC. */
  readonly public: Uint8Array
}

/**
 * Works with a persistent object or an NV index, and gives its handle up afterwards.
 *
 * @param tpmHandle 0x81…… or 0x01……
 * @returns undefined when there is nothing at that handle; `work` was not called then
 */
export function withPersistent<T>(
  connection: TpmConnection,
  tpmHandle: number,
  work: (handle: Handle) => T,
): T | undefined {
  const handle = findPersistent(connection.commands, tpmHandle)
  return handle === undefined
    ? undefined
    : released(
        () => work(handle),
        () => connection.forget(handle),
      )
}

/** Makes a primary key in the endorsement hierarchy, works with it, and flushes it. */
export function withPrimary<T>({ commands }: TpmConnection, template: Uint8Array, work: (primary: TpmObject) => T): T {
  const [handle, tpm2bPublic] = commands.CreatePrimary(
    ENDORSEMENT,
    [PASSWORD],
    EMPTY_SENSITIVE,
    new Writer().sized16(template).finish(),
    EMPTY_TPM2B,
    NO_PCRS,
  )
  return withTransient(commands, handle, () => work({ handle, public: unwrapPublic(tpm2bPublic) }))
}

/** Works while a transient object or a session is there, and flushes it, also when the work fails. */
export function withTransient<T>(commands: TpmCommands, handle: Handle, work: () => T): T {
  return released(work, () => void commands.FlushContext(handle))
}

/** The TPMT_PUBLIC in a TPM2B_PUBLIC. */
export function unwrapPublic(tpm2bPublic: Uint8Array): Uint8Array {
  return unwrap('TPM2B_PUBLIC', tpm2bPublic, MAX_PUBLIC)
}

/** What is in a TPM2B, whole. */
export function unwrap(what: string, tpm2b: Uint8Array, max: number): Uint8Array {
  const reader = new Reader(tpm2b)
  const content = reader.sized16(max)
  reader.end(what)
  return content
}

const EMPTY_TPM2B = Uint8Array.of(0, 0)
/** TPM2B_SENSITIVE_CREATE: an empty authorisation value, no data. */
const EMPTY_SENSITIVE = Uint8Array.of(0, 4, 0, 0, 0, 0)
/** TPML_PCR_SELECTION of nothing. */
const NO_PCRS = Uint8Array.of(0, 0, 0, 0)

/** The handle of a persistent object or an NV index, undefined where there is none: its finder's to give up. */
export function findPersistent(commands: TpmCommands, tpmHandle: number): Handle | undefined {
  try {
    return commands.TR_FromTPMPublic(tpmHandle, [])[0]
  } catch (error) {
    if (hasRc(error, RC.HANDLE)) return undefined
    throw error
  }
}

/**
 * Does work and what must follow it. The work's own error goes before one of the release: where the connection is gone
 * both fail, and the first says why.
 */
export function released<T>(work: () => T, release: () => void): T {
  let result: T
  try {
    result = work()
  } catch (error) {
    if (!isConnectionError(error)) attempt(release)
    throw error
  }
  release()
  return result
}

/** Does what may fail: an error before it says why. */
export function attempt(release: () => void): void {
  try {
    release()
  } catch {
    // What is left behind is flushed when the connection is opened again, as it is after each error.
  }
}
