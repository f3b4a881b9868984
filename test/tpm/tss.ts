import { Reader } from '../../src/core/reader.ts'
import { Writer } from '../../src/core/writer.ts'
import { PASSWORD } from '../../src/tpm/commands.ts'
import { loadTss } from '../../native/tss-library.ts'
import { Tss } from '../../native/tss.ts'

/** Handles of what the TPM holds. */
export interface Held {
  readonly transient: readonly number[]
  readonly sessions: readonly number[]
  readonly persistent: readonly number[]
  readonly nv: readonly number[]
}

/** Works on a TPM directly, past everything that is under test but native/. */
export function withTss<T>(tcti: string, work: (tss: Tss) => T): T {
  const tss = new Tss(loadTss(), tcti)
  try {
    return work(tss)
  } finally {
    tss.close()
  }
}

/** What a TPM holds now. */
export function held(tcti: string): Held {
  return withTss(tcti, ({ commands }) => {
    const list = (first: number): number[] => {
      const reader = new Reader(commands.GetCapability([], 1, first, 64)[1])
      reader.u32()
      return Array.from({ length: reader.u32() }, () => reader.u32())
    }
    const [transient, sessions, persistent, nv] = [0x80000000, 0x02000000, 0x81000000, 0x01000000].map(list)
    return { transient: transient ?? [], sessions: sessions ?? [], persistent: persistent ?? [], nv: nv ?? [] }
  })
}

/** Makes a primary key without authorisation; the caller flushes it. @returns handle and TPM2B_PUBLIC */
export function createPrimary(
  commands: Tss['commands'],
  hierarchy: number,
  template: Uint8Array,
): [number, Uint8Array] {
  const sensitive = Uint8Array.of(0, 4, 0, 0, 0, 0)
  const tpm2bPublic = new Writer().sized16(template).finish()
  return commands.CreatePrimary(hierarchy, [PASSWORD], sensitive, tpm2bPublic, Uint8Array.of(0, 0), new Uint8Array(4))
}
