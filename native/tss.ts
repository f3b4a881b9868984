import { COMMANDS, type CommandName, type TssCommands } from './tss-commands.ts'
import { TssError } from './tss-error.ts'
import { structureOf, type NativeFunction, type TctiFunctions, type TssLibrary } from './tss-library.ts'

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
  readonly #way: TctiFunctions
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
    this.#way = library.tctiFunctions(this.#tcti)
    const commands = Object.keys(COMMANDS).map((name) => {
      const plan = planOf(library, name as CommandName)
      return [name, (...inputs: readonly Input[]) => this.#call(plan, inputs)]
    })
    this.commands = Object.fromEntries(commands) as TssCommands
  }

  /** Forgets an object that stays in the TPM: only the context's memory of it is freed. @throws TssError */
  forget(object: number): void {
    const pointer = Buffer.alloc(4)
    pointer.writeUInt32LE(object)
    check(this.#library, 'TR_Close', this.#library.close(this.#usable(), pointer))
  }

  /**
   * Flushes what lies at a TPM handle and nobody has an ESYS_TR of: Esys makes one only of what has a public area to be
   * read, and a hash sequence has none. @throws TssError
   */
  flush(tpmHandle: number): void {
    const pointer = Buffer.alloc(POINTER_BYTES)
    check(this.#library, 'GetSysContext', this.#library.getSysContext(this.#usable(), pointer))
    check(this.#library, 'FlushContext', this.#library.sysFlush(pointer.readBigUInt64LE(), tpmHandle))
  }

  /**
   * Sends a command without handles and sessions past Esys (TPM 2.0 Part 1, 18.2 and 18.3): a small part of the work,
   * where the command is one that Esys would protect by nothing.
   *
   * @param name for errors
   * @param code TPM_CC
   * @param parameters their wire bytes, at most 1 KiB
   * @returns the parameters of the answer, untrusted
   * @throws TssError `CALL_FAILED`, with the codes that Esys and Sys would give
   */
  send(name: string, code: number, parameters: Uint8Array): Uint8Array {
    this.#usable()
    const size = HEADER_BYTES + parameters.length
    COMMAND.writeUInt16BE(TPM_ST_NO_SESSIONS, 0)
    COMMAND.writeUInt32BE(size, 2)
    COMMAND.writeUInt32BE(code, 6)
    COMMAND.set(parameters, HEADER_BYTES)
    check(this.#library, name, this.#way.transmit(this.#tcti, size, COMMAND))
    OFFSET[0] = BigInt(WIRE.length)
    check(this.#library, name, this.#way.receive(this.#tcti, OFFSET, WIRE, WAIT_FOR_EVER))
    const length = Number(OFFSET[0])
    if (length < HEADER_BYTES) check(this.#library, name, TSS2_SYS_RC_INSUFFICIENT_RESPONSE)
    if (WIRE.readUInt32BE(2) !== length) check(this.#library, name, TSS2_SYS_RC_MALFORMED_RESPONSE)
    check(this.#library, name, WIRE.readUInt32BE(6))
    if (WIRE.readUInt16BE(0) !== TPM_ST_NO_SESSIONS) check(this.#library, name, TSS2_SYS_RC_MALFORMED_RESPONSE)
    return new Uint8Array(WIRE.subarray(HEADER_BYTES, length))
  }

  /** Ends the connection. Idempotent. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#library.finalize(pointerTo(this.#context))
    this.#library.tctiFinalize(pointerTo(this.#tcti))
  }

  #call({ name, call, words, results }: Plan, inputs: readonly Input[]): (number | Uint8Array)[] {
    const parameters: unknown[] = [this.#usable()]
    let [next, scratch, result] = [0, 0, 0]
    for (const { word, kind, unmarshal } of words) {
      if (kind === 'unwanted') parameters.push(null)
      else if (kind === 'result') parameters.push(RESULTS[result++])
      else if (kind === 'sessions') parameters.push(...sessionsOf(name, inputs[next++] as readonly number[]))
      else {
        const input = inputs[next++]
        const isWire = unmarshal !== undefined && input instanceof Uint8Array
        parameters.push(isWire ? this.#toStructure(name, word, unmarshal, input, STRUCTURES[scratch++]) : input)
      }
    }
    check(this.#library, name, call(...parameters))
    return this.#results(name, results)
  }

  /** Every pointer is freed, also where one before it cannot be marshalled. */
  #results(name: CommandName, results: readonly Result[]): (number | Uint8Array)[] {
    const pointers = results.map((_, i) => RESULT_VALUES[i] ?? 0n)
    try {
      return results.map(({ word, marshal }, i) => {
        const value = pointers[i] ?? 0n
        if (marshal !== undefined) return this.#toWire(name, word, marshal, value)
        return Number(BigInt.asUintN(word === 'u8' ? 8 : 32, value))
      })
    } finally {
      results.forEach(({ marshal }, i) => {
        if (marshal !== undefined) this.#library.free(pointers[i])
      })
    }
  }

  #toStructure(
    name: CommandName,
    word: string,
    unmarshal: NativeFunction<number>,
    wire: Uint8Array,
    structure: Buffer | undefined,
  ): Buffer {
    if (structure === undefined) throw new TypeError(`${name} has more than ${STRUCTURES.length} structures`)
    // Unmarshal leaves some bytes of the destination as they are, so it must be zeroed.
    structure.fill(0)
    OFFSET[0] = 0n
    check(this.#library, `${name}: ${structureOf(word)}`, unmarshal(wire, wire.length, OFFSET, structure))
    if (OFFSET[0] !== BigInt(wire.length)) throw new RangeError(`${name}: ${word} has trailing bytes`)
    return structure
  }

  #toWire(name: CommandName, word: string, marshal: NativeFunction<number>, structure: bigint): Uint8Array {
    OFFSET[0] = 0n
    check(this.#library, `${name}: ${word}`, marshal(structure, WIRE, WIRE.length, OFFSET))
    return new Uint8Array(WIRE.subarray(0, Number(OFFSET[0])))
  }

  #usable(): bigint {
    if (!this.#open) throw new TypeError('the TSS context is closed')
    return this.#context
  }
}

type Input = number | Uint8Array | readonly number[] | null

const TSS2_TCTI_RC_BAD_VALUE = 0x000a000b
const TSS2_SYS_RC_MALFORMED_RESPONSE = 0x00080011
const TSS2_SYS_RC_INSUFFICIENT_RESPONSE = 0x00080013

/** Tag, size and code. */
const HEADER_BYTES = 10
const TPM_ST_NO_SESSIONS = 0x8001
/** The device process has a deadline, this has none. */
const WAIT_FOR_EVER = -1

/**
 * Memory that each call uses again, because a call is over before the next one begins: structures and results of C
 * functions, the bytes that they write, and where they stopped. Allocating it costs as much as the rest of a call.
 */
const STRUCTURES = Array.from({ length: 4 }, () => Buffer.alloc(SCRATCH_BYTES))
const WIRE = Buffer.alloc(SCRATCH_BYTES)
const COMMAND = Buffer.alloc(1024 + HEADER_BYTES)
const OFFSET = new BigUint64Array(1)
const RESULT_VALUES = new BigUint64Array(4)
const RESULTS = Array.from(RESULT_VALUES, (_, i) => RESULT_VALUES.subarray(i, i + 1))

interface Result {
  readonly word: string
  /** For structures. */
  readonly marshal: NativeFunction<number> | undefined
}

/** A command of the table, looked up once. */
interface Plan {
  readonly name: CommandName
  readonly call: NativeFunction<number>
  readonly words: readonly {
    readonly word: string
    readonly kind: 'unwanted' | 'result' | 'sessions' | 'input'
    /** For structures. */
    readonly unmarshal: NativeFunction<number> | undefined
  }[]
  readonly results: readonly Result[]
}

function planOf(library: TssLibrary, name: CommandName): Plan {
  const words = COMMANDS[name].split(' ')
  const results = words.filter((word) => word.startsWith('>'))
  if (results.length > RESULTS.length) throw new TypeError(`${name} has more than ${RESULTS.length} results`)
  return {
    name,
    call: library.commands[name],
    words: words.map((word) => ({
      word,
      kind: kindOf(word),
      unmarshal: library.types.get(structureOf(word))?.unmarshal,
    })),
    results: results.map(structureOf).map((word) => ({ word, marshal: library.types.get(word)?.marshal })),
  }
}

function kindOf(word: string): Plan['words'][number]['kind'] {
  if (word === '-') return 'unwanted'
  if (word === '3s') return 'sessions'
  return word.startsWith('>') ? 'result' : 'input'
}

function sessionsOf(name: CommandName, sessions: readonly number[]): number[] {
  if (sessions.length > 3) throw new RangeError(`${name}: expected at most 3 sessions, found ${sessions.length}`)
  return [0, 1, 2].map((i) => sessions[i] ?? ESYS_TR_NONE)
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
