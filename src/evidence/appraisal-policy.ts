import { fromHex, type Hex } from '../core/bytes.ts'
import { parseToml, type ConfigTable } from '../core/config-table.ts'
import { HASHES, type HashName } from '../tcg/algorithm.ts'
import { PCR_COUNT, RESETTABLE_PCRS } from '../tcg/pcr-selection.ts'

/** What evidence is held against (docs/evidence.md). What it says nothing of it does not allow. */
export interface AppraisalPolicy {
  /** Whether the quote must carry a nonce that the appraiser names. */
  readonly freshness: 'nonce' | 'none'
  /**
   * The attestation keys that were enrolled, by their TPM Names, each with the EK of its TPM as a hostId (SHA-256 of the EK's
   * TPMT_PUBLIC). Undefined where the policy names none: then no EK is taken for this key's.
   */
  readonly attestationKeys: ReadonlyMap<Hex, Hex | undefined>
  readonly tpm: TpmRules
  readonly clock: ClockRules
  /** The bank that must be quoted, alone. */
  readonly bank: HashName
  /** The PCRs that must be quoted, at least. */
  readonly pcrs: readonly number[]
  /** PCRs that nothing may have extended. */
  readonly unextended: readonly number[]
  /** The values that a PCR may have. */
  readonly values: ReadonlyMap<number, readonly Uint8Array[]>
  readonly firmware: FirmwareRules
  /** Undefined where no IMA log explains anything. */
  readonly ima: ImaRules | undefined
  /** Undefined where no log of the VMM explains anything. */
  readonly vmm: VmmRules | undefined
}

export interface TpmRules {
  /** `none` asks for no endorsement at all. */
  readonly assurance: 'none' | 'Software' | 'Hardware'
  /** `id:` and the vendor's identifier, as the EK certificate has it; empty for any. */
  readonly manufacturers: readonly string[]
  /** Whether each certificate below the root must be covered by a revocation list. */
  readonly requireRevocation: boolean
  /** What is done about keys that can be computed, firmware with an advisory, and vendors that nobody knows. */
  readonly knownWeaknesses: 'deny' | 'allow'
  /** The lowest firmwareVersion of a quote. */
  readonly minFirmware: bigint
}

export interface ClockRules {
  /** Refuses a clock that a power loss may have turned back. */
  readonly requireSafe: boolean
  /** What an earlier quote of this TPM showed: this one must be later. */
  readonly after: { readonly resetCount: number; readonly restartCount: number; readonly clock: bigint } | undefined
}

export interface FirmwareRules {
  /** Undefined where the policy says nothing of it. */
  readonly secureBoot: boolean | undefined
  /** The events of each PCR that the firmware's log explains, in the order in which they must come. */
  readonly events: readonly EventRule[]
}

/** One event that must be there. */
export interface EventRule {
  /** How the claim is named. */
  readonly name: string
  readonly pcr: number
  readonly allowed:
    | { readonly kind: 'digest'; readonly digests: readonly Uint8Array[] }
    | { readonly kind: 'command-line'; readonly commandLines: readonly string[] }
}

export interface ImaRules {
  readonly pcr: number
  readonly violations: 'deny' | 'allow'
  /** Whether files may be used that are not listed. */
  readonly unlisted: 'deny' | 'allow'
  /** Digests of what may be in a file, as `sha256:` and hexadecimal digits. */
  readonly files: ReadonlyMap<string, readonly string[]>
}

export interface VmmRules {
  readonly pcr: number
  /** The digests that each component may have; or that it must be logged as absent. */
  readonly components: ReadonlyMap<string, readonly Uint8Array[] | 'absent'>
}

