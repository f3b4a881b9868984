import { COMMANDS, type CommandName, type TssCommands } from './tss-commands.ts'
import { TssError } from './tss-error.ts'
import { structureOf, type MarshalFunctions, type TssLibrary } from './tss-library.ts'

/**
 * Larger than each structure of tpm2-tss, in C and on the wire; the largest, TPMS_CAPABILITY_DATA, has under 1.1 KiB.
 */
const SCRATCH_BYTES = 8192
const POINTER_BYTES = 8
const ESYS_TR_NONE = 0xfff

/** The connection modules that may be loaded: tctildr would open any file it is told, and `cmd` runs programs. */
const TCTI = /^(?:device|swtpm|mssim|tabrmd)(?::|$)/

/**
 * One ESYS context over one connection to a TPM. Synchronous, one command at a time. Nothing that the TPM holds is
 * flushed here: that is the caller's, before `close`.
 */
export class Tss {
  /** Each command of the table; handles are ESYS_TR, sessions at most three. @throws TssError */
  readonly commands: TssCommands
  readonly #library: TssLibrary
  readonly #context: bigint
  readonly #tcti: bigint
  #open = true

  /**
   * @param tcti a configuration for tctildr: `device:/dev/tpmrm0`, `swtpm:path=SOCKET`
   * @throws TssError `CALL_FAILED`
   */
  constructor(library: TssLibrary, tcti: string) {
    if (!TCTI.test(tcti)) {
      const text = `expected a TCTI that starts with device:, swtpm:, mssim: or tabrmd:, found '${tcti}'`
      throw new TssError('CALL_FAILED', text, { rc: TSS2_TCTI_RC_BAD_VALUE, command: 'TctiLdr_Initialize' })
    }
    this.#library = library
    const connection = Buffer.alloc(POINTER_BYTES)
    check(library, 'TctiLdr_Initialize', library.tctiInitialize(tcti, connection))
    this.#tcti = connection.readBigUInt64LE()
    const context = Buffer.alloc(POINTER_BYTES)
    try {
      check(library, 'Initialize', library.initialize(context, this.#tcti, null))
    } catch (error) {
      library.tctiFinalize(connection)
      throw error
    }
    this.#context = context.readBigUInt64LE()
    const commands = Object.keys(COMMANDS).map((name) => [
      name,
      (...inputs: readonly Input[]) => this.#call(name as CommandName, inputs),
    ])
    this.commands = Object.fromEntries(commands) as TssCommands
  }

  /** Forgets an object that stays in the TPM: only the context's memory of it is freed. @throws TssError */
  forget(object: number): void {
    const pointer = Buffer.alloc(4)
    pointer.writeUInt32LE(object)
    check(this.#library, 'TR_Close', this.#library.close(this.#usable(), pointer))
  }

  /** Ends the connection. Idempotent. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#library.finalize(pointerTo(this.#context))
    this.#library.tctiFinalize(pointerTo(this.#tcti))
  }

  #call(name: CommandName, inputs: readonly Input[]): (number | Uint8Array)[] {
    const context = this.#usable()
    const words = COMMANDS[name].split(' ')
    const rest = [...inputs]
    const results: { readonly word: string; readonly pointer: Buffer }[] = []
    const parameters = words.flatMap((word) => {
      if (word === '-') return [null]
      if (!word.startsWith('>')) return this.#parameters(name, word, rest.shift())
      const pointer = Buffer.alloc(POINTER_BYTES)
      results.push({ word: structureOf(word), pointer })
      return [pointer]
    })
    check(this.#library, name, this.#library.commands[name](context, ...parameters))
    return this.#results(name, results)
  }

  #parameters(name: CommandName, word: string, input: Input | undefined): unknown[] {
    if (word === '3s') {
      const sessions = input as readonly number[]
      if (sessions.length > 3) throw new RangeError(`${name}: expected at most 3 sessions, found ${sessions.length}`)
      return [0, 1, 2].map((i) => sessions[i] ?? ESYS_TR_NONE)
    }
    return [input instanceof Uint8Array ? this.#toStructure(name, word, input) : input]
  }

  /** Every pointer is freed, also where one before it cannot be marshalled. */
  #results(name: CommandName, results: readonly { word: string; pointer: Buffer }[]): (number | Uint8Array)[] {
    try {
      return results.map(({ word, pointer }) => {
        if (word === 'u8') return pointer.readUInt8()
        if (!isStructure(word)) return pointer.readUInt32LE()
        return this.#toWire(name, word, pointer.readBigUInt64LE())
      })
    } finally {
      for (const { word, pointer } of results) {
        if (isStructure(word)) this.#library.free(pointer.readBigUInt64LE())
      }
    }
  }

  #toStructure(name: CommandName, word: string, wire: Uint8Array): Buffer {
    // Unmarshal leaves some bytes of the destination as they are, so it must be zeroed.
    const structure = Buffer.alloc(SCRATCH_BYTES)
    const offset = Buffer.alloc(POINTER_BYTES)
    const { unmarshal } = this.#marshalFunctions(word)
    check(this.#library, `${name}: ${structureOf(word)}`, unmarshal(wire, wire.length, offset, structure))
    if (offset.readBigUInt64LE() !== BigInt(wire.length)) throw new RangeError(`${name}: ${word} has trailing bytes`)
    return structure
  }

  #toWire(name: CommandName, word: string, structure: bigint): Uint8Array {
    const wire = Buffer.alloc(SCRATCH_BYTES)
    const offset = Buffer.alloc(POINTER_BYTES)
    const { marshal } = this.#marshalFunctions(word)
    check(this.#library, `${name}: ${word}`, marshal(structure, wire, wire.length, offset))
    return Uint8Array.from(wire.subarray(0, Number(offset.readBigUInt64LE())))
  }

  #marshalFunctions(word: string): MarshalFunctions {
    const functions = this.#library.types.get(structureOf(word))
    if (functions === undefined) throw new TypeError(`${word} is no structure of the table`)
    return functions
  }

  #usable(): bigint {
    if (!this.#open) throw new TypeError('the TSS context is closed')
    return this.#context
  }
}

type Input = number | Uint8Array | readonly number[] | null

const TSS2_TCTI_RC_BAD_VALUE = 0x000a000b

function isStructure(word: string): boolean {
  return word.startsWith('TPM')
}

function pointerTo(address: bigint): Buffer {
  const pointer = Buffer.alloc(POINTER_BYTES)
  pointer.writeBigUInt64LE(address)
  return pointer
}

function check(library: TssLibrary, command: string, rc: number): void {
  if (rc === 0) return
  const text = `${command}: ${library.decode(rc)} (0x${rc.toString(16).padStart(8, '0')})`
  throw new TssError('CALL_FAILED', text, { rc, command })
}
