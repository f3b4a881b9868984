import { readFileSync } from 'node:fs'
import { ConfigError } from '../core/config-error.ts'
import { parseToml, type ConfigTable } from '../core/config-table.ts'
import { messageOf } from '../core/error.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import type { EkPlaceName } from '../tpm/ek-place.ts'
import { parseTcti } from '../tpm/tcti.ts'
import { DEFAULT_AK_HANDLE, DEFAULT_NV_INDEX } from '../tpm/tpm.ts'
import { FIRMWARE_PCRS } from '../vmm/qemu-kvm-profile.ts'
import { ekChoiceOf } from './ek-choice.ts'

/** How long an answer is withheld: until its record is on disk, in a transaction sent, or mined. */
export const RELEASES = ['journaled', 'submitted', 'confirmed'] as const
export type Release = (typeof RELEASES)[number]

const IMA_LOG = '/sys/kernel/security/ima/binary_runtime_measurements'

/** What is measured (src/vmm). */
export const PROFILES = ['ci', 'qemu-kvm'] as const

/** Where the HSM's PIN lies. */
export type PinPlace =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'sealed'; readonly sealed: string; readonly approvals: string }

/** A host's configuration; one TOML file. It holds no secret, only where one lies. Paths are absolute. */
export interface AgentConfig {
  /** The journal's directory. */
  readonly state: string
  readonly tpm: {
    /** As tpm2-tss names it, for example `device:/dev/tpmrm0`. */
    readonly tcti: string
    readonly deadlineMs: number
    /** Persistent handle of the AK. */
    readonly akHandle: number
    /** NV index of the counter. */
    readonly nvIndex: number
    /** Which EK, where it is not the first that has a certificate. The host's identity follows from it. */
    readonly ek?: readonly EkPlaceName[]
  }
  readonly hsm: {
    readonly module: string
    /** The token's label. */
    readonly token: string
    /** Where the user PIN lies: in a file, or sealed to the TPM with approvals of its opening in a directory. */
    readonly pin: PinPlace
    /** Set for the module's process alone. */
    readonly environment: Readonly<Record<string, string>>
    readonly deadlineMs: number
    readonly ledgerKey: string
    readonly dataKey: string
  }
  readonly ledger: {
    readonly rpc: string
    readonly deployment: string
    /** How old the block may be on which access is decided. */
    readonly stalenessS: number
    /** How many blocks after the one of its access check a record is promised to be on the ledger. */
    readonly includeWithinBlocks: number
    readonly timeoutMs: number
  }
  readonly vmm: {
    readonly profile: (typeof PROFILES)[number]
    /** The PCR that is extended. */
    readonly pcr: number
    /** Those that are quoted, unless the file says otherwise: that one alone in profile ci, with firmware's in qemu-kvm. */
    readonly selection: PcrSelection
    /** The canonical event log. */
    readonly log: string
    /** Whether a kernel without IMA, or whose IMA saw nothing of the VMM, fails a measurement. */
    readonly ima: 'optional' | 'required'
    /** `binary_runtime_measurements`. */
    readonly imaLog: string
    /** Stands in for the VMM's files; in profile ci, and only there. */
    readonly directory?: string
  }
  readonly api: {
    readonly socket: string
    readonly maxInputBytes: number
    readonly release: Release
    readonly releaseTimeoutMs: number
    /** Who may connect beside root and the agent's own user. */
    readonly allowedUids: readonly number[]
  }
}

/** The longest path of a Unix socket on Linux, in bytes (unix(7): 108 with the closing zero). */
const MAX_SOCKET_PATH = 107

/** @throws ConfigError */
export function readConfig(path: string): AgentConfig {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConfigError('CONFIG_UNREADABLE', `cannot read the configuration ${path}: ${messageOf(cause)}`, { cause })
  }
  return parseConfig(text, path)
}

