import { equal } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { OWNER, PASSWORD } from './commands.ts'
import type { Handle, TpmConnection } from './commands.ts'
import { TpmError } from './error.ts'
import { sha256Name } from './name.ts'
import { encodeNvPublic, NV, readNvPublic, type NvPublic } from './nv-public.ts'
import { unwrap, withPersistent } from './objects.ts'
import { hasRc, RC } from './rc.ts'

const COUNTER_BYTES = 8
const MAX_NAME = 66
const TPM2B_LENGTH_BYTES = 2

/**
 * The value of the NV counter (TPM 2.0 Part 1, "NV Counter Index"): 0n before the first increment, and where there is
 * no counter yet.
 *
 * @param nvIndex 0x01……
 * @param session authorises with the counter's empty value: PASSWORD, or a session of `withHostSession`, without which
 *   nothing shows that the value is the TPM's. That there is no counter yet, nothing shows.
 * @throws TpmError `NV_UNSUITABLE`
 */
export function readCounter(connection: TpmConnection, nvIndex: number, session: Handle): bigint {
  return withPersistent(connection, nvIndex, (index) => readValue(connection, nvIndex, index, session)) ?? 0n
}

/**
 * Adds one to the NV counter, which is made where there is none, and returns its new value. A counter that is made
 * anew starts above each value that a counter of this TPM has ever had.
 *
 * @param session as for `readCounter`
 * @throws TpmError `NV_UNSUITABLE`
 */
export function incrementCounter(connection: TpmConnection, nvIndex: number, session: Handle): bigint {
  const increment = (index: Handle): bigint => {
    requireCounter(connection, nvIndex, index)
    connection.commands.NV_Increment(index, index, [session])
    return readValue(connection, nvIndex, index, session)
  }
  const value = withPersistent(connection, nvIndex, increment)
  if (value !== undefined) return value
  const [defined] = connection.commands.NV_DefineSpace(OWNER, [PASSWORD], null, encodeNvPublic(counterAt(nvIndex)))
  connection.forget(defined)
  const first = withPersistent(connection, nvIndex, increment)
  if (first === undefined) throw new TpmError('RESPONSE_UNEXPECTED', 'the NV counter is gone as soon as it was made')
  return first
}

/** noDA, because anyone may use the counter: it has no authorisation value that could be guessed. */
function counterAt(nvIndex: number): NvPublic {
  return {
    index: nvIndex,
    nameAlgorithm: TPM_ALG.SHA256,
    attributes: NV.COUNTER | NV.AUTHREAD | NV.AUTHWRITE | NV.NO_DA,
    authPolicy: new Uint8Array(),
    size: COUNTER_BYTES,
  }
}

function readValue(connection: TpmConnection, nvIndex: number, index: Handle, session: Handle): bigint {
  requireCounter(connection, nvIndex, index)
  try {
    const [tpm2bData] = connection.commands.NV_Read(index, index, [session], COUNTER_BYTES, 0)
    return new Reader(unwrap('NV counter', tpm2bData, COUNTER_BYTES)).u64()
  } catch (error) {
    if (hasRc(error, RC.NV_UNINITIALIZED)) return 0n
    throw error
  }
}

/**
 * By the name of what tpm2-tss has kept for the index: that is what a session's HMACs cover, and it says all of the public
 * area, which nothing protects when it is read.
 */
function requireCounter({ commands }: TpmConnection, nvIndex: number, index: Handle): void {
  const expected = counterAt(nvIndex)
  const kept = unwrap('TPM2B_NAME', commands.TR_GetName(index)[0], MAX_NAME)
  const { attributes } = expected
  if ([0, NV.WRITTEN].some((written) => equal(kept, nameOf({ ...expected, attributes: attributes | written })))) return
  const found = readNvPublic(commands, index)
  const [wanted, is] = [attributes.toString(16), ((found.attributes & ~NV.WRITTEN) >>> 0).toString(16)]
  throw new TpmError(
    'NV_UNSUITABLE',
    `at NV index 0x${nvIndex.toString(16)}: expected a counter with the attributes 0x${wanted}, found 0x${is}`,
  )
}

function nameOf(area: NvPublic): Uint8Array {
  return sha256Name(encodeNvPublic(area).subarray(TPM2B_LENGTH_BYTES))
}
