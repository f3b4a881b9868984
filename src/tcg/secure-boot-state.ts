import { isAction, type PcrView, type ViewedEvent } from './boot-view.ts'
import type { Finding } from './event-log-finding.ts'
import { EV } from './event-type.ts'
import { GUID } from './guid.ts'
import { decodeSignatureData, decodeSignatureLists, type Signature } from './signature-list.ts'
import { decodeUefiVariable, type UefiVariable } from './uefi-variable.ts'

/** The variables that say how boot applications are verified (UEFI 2.10, 3.3 and 32.6). */
export const SECURE_BOOT_VARIABLES = ['PK', 'KEK', 'db', 'dbx'] as const
export type SecureBootVariable = (typeof SECURE_BOOT_VARIABLES)[number]

/** Which key, hash or setting verified something that was loaded; from PCR 7. */
export interface Authority {
  readonly event: number
  /** Before the separator a driver's, behind it a boot application's. */
  readonly beforeSeparator: boolean
  readonly guid: string
  readonly name: string
  /** Absent where the variable's value is no signature: shim's settings. */
  readonly signature?: Signature
}

/** What PCR 7 says of Secure Boot. Whatever is absent is not known, for a reason that is among the findings. */
export interface SecureBootState {
  readonly enabled?: boolean
  readonly databases: Readonly<Partial<Record<SecureBootVariable, readonly Signature[]>>>
  readonly authorities?: readonly Authority[]
  readonly findings: readonly Finding[]
}

interface Measured extends ViewedEvent {
  readonly variable: UefiVariable
  readonly place: number
  /** A variable itself, rather than the entry of one that verified something. */
  readonly isConfig: boolean
}

/**
 * Reads PCR 7 (PC Client Platform Firmware Profile 1.06, 3.3.4.8). Variables are looked for by what was hashed, under whatever type: one that is labelled
 * as something else, that is there twice, or that stands behind the separator, where software can extend it, leaves its value unknown. An event that
 * nothing explains could be any of them, so it leaves all unknown.
 */
export function secureBootState(view: PcrView): SecureBootState {
  const findings = [...view.findings]
  const add = (code: Finding['code'], event: number | null, detail: string) => findings.push({ code, event, detail })
  const { separator } = view
  if (separator === undefined) return { databases: {}, findings }

  const measured = view.events.flatMap((viewed, place): readonly Measured[] => {
    const variable = decodeUefiVariable(viewed.event.data)
    return variable === undefined ? [] : [{ ...viewed, variable, place, isConfig: isConfig(viewed, variable) }]
  })
  const explained = view.events.filter((viewed, place) => {
    if (place === separator || isAction(viewed)) return true
    if (viewed.part === 'data' && measured.some((one) => one.place === place)) return true
    add('EVENT_UNEXPLAINED', viewed.event.index, 'no rule explains this event of PCR 7: nothing is said of Secure Boot')
    return false
  })
  if (explained.length < view.events.length) return { databases: {}, findings }

  const single = (name: string, guid: string): UefiVariable | undefined => {
    const found = measured.filter((one) => one.variable.name === name && one.variable.guid === guid && one.isConfig)
    const [first, second] = found
    const late = found.find(({ place }) => place > separator)
    const swapped = found.find(({ event }) => event.type !== EV.EFI_VARIABLE_DRIVER_CONFIG)
    if (second !== undefined) add('VARIABLE_REPEATED', second.event.index, `${name} was measured ${found.length} times`)
    if (late !== undefined) add('VARIABLE_AFTER_SEPARATOR', late.event.index, `${name} stands behind the separator`)
    if (swapped !== undefined) add('TYPE_SWAPPED', swapped.event.index, `${name} is not labelled as a variable`)
    return found.length === 1 && late === undefined && swapped === undefined ? first?.variable : undefined
  }

  const flag = single('SecureBoot', GUID.GLOBAL_VARIABLE)
  const enabled = flagOf(flag)
  if (flag !== undefined && enabled === undefined) add('VARIABLE_INVALID', null, 'SecureBoot is neither 0 nor 1')
  for (const { event, variable, isConfig: config } of measured) {
    if (event.type !== EV.EFI_VARIABLE_DRIVER_CONFIG || config) continue
    add('VARIABLE_INVALID', event.index, `${variable.name} is no list of signatures`)
  }
  const databases: Partial<Record<SecureBootVariable, readonly Signature[]>> = {}
  for (const name of SECURE_BOOT_VARIABLES) {
    const guid = name === 'PK' || name === 'KEK' ? GUID.GLOBAL_VARIABLE : GUID.IMAGE_SECURITY_DATABASE
    const variable = single(name, guid)
    const signatures = variable && decodeSignatureLists(variable.value)
    if (signatures !== undefined) databases[name] = signatures
  }
  const authorities = authoritiesOf(measured, separator)
  if (authorities === undefined) {
    add('AUTHORITIES_AMBIGUOUS', null, 'a variable of PCR 7 could be an authority, under another label')
  }
  return {
    ...(enabled === undefined ? {} : { enabled }),
    databases,
    ...(authorities === undefined ? {} : { authorities }),
    findings,
  }
}

/** Whether it is a variable itself. An authority's event has a database's name too, and one entry where the database has lists. */
function isConfig({ event }: ViewedEvent, { name, value }: UefiVariable): boolean {
  if ((SECURE_BOOT_VARIABLES as readonly string[]).includes(name)) return decodeSignatureLists(value) !== undefined
  return event.type === EV.EFI_VARIABLE_DRIVER_CONFIG || name === 'SecureBoot'
}

function flagOf(variable: UefiVariable | undefined): boolean | undefined {
  if (variable?.value.length !== 1) return undefined
  return variable.value[0] === 0 ? false : variable.value[0] === 1 ? true : undefined
}

/** Undefined where an authority may be hidden under another type: as a variable that is none, or behind the separator. */
function authoritiesOf(measured: readonly Measured[], separator: number): readonly Authority[] | undefined {
  const hidden = measured.some(({ event, isConfig: config, place }) => {
    return event.type !== EV.EFI_VARIABLE_AUTHORITY && (!config || place > separator)
  })
  if (hidden) return undefined
  return measured
    .filter(({ event, isConfig: config }) => event.type === EV.EFI_VARIABLE_AUTHORITY && !config)
    .map(({ event, variable: { guid, name, value }, place }) => {
      const signature = decodeSignatureData(value)
      const head = { event: event.index, beforeSeparator: place < separator, guid, name }
      return { ...head, ...(signature && { signature }) }
    })
}
