import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import { bankOf, BANKS, type BankName, type PcrValues } from '../tcg/bank.ts'
import type { TpmConnection } from './commands.ts'
import { TpmError } from './error.ts'
import { pcrRead } from './pcr-read.ts'

/** The values of every PCR of every bank that is allocated. */
export type PcrBanks = ReadonlyMap<BankName, PcrValues>

const TPM_CAP_PCRS = 0x00000005
/** As many banks as a TPML_PCR_SELECTION may have, and select bytes (TPM 2.0 Part 2, 10.9.7, 10.6.1). */
const MAX_BANKS = 16
const MAX_SELECT_BYTES = 4
const MAX_ATTEMPTS = 8

interface Allocated {
  readonly algorithm: number
  readonly pcrs: readonly number[]
  readonly selectBytes: number
}

/**
 * Reads all PCRs of each bank that the TPM has allocated, all of one moment: where the TPM's update counter moves meanwhile,
 * everything is read again. Banks whose algorithm is not known are left out.
 *
 * @throws TpmError `PCRS_MOVING`, `RESPONSE_UNEXPECTED`
 */
export function readPcrBanks(connection: TpmConnection): PcrBanks {
  const [, data] = connection.commands.GetCapability([], TPM_CAP_PCRS, 0, 1)
  const reader = new Reader(data)
  if (reader.u32() !== TPM_CAP_PCRS) throw new TpmError('RESPONSE_UNEXPECTED', 'expected the capability of PCRs')
  const allocated = readAllocated(reader)
  reader.end('TPML_PCR_SELECTION')
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const banks = readOnce(connection, allocated)
    if (banks !== undefined) return banks
  }
  throw new TpmError('PCRS_MOVING', `the PCRs changed during each of ${MAX_ATTEMPTS} attempts to read them`)
}

function readOnce(connection: TpmConnection, allocated: readonly Allocated[]): PcrBanks | undefined {
  const banks = new Map<BankName, PcrValues>()
  let counter: number | undefined
  for (const { algorithm, pcrs, selectBytes } of allocated) {
    const bank = bankOf(algorithm)
    if (bank === undefined || pcrs.length === 0) continue
    const values = new Map<number, Uint8Array>()
    for (let left = pcrs; left.length > 0; left = pcrs.filter((pcr) => !values.has(pcr))) {
      const selection = encode({ algorithm, pcrs: left, selectBytes })
      const part = pcrRead(connection, selection, readAllocated, BANKS[bank].length)
      if (counter !== undefined && part.updateCounter !== counter) return undefined
      counter = part.updateCounter
      const [given, ...others] = part.given
      const known = given?.algorithm === algorithm && given.pcrs.every((pcr) => left.includes(pcr))
      const isWhole = part.values.length > 0 && part.values.length === given?.pcrs.length && others.length === 0
      if (!known || !isWhole) {
        throw new TpmError('RESPONSE_UNEXPECTED', `expected values of the PCRs ${left.join(',')} of ${bank}`)
      }
      part.values.forEach((value, i) => values.set(given.pcrs[i] ?? -1, value))
    }
    banks.set(bank, values)
  }
  return banks
}

/** A TPML_PCR_SELECTION of any banks; the selections that quotes have are stricter (`decodePcrSelections`). */
function readAllocated(reader: Reader): readonly Allocated[] {
  const count = reader.u32()
  if (count > MAX_BANKS)
    throw new TpmError('RESPONSE_UNEXPECTED', `expected at most ${MAX_BANKS} banks, found ${count}`)
  const banks = Array.from({ length: count }, () => {
    const [algorithm, selectBytes] = [reader.u16(), reader.u8()]
    if (selectBytes > MAX_SELECT_BYTES) {
      throw new TpmError(
        'RESPONSE_UNEXPECTED',
        `expected at most ${MAX_SELECT_BYTES} select bytes, found ${selectBytes}`,
      )
    }
    const select = reader.bytes(selectBytes)
    const pcrs = Array.from({ length: 8 * selectBytes }, (_, pcr) => pcr)
    return { algorithm, selectBytes, pcrs: pcrs.filter((pcr) => ((select[pcr >> 3] ?? 0) >> (pcr & 7)) & 1) }
  })
  return banks
}

function encode({ algorithm, pcrs, selectBytes }: Allocated): Uint8Array {
  const select = new Uint8Array(selectBytes)
  for (const pcr of pcrs) select[pcr >> 3] = (select[pcr >> 3] ?? 0) | (1 << (pcr & 7))
  return new Writer().u32(1).u16(algorithm).u8(selectBytes).bytes(select).finish()
}