/** @param source what messages call it. @throws ConfigError CONFIG_SYNTAX, CONFIG_UNKNOWN_KEY, CONFIG_INVALID */
export function parseConfig(text: string, source = 'the configuration'): AgentConfig {
  const root = parseToml(text, source)
  const config = {
    state: root.path('state'),
    tpm: tpmOf(root.table('tpm')),
    hsm: hsmOf(root.table('hsm')),
    ledger: ledgerOf(root.table('ledger')),
    vmm: vmmOf(root.table('vmm')),
    api: apiOf(root.table('api')),
  }
  root.end()
  return config
}

const DEADLINE = { min: 100, max: 600_000, or: 10_000 }

function tpmOf(table: ConfigTable): AgentConfig['tpm'] {
  return {
    tcti: tctiOf(table),
    deadlineMs: table.integer('deadline_ms', DEADLINE),
    akHandle: table.integer('ak_handle', { min: 0x8100_0000, max: 0x81ff_ffff, or: DEFAULT_AK_HANDLE }),
    nvIndex: table.integer('nv_index', { min: 0x0100_0000, max: 0x01ff_ffff, or: DEFAULT_NV_INDEX }),
    ...ekChoiceOf(table),
  }
}

function tctiOf(table: ConfigTable): string {
  const text = table.string('tcti')
  try {
    return parseTcti(text).configuration
  } catch (error) {
    throw table.invalid('tcti', messageOf(error).replace(/^expected /, ''))
  }
}

function hsmOf(table: ConfigTable): AgentConfig['hsm'] {
  return {
    module: table.path('module'),
    token: table.string('token'),
    pin: pinOf(table),
    environment: table.strings('environment'),
    deadlineMs: table.integer('deadline_ms', DEADLINE),
    ledgerKey: table.string('ledger_key', 'attestry/ledger/v1'),
    dataKey: table.string('data_key', 'attestry/data/v1'),
  }
}

function pinOf(table: ConfigTable): PinPlace {
  if (table.has('pin_file') && table.has('pin_sealed')) {
    throw table.invalid('pin_sealed', 'either pin_file, or pin_sealed with pin_approvals')
  }
  if (!table.has('pin_sealed')) return { kind: 'file', path: table.path('pin_file') }
  return { kind: 'sealed', sealed: table.path('pin_sealed'), approvals: table.path('pin_approvals') }
}

function ledgerOf(table: ConfigTable): AgentConfig['ledger'] {
  return {
    rpc: table.url('rpc'),
    deployment: table.path('deployment'),
    stalenessS: table.integer('staleness_s', { min: 1, max: 86_400, or: 60 }),
    includeWithinBlocks: table.integer('include_within_blocks', { min: 2, max: 1_000_000, or: 64 }),
    timeoutMs: table.integer('timeout_ms', { min: 100, max: 600_000, or: 10_000 }),
  }
}

function vmmOf(table: ConfigTable): AgentConfig['vmm'] {
  const profile = table.choice('profile', PROFILES)
  const pcr = table.integer('pcr', { min: 8, max: 15, or: 13 })
  return {
    profile,
    pcr,
    selection: { bank: 'sha256', pcrs: table.ascending('selection', 0, 23, quotedWith(pcr, profile)) },
    log: table.path('log'),
    ima: table.choice('ima', ['optional', 'required'] as const, 'optional'),
    imaLog: table.path('ima_log', IMA_LOG),
    ...(profile === 'ci' ? { directory: table.path('directory') } : {}),
  }
}

function quotedWith(pcr: number, profile: (typeof PROFILES)[number]): readonly number[] {
  return profile === 'ci' ? [pcr] : [...FIRMWARE_PCRS, pcr]
}

function apiOf(table: ConfigTable): AgentConfig['api'] {
  const socket = table.path('socket')
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
    throw table.invalid('socket', `a path of at most ${MAX_SOCKET_PATH} bytes`)
  }
  return {
    socket,
    maxInputBytes: table.integer('max_input_bytes', { min: 1, max: 1 << 30, or: 4 << 20 }),
    release: table.choice('release', RELEASES, 'confirmed'),
    releaseTimeoutMs: table.integer('release_timeout_ms', { min: 1, max: 3_600_000, or: 60_000 }),
    allowedUids: table.integers('allowed_uids', 0, 0xffff_fffe),
  }
}
