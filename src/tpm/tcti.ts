import { TpmError } from './error.ts'

/** A way to a TPM: a module of tpm2-tss, and what it is told. */
export interface Tcti {
  readonly kind: TctiKind
  /** The whole configuration, as tctildr takes it: the module is always named, its settings are those of the table. */
  readonly configuration: string
}

export type TctiKind = keyof typeof KINDS

const ABSOLUTE_PATH = /^\/[^,]+$/
const HOST = /^[A-Za-z0-9.:_-]+$/
const PORT = /^[1-9][0-9]{0,4}$/

/**
 * The closed list. `cmd` (runs a program) and modules by file name, which tctildr would load too, are not in it. A
 * resource manager is behind `device:/dev/tpmrm0` and `tabrmd`; the others have one user at a time.
 */
const KINDS = {
  device: { alone: '/dev/tpmrm0', settings: {} },
  swtpm: { alone: undefined, settings: { path: ABSOLUTE_PATH, host: HOST, port: PORT } },
  mssim: { alone: undefined, settings: { path: ABSOLUTE_PATH, host: HOST, port: PORT } },
  tabrmd: { alone: '', settings: { bus_name: /^[A-Za-z0-9_.]+$/, bus_type: /^(?:system|session)$/ } },
} as const satisfies Record<string, { alone: string | undefined; settings: Readonly<Record<string, RegExp>> }>

const MAX_LENGTH = 300
const MAX_PORT = 65_535
const EXAMPLES =
  'device:/dev/tpmrm0, swtpm:path=/run/swtpm.sock, swtpm:host=127.0.0.1,port=2321, mssim:host=…,port=…, ' +
  'tabrmd or tabrmd:bus_name=…,bus_type=system|session'

/**
 * Reads a TCTI configuration.
 *
 * @throws TpmError `TCTI_INVALID` for a module that is not on the list, an unknown or repeated setting, a relative path
 */
export function parseTcti(text: string): Tcti {
  const colon = text.indexOf(':')
  const kind = colon === -1 ? text : text.slice(0, colon)
  if (text.length > MAX_LENGTH || !isKind(kind)) throw invalid(text)
  const { alone } = KINDS[kind]
  const rest = colon === -1 || colon === text.length - 1 ? alone : text.slice(colon + 1)
  if (rest === undefined) throw invalid(text)
  const isGood = kind === 'device' ? ABSOLUTE_PATH.test(rest) : rest === '' || areSettings(kind, rest)
  if (!isGood) throw invalid(text)
  return { kind, configuration: `${kind}:${rest}` }
}

function isKind(kind: string): kind is TctiKind {
  return Object.hasOwn(KINDS, kind)
}

function areSettings(kind: TctiKind, rest: string): boolean {
  const known: Readonly<Record<string, RegExp>> = KINDS[kind].settings
  const given = new Map<string, string>()
  for (const setting of rest.split(',')) {
    const [key = '', value = '', ...more] = setting.split('=')
    const isGood = Object.hasOwn(known, key) && known[key]?.test(value) === true && more.length === 0 && !given.has(key)
    if (!isGood) return false
    given.set(key, value)
  }
  // A socket is reached by its path, or by host and port.
  return !(given.has('path') && given.size > 1) && Number(given.get('port') ?? 0) <= MAX_PORT
}

function invalid(text: string): TpmError {
  return new TpmError('TCTI_INVALID', `expected a TCTI like ${EXAMPLES}; found '${text.slice(0, MAX_LENGTH)}'`)
}
