import { endianness } from 'node:os'
import koffi, { type LibraryHandle, type TypeObject } from 'koffi'
import { messageOf } from '../src/core/error.ts'
import { COMMANDS, type CommandName } from './tss-commands.ts'
import { TssError } from './tss-error.ts'

/** A C function. Its parameters are checked by no compiler. */
export type NativeFunction<Result> = (...parameters: readonly unknown[]) => Result

/** Functions between a structure's C form and its wire bytes. */
export interface MarshalFunctions {
  readonly marshal: NativeFunction<number>
  readonly unmarshal: NativeFunction<number>
}

/** How bytes go to a TPM and come back. */
export interface TctiFunctions {
  readonly transmit: NativeFunction<number>
  readonly receive: NativeFunction<number>
}

/** tpm2-tss, loaded into this process: each function that Attestry calls. */
export interface TssLibrary {
  readonly tctiInitialize: NativeFunction<number>
  readonly tctiFinalize: NativeFunction<void>
  readonly initialize: NativeFunction<number>
  readonly finalize: NativeFunction<void>
  readonly close: NativeFunction<number>
  /** The Sys context below an Esys context. */
  readonly getSysContext: NativeFunction<number>
  /** Of a Sys context and a TPM handle. */
  readonly sysFlush: NativeFunction<number>
  /** The two functions that the TCTI at an address brings with it (tss2_tcti.h, TSS2_TCTI_CONTEXT_COMMON_V1). */
  readonly tctiFunctions: (tcti: bigint) => TctiFunctions
  readonly free: NativeFunction<void>
  readonly decode: NativeFunction<string>
  readonly commands: Readonly<Record<CommandName, NativeFunction<number>>>
  readonly types: ReadonlyMap<string, MarshalFunctions>
}

/** Each library with its ABI version, and Debian 12's package of it; Debian 13's names end in t64. */
const LIBRARIES = {
  esys: ['libtss2-esys.so.0', 'libtss2-esys-3.0.2-0'],
  mu: ['libtss2-mu.so.0', 'libtss2-mu0'],
  sys: ['libtss2-sys.so.1', 'libtss2-sys1'],
  rc: ['libtss2-rc.so.0', 'libtss2-rc0'],
  tctildr: ['libtss2-tctildr.so.0', 'libtss2-tctildr0'],
} as const

/** tpm2-tss tells its version nowhere; this function came with 3.0.0. */
const SINCE_3_0 = 'Tss2_MU_TPMS_ACT_DATA_Marshal'

const C_TYPES: Readonly<Record<string, string>> = {
  h: 'uint32',
  u32: 'uint32',
  u16: 'uint16',
  u8: 'uint8',
  i32: 'int32',
}

/**
 * Loads tpm2-tss 3.x or 4.x. It must not write to standard error, where it says with each refusal what the TPM said:
 * the errors carry that.
 *
 * @throws TssError `LIBRARY_MISSING`, `LIBRARY_VERSION`
 */
export function loadTss(): TssLibrary {
  if (endianness() !== 'LE') throw new TssError('LIBRARY_VERSION', 'expected a little-endian machine', NOWHERE)
  process.env['TSS2_LOG'] = 'all+NONE'
  const [esys, mu, sys, rc, tctildr] = [open('esys'), open('mu'), open('sys'), open('rc'), open('tctildr')]
  bind(mu, SINCE_3_0, 'uint32', [])
  const words = Object.values(COMMANDS).flatMap((spec) => spec.split(' '))
  const types = words.filter((word) => word.includes('TPM')).map(structureOf)
  const commands = Object.entries(COMMANDS).map(([name, spec]) => [
    name,
    bind(esys, `Esys_${name}`, 'uint32', ['void *', ...spec.split(' ').flatMap(parametersOf)]),
  ])
  return {
    tctiInitialize: bind(tctildr, 'Tss2_TctiLdr_Initialize', 'uint32', ['str', 'void *']),
    tctiFinalize: bind(tctildr, 'Tss2_TctiLdr_Finalize', 'void', ['void *']),
    initialize: bind(esys, 'Esys_Initialize', 'uint32', ['void *', 'void *', 'void *']),
    finalize: bind(esys, 'Esys_Finalize', 'void', ['void *']),
    close: bind(esys, 'Esys_TR_Close', 'uint32', ['void *', 'void *']),
    getSysContext: bind(esys, 'Esys_GetSysContext', 'uint32', ['void *', 'void *']),
    sysFlush: bind(sys, 'Tss2_Sys_FlushContext', 'uint32', ['void *', 'uint32']),
    tctiFunctions,
    free: bind(esys, 'Esys_Free', 'void', ['void *']),
    decode: bind(rc, 'Tss2_RC_Decode', 'str', ['uint32']),
    commands: Object.fromEntries(commands) as Record<CommandName, NativeFunction<number>>,
    types: new Map([...new Set(types)].map((type) => [type, marshalFunctions(mu, type)])),
  }
}

/** The structure's name in a word of the table. */
export function structureOf(word: string): string {
  return word.replace(/^[?>]/, '')
}

const TRANSMIT = koffi.proto('uint32 (void *tcti, size_t size, void *command)')
const RECEIVE = koffi.proto('uint32 (void *tcti, void *size, void *response, int32 timeout)')
/** Behind a magic number and a version, of 64 bits each. */
const [TRANSMIT_OFFSET, RECEIVE_OFFSET] = [16, 24]

function tctiFunctions(tcti: bigint): TctiFunctions {
  const at = (offset: number, type: TypeObject) =>
    koffi.decode(koffi.decode(tcti, offset, 'uintptr_t'), type) as NativeFunction<number>
  return { transmit: at(TRANSMIT_OFFSET, TRANSMIT), receive: at(RECEIVE_OFFSET, RECEIVE) }
}

const NOWHERE = { rc: 0, command: 'load' }

function parametersOf(word: string): string[] {
  if (word === '3s') return ['uint32', 'uint32', 'uint32']
  return [C_TYPES[word] ?? 'void *']
}

function marshalFunctions(mu: LibraryHandle, type: string): MarshalFunctions {
  const name = `Tss2_MU_${type}`
  return {
    marshal: bind(mu, `${name}_Marshal`, 'uint32', ['void *', 'void *', 'size_t', 'void *']),
    unmarshal: bind(mu, `${name}_Unmarshal`, 'uint32', ['void *', 'size_t', 'void *', 'void *']),
  }
}

function open(key: keyof typeof LIBRARIES): LibraryHandle {
  const [file] = LIBRARIES[key]
  try {
    return koffi.load(file)
  } catch (cause) {
    const packages = [...Object.values(LIBRARIES).map(([, name]) => name), 'libtss2-tcti-device0'].join(' ')
    const text = `cannot load ${file} (${messageOf(cause)}); Debian packages: ${packages}`
    throw new TssError('LIBRARY_MISSING', text, NOWHERE, { cause })
  }
}

function bind<Result>(
  library: LibraryHandle,
  name: string,
  result: string,
  parameters: string[],
): NativeFunction<Result> {
  try {
    return library.func(name, result, parameters) as NativeFunction<Result>
  } catch (cause) {
    throw new TssError('LIBRARY_VERSION', `expected tpm2-tss 3.0 or later, found one without ${name}`, NOWHERE, {
      cause,
    })
  }
}
