import { toHex, type Hex } from '../core/bytes.ts'
import { isAction, type PcrView, type ViewedEvent } from './boot-view.ts'
import { decodeImageLoad } from './event-image.ts'
import type { Finding } from './event-log-finding.ts'
import { EV } from './event-type.ts'
import { decodeLoadOption } from './load-option.ts'
import { decodeBootOrder, decodeUefiVariable, type UefiVariable } from './uefi-variable.ts'

/** An application that the firmware or a boot loader started. */
export interface BootApplication {
  readonly event: number
  /** Its Authenticode digest in the bank, which is what PCR 4 was extended with. */
  readonly digest: Hex
  /** Where the log says that it came from: no digest covers it. */
  readonly devicePath: string
}

/** An entry of the firmware's boot menu. Its name is covered only where the firmware measures names. */
export interface BootOption {
  readonly event: number
  readonly name: string
  readonly description: string
  readonly devicePath: string
}

/** What was stated, absent where it cannot be, and why not. */
export interface Stated<T> {
  readonly value?: T
  readonly findings: readonly Finding[]
}

const APPLICATIONS: readonly number[] = [
  EV.EFI_BOOT_SERVICES_APPLICATION,
  EV.EFI_BOOT_SERVICES_DRIVER,
  EV.EFI_RUNTIME_SERVICES_DRIVER,
]

/**
 * The boot applications of PCR 4, in order (PC Client Platform Firmware Profile 1.06, 3.3.4.5). Absent where an event of that PCR is neither an
 * application nor anything that is known: it could be one.
 */
export function bootApplications(view: PcrView): Stated<readonly BootApplication[]> {
  const findings = [...view.findings]
  const applications: BootApplication[] = []
  for (const [place, viewed] of view.events.entries()) {
    const { event, known } = viewed
    if (place === view.separator || isAction(viewed)) continue
    const isApplication = known === undefined && APPLICATIONS.includes(event.type)
    const image = isApplication ? decodeImageLoad(event.data) : undefined
    if (isApplication) {
      applications.push({ event: event.index, digest: digestIn(viewed, view), devicePath: image?.devicePath ?? '' })
    } else if (known === undefined) {
      const detail = 'no rule explains this event of PCR 4: nothing is said of boot applications'
      findings.push({ code: 'EVENT_UNEXPLAINED', event: event.index, detail })
    }
  }
  const isSound = view.separator !== undefined && findings.length === 0
  return isSound ? { value: applications, findings } : { findings }
}

/**
 * BootOrder, from PCR 1 (PC Client Platform Firmware Profile 1.06, 3.3.4.2). Most firmware measures values without names; then a value that could be the
 * order under another name, such as a relabelled one, leaves it unknown.
 */
export function bootOrder(view: PcrView): Stated<readonly string[]> {
  const orders = variablesOf(view).filter(({ viewed, variable }) => {
    return variable.name === 'BootOrder' || (viewed.part === 'value' && couldBeOrder(variable.value))
  })
  const [first, second] = orders
  if (first === undefined) return { findings: [] }
  const order = first.variable.name === 'BootOrder' ? decodeBootOrder(first.variable.value) : undefined
  if (second === undefined && order !== undefined) return { value: order, findings: [] }
  const detail = `${orders.length} variables of PCR 1 could be the boot order`
  return { findings: [{ code: 'BOOT_ORDER_AMBIGUOUS', event: (second ?? first).viewed.event.index, detail }] }
}

/** The entries of the boot menu that PCR 1 covers. */
export function bootOptions(view: PcrView): readonly BootOption[] {
  return variablesOf(view).flatMap(({ viewed, variable }) => {
    const option = /^Boot[0-9A-F]{4}$/.test(variable.name) ? decodeLoadOption(variable.value) : undefined
    if (option === undefined) return []
    const { description, devicePath } = option
    return [{ event: viewed.event.index, name: variable.name, description, devicePath }]
  })
}

function variablesOf(view: PcrView): readonly { readonly viewed: ViewedEvent; readonly variable: UefiVariable }[] {
  return view.events.flatMap((viewed) => {
    const variable = viewed.part === undefined ? undefined : decodeUefiVariable(viewed.event.data)
    return variable === undefined ? [] : [{ viewed, variable }]
  })
}

/** Whether a value is a list of distinct numbers that is no boot option. */
function couldBeOrder(value: Uint8Array): boolean {
  const order = value.length === 0 || decodeLoadOption(value) !== undefined ? undefined : decodeBootOrder(value)
  return order !== undefined && new Set(order).size === order.length
}

function digestIn({ event }: ViewedEvent, { bank }: PcrView): Hex {
  return toHex(event.digest(bank) ?? new Uint8Array())
}
