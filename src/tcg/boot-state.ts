import { bootApplications, bootOptions, bootOrder, type BootApplication, type BootOption } from './boot-application.ts'
import { viewPcr } from './boot-view.ts'
import type { EventLog } from './event-log.ts'
import type { Finding } from './event-log-finding.ts'
import { kernelCommandLine, type KernelCommandLine } from './kernel-command-line.ts'
import { secureBootState, type SecureBootState } from './secure-boot-state.ts'

/** Banks that a boot's state is read from: SHA-1 proves nothing. */
export type ProvingBank = 'sha256' | 'sha384' | 'sha512'

/** How a host booted, as far as one bank's digests say so. What is absent is not known. */
export interface BootState {
  readonly bank: ProvingBank
  readonly secureBoot: Omit<SecureBootState, 'findings'>
  readonly bootOrder?: readonly string[]
  readonly bootOptions: readonly BootOption[]
  readonly bootApplications?: readonly BootApplication[]
  readonly commandLine?: KernelCommandLine
  /** Why something is not known, and what else is wrong. */
  readonly findings: readonly Finding[]
}

/**
 * Reads a boot's state from a log. Each statement rests on digests of the bank alone, so it is as true as the PCRs that the log replays to: 7 for Secure
 * Boot, 1 for the boot order, 4 for the boot applications, 8 and 12 for the command line. Those must be quoted, and compared, before it is believed.
 */
export function bootStateOf(log: EventLog, bank: ProvingBank): BootState {
  const view = (pcr: number) => viewPcr(log, bank, pcr)
  const { findings, ...secureBoot } = secureBootState(view(7))
  const one = view(1)
  const order = bootOrder(one)
  const applications = bootApplications(view(4))
  const commandLine = kernelCommandLine(view(8), view(12))
  return {
    bank,
    secureBoot,
    ...(order.value && { bootOrder: order.value }),
    bootOptions: bootOptions(one),
    ...(applications.value && { bootApplications: applications.value }),
    ...(commandLine.value && { commandLine: commandLine.value }),
    findings: [...findings, ...applications.findings, ...order.findings, ...commandLine.findings],
  }
}
