import { closeSync, openSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import type { SoftHsm } from '../stack/softhsm.ts'

/** What happens to a call, as fault-module.c reads it. */
export type Action =
  'hang' | 'segv' | 'abort' | 'invalidate' | 'logout' | 'finalise' | 'cut' | 'drop' | 'log' | NumberedAction
type NumberedAction = `${'delay' | 'exit' | 'return' | 'after' | 'flip'} ${number | bigint}`

/** What happens to which calls of a function. */
export interface Rule {
  /** `C_Sign` for example. */
  readonly fn: string
  readonly action: Action
  /** From 1: which call since the plan was put in place. The first where it is left out. */
  readonly call?: number
  /** All calls after it too. */
  readonly onwards?: boolean
}

/** A token behind the fault-injecting module, and the plan that the module follows. */
export interface FaultyToken {
  /** For an `Hsm`: the same token through the faulty module. */
  readonly token: SoftHsm
  /** Puts a plan in place of the one before, from the module's next call on. The log begins anew. */
  inject(rules: readonly Rule[]): void
  /** No faults from now on. */
  clear(): void
  /** What came to pass since the plan was put in place: `C_Sign return`, and `C_Login 0x0` for each login. */
  log(): readonly string[]
}

const MAX_RULES = 64

/**
 * Puts the faulty module before a token. Nothing may use the token while a plan is replaced.
 *
 * @param module what `buildFaultModule` gave
 * @param plan the plan's path; its counters and its log stand beside it
 */
export function faultyToken(module: string, behind: SoftHsm, plan: string): FaultyToken {
  const [counts, log] = [`${plan}.counts`, `${plan}.log`]
  writeFileSync(counts, '')
  writeFileSync(log, '')
  const clear = (): void => {
    rmSync(plan, { force: true })
    // In its place: the module has the file mapped.
    const file = openSync(counts, 'r+')
    writeSync(file, Buffer.alloc(8 * MAX_RULES), 0, 8 * MAX_RULES, 0)
    closeSync(file)
    truncateSync(log)
  }
  const environment = { ...behind.environment, ATTESTRY_FAULT_MODULE: behind.module, ATTESTRY_FAULT_PLAN: plan }
  return {
    token: { ...behind, module, environment },
    inject(rules) {
      clear()
      writeFileSync(`${plan}.new`, rules.map(lineOf).join(''))
      renameSync(`${plan}.new`, plan)
    },
    clear,
    log: () => readFileSync(log, 'utf8').split('\n').slice(0, -1),
  }
}

function lineOf({ fn, action, call = 1, onwards = false }: Rule): string {
  return `${fn} ${call}${onwards ? '+' : ''} ${action}\n`
}