const HEX = /^0x(?:[0-9a-f]{2})+$/
/** How an IMA digest is written: only hashes that nobody can find collisions of, each at its length. */
export const IMA_DIGEST = /^(?:verity:)?(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/
const MANUFACTURER = /^id:[0-9A-F]{8}$/
/** Attestation keys have names by SHA-256. */
const NAME = /^0x000b[0-9a-f]{64}$/
const HOST_ID = /^0x[0-9a-f]{64}$/
const PCR = { min: 0, max: PCR_COUNT - 1 }

/**
 * Reads an appraisal policy.
 *
 * @param text TOML; its author is trusted, its form is not
 * @param source what messages call it
 * @throws ConfigError `CONFIG_SYNTAX`, `CONFIG_UNKNOWN_KEY`, `CONFIG_INVALID`
 */
export function parseAppraisalPolicy(text: string, source = 'the policy'): AppraisalPolicy {
  const root = parseToml(text, source)
  root.integer('version', { min: 1, max: 1, or: 1 })
  const quote = root.optionalTable('quote')
  const bank = quote.choice('bank', ['sha256', 'sha384'], 'sha256')
  const tpm = tpmOf(root.optionalTable('tpm'))
  const policy: AppraisalPolicy = {
    freshness: root.choice('freshness', ['nonce', 'none'], 'nonce'),
    attestationKeys: attestationKeysOf(root.tableList('attestation_keys'), tpm),
    tpm,
    clock: clockOf(root.optionalTable('clock')),
    bank,
    pcrs: pcrsOf(quote, 'pcrs'),
    unextended: pcrsOf(quote, 'unextended'),
    values: valuesOf(root.optionalTable('values'), bank),
    firmware: firmwareOf(root.optionalTable('firmware'), bank),
    ima: root.has('ima') ? imaOf(root.table('ima')) : undefined,
    vmm: root.has('vmm') ? vmmOf(root.table('vmm')) : undefined,
  }
  root.end()
  requireOneLog(policy, root)
  requirePossible(policy, root)
  return policy
}

/** A PCR is explained by one log, or nobody could say which of them is to be believed. */
function requireOneLog({ firmware, ima, vmm }: AppraisalPolicy, root: ConfigTable): void {
  const ruled = new Set(firmware.events.map(({ pcr }) => pcr))
  if (ima !== undefined && ruled.has(ima.pcr)) throw root.invalid('ima.pcr', 'a PCR without firmware events')
  if (vmm !== undefined && (ruled.has(vmm.pcr) || vmm.pcr === ima?.pcr)) {
    throw root.invalid('vmm.pcr', 'a PCR that no other log explains')
  }
}

/** What no evidence can pass is a mistake of whoever wrote it. */
function requirePossible({ bank, pcrs, unextended, values, firmware, ima, vmm }: AppraisalPolicy, root: ConfigTable) {
  const rules: readonly (readonly [string, readonly number[]])[] = [
    ['quote.pcrs', pcrs],
    ['quote.unextended', unextended],
    ['values', [...values.keys()]],
    ['firmware.events', firmware.events.map(({ pcr }) => pcr)],
    ['ima.pcr', ima === undefined ? [] : [ima.pcr]],
    ['vmm.pcr', vmm === undefined ? [] : [vmm.pcr]],
  ]
  const resettable = rules.find(([, ruled]) => ruled.some((pcr) => RESETTABLE_PCRS.includes(pcr)))
  if (resettable !== undefined)
    throw root.invalid(resettable[0], `no PCR that can be reset: ${RESETTABLE_PCRS.join(', ')}`)
  if (vmm !== undefined && bank !== 'sha256') throw root.invalid('quote.bank', 'sha256, into which the VMM is measured')
  if (vmm !== undefined && ![...vmm.components.values()].some((rule) => rule !== 'absent')) {
    throw root.invalid('vmm.components', 'at least one component that is there')
  }
}

/** None where the key is absent, or its list empty. */
function pcrsOf(table: ConfigTable, key: string): readonly number[] {
  return table.has(key) && table.list(key).length > 0 ? table.ascending(key, PCR.min, PCR.max) : []
}

/** No quote says in which TPM its key lies: that the key is beside this EK was seen when it was enrolled, or by nobody. */
function attestationKeysOf(tables: readonly ConfigTable[], { assurance }: TpmRules): ReadonlyMap<Hex, Hex | undefined> {
  const keys = new Map<Hex, Hex | undefined>()
  for (const table of tables) {
    const name = table.string('name') as Hex
    if (!NAME.test(name)) throw table.invalid('name', 'a TPM Name, as 0x000b and 64 digits')
    if (keys.has(name)) throw table.invalid('name', 'each key once')
    const ek = table.has('ek') || assurance !== 'none' ? (table.string('ek') as Hex) : undefined
    if (ek !== undefined && !HOST_ID.test(ek)) throw table.invalid('ek', 'a hostId, as 0x and 64 digits')
    keys.set(name, ek)
  }
  return keys
}

function tpmOf(table: ConfigTable): TpmRules {
  const minFirmware = table.string('min_firmware', '0x00')
  if (!/^0x[0-9a-f]{1,16}$/.test(minFirmware)) throw table.invalid('min_firmware', '0x and up to 16 digits')
  const rules: TpmRules = {
    assurance: table.choice('assurance', ['none', 'Software', 'Hardware'], 'Software'),
    manufacturers: table.texts('manufacturers', MANUFACTURER, 'id: and 8 digits, as in the EK certificate'),
    requireRevocation: table.boolean('require_revocation'),
    knownWeaknesses: table.choice('known_weaknesses', ['deny', 'allow'], 'deny'),
    minFirmware: BigInt(minFirmware),
  }
  // Without a certificate nothing could fail them, and whoever wrote them would think that they hold.
  const of = ['manufacturers', 'require_revocation', 'known_weaknesses'].find((key) => table.has(key))
  if (rules.assurance === 'none' && of !== undefined) {
    throw table.invalid('assurance', `Software or Hardware, since ${of} asks for what an EK certificate says`)
  }
  return rules
}

function clockOf(table: ConfigTable): ClockRules {
  const count = { min: 0, max: 0xffff_ffff, or: 0 }
  const keys = ['after_reset_count', 'after_restart_count', 'after_clock_ms']
  const given = keys.filter((key) => table.has(key))
  if (given.length !== 0 && given.length !== keys.length) {
    throw table.invalid(keys.find((key) => !table.has(key)) ?? '', `a number, as ${given.join(' and ')} is given`)
  }
  const after = {
    resetCount: table.integer('after_reset_count', count),
    restartCount: table.integer('after_restart_count', count),
    clock: BigInt(table.integer('after_clock_ms', { min: 0, max: Number.MAX_SAFE_INTEGER, or: 0 })),
  }
  return { requireSafe: table.boolean('require_safe', true), after: given.length === 0 ? undefined : after }
}

function valuesOf(table: ConfigTable, bank: HashName): ReadonlyMap<number, readonly Uint8Array[]> {
  return new Map(
    table.keys().map((key) => {
      const pcr = /^(?:\d|1\d|2[0-3])$/.test(key) ? Number(key) : undefined
      if (pcr === undefined) throw table.invalid(key, `a PCR from ${PCR.min} to ${PCR.max}`)
      return [pcr, digestsOf(table, key, bank)]
    }),
  )
}

function firmwareOf(table: ConfigTable, bank: HashName): FirmwareRules {
  const secureBoot = table.has('secure_boot') ? table.boolean('secure_boot') : undefined
  const events = table.tableList('events').map((event): EventRule => {
    const [name, pcr] = [event.string('name'), event.integer('pcr', { ...PCR, or: -1 })]
    if (pcr === -1) throw event.invalid('pcr', `a PCR from ${PCR.min} to ${PCR.max}`)
    if (event.has('digests') === event.has('command_lines')) {
      throw event.invalid('digests', 'digests or command_lines, one of the two')
    }
    if (event.has('digests')) {
      return { name, pcr, allowed: { kind: 'digest', digests: digestsOf(event, 'digests', bank) } }
    }
    const commandLines = filled(event, 'command_lines', /^[^\0]*$/u, 'at least one command line')
    return { name, pcr, allowed: { kind: 'command-line', commandLines } }
  })
  return { secureBoot, events }
}

function imaOf(table: ConfigTable): ImaRules {
  const files = table.optionalTable('files')
  return {
    pcr: table.integer('pcr', { ...PCR, or: 10 }),
    violations: table.choice('violations', ['deny', 'allow'], 'deny'),
    unlisted: table.choice('unlisted', ['deny', 'allow'], 'deny'),
    files: new Map(
      files
        .keys()
        .map((path) => [path, filled(files, path, IMA_DIGEST, 'digests: sha256:, sha384: or sha512: and all digits')]),
    ),
  }
}

function vmmOf(table: ConfigTable): VmmRules {
  const components = table.optionalTable('components')
  return {
    pcr: table.integer('pcr', { ...PCR, or: 13 }),
    components: new Map(components.keys().map((name) => [name, componentOf(components, name)])),
  }
}

function componentOf(table: ConfigTable, name: string): readonly Uint8Array[] | 'absent' {
  return table.isText(name) ? table.choice<'absent'>(name, ['absent']) : digestsOf(table, name, 'sha256')
}

/** At least one. */
function filled(table: ConfigTable, key: string, form: RegExp, expected: string): readonly string[] {
  const texts = table.texts(key, form, expected)
  if (texts.length === 0) throw table.invalid(key, expected)
  return texts
}

/** At least one. */
function digestsOf(table: ConfigTable, key: string, bank: HashName): readonly Uint8Array[] {
  const { length } = HASHES[bank]
  const expected = `digests of ${length} bytes, as 0x and ${2 * length} digits`
  const texts = filled(table, key, HEX, expected)
  if (texts.some((text) => text.length !== 2 + 2 * length)) throw table.invalid(key, expected)
  return texts.map((text) => fromHex(text))
}
