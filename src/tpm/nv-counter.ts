import { Reader } from '../core/reader.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { OWNER, PASSWORD } from './commands.ts'
import type { Handle, TpmConnection } from './commands.ts'
import { TpmError } from './error.ts'
import { encodeNvPublic, NV, readNvPublic, type NvPublic } from './nv-public.ts'
import { unwrap, withPersistent } from './objects.ts'
import { hasRc, RC } from './rc.ts'

const COUNTER_BYTES = 8

/**
 * The value of the NV counter (TPM 2.0 Part 1, "NV Counter Index"): 0n before the first increment, and where there is
 * no counter yet.
 *
 * @param nvIndex 0x01……
 * @throws TpmError `NV_UNSUITABLE`
 */
export function readCounter(connection: TpmConnection, nvIndex: number): bigint {
  return withPersistent(connection, nvIndex, (index) => readValue(connection, nvIndex, index)) ?? 0n
}

/**
 * Adds one to the NV counter, which is made where there is none, and returns its new value. A counter that is made
 * anew starts above each value that a counter of this TPM has ever had.
 *
 * @throws TpmError `NV_UNSUITABLE`
 */
export function incrementCounter(connection: TpmConnection, nvIndex: number): bigint {
  const increment = (index: Handle): bigint => {
    requireCounter(connection, nvIndex, index)
    connection.commands.NV_Increment(index, index, [PASSWORD])
    return readValue(connection, nvIndex, index)
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

function readValue(connection: TpmConnection, nvIndex: number, index: Handle): bigint {
  requireCounter(connection, nvIndex, index)
  try {
    const [tpm2bData] = connection.commands.NV_Read(index, index, [PASSWORD], COUNTER_BYTES, 0)
    return new Reader(unwrap('NV counter', tpm2bData, COUNTER_BYTES)).u64()
  } catch (error) {
    if (hasRc(error, RC.NV_UNINITIALIZED)) return 0n
    throw error
  }
}

function requireCounter({ commands }: TpmConnection, nvIndex: number, index: Handle): void {
  const expected = counterAt(nvIndex)
  const found = readNvPublic(commands, index)
  const attributes = (found.attributes & ~NV.WRITTEN) >>> 0
  if (attributes === expected.attributes && found.size === expected.size && found.index === nvIndex) return
  const [wanted, is] = [expected.attributes.toString(16), attributes.toString(16)]
  throw new TpmError(
    'NV_UNSUITABLE',
    `at NV index 0x${nvIndex.toString(16)}: expected a counter with the attributes 0x${wanted}, found 0x${is}`,
  )
}
