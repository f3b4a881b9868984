import pkcs11js, { type Handle, type PKCS11 } from 'pkcs11js'
import { Pkcs11Error } from '../error.ts'
import { RETURN_VALUES } from '../errors/return-values.ts'
import type { Token } from '../token.ts'
import type { ProbeAttempt, ProbeOutcome, ProbedKey } from './report.ts'
import type { ScratchKey } from './scratch-key.ts'

/** Collects what attempts came to. */
export class Attempts {
  readonly list: ProbeAttempt[] = []
  readonly #token: Token

  constructor(token: Token) {
    this.#token = token
  }

  /**
   * Makes one attempt, in several ways, each in a session of its own; the first that succeeds counts, else the refusal that says most.
   *
   * @param success what it means where the module does not refuse
   * @param ways each returns where it succeeded, and throws where it was refused
   */
  make(
    name: string,
    { kind }: Pick<ScratchKey, 'kind'>,
    success: ProbeOutcome,
    ...ways: readonly ((pkcs11: PKCS11, session: Handle) => unknown)[]
  ): void {
    let refusal: Pkcs11Error | undefined
    for (const way of ways) {
      try {
        this.#token.withWritableSession('C_GetInfo', way)
        this.#note(name, kind, success, 'CKR_OK')
        return
      } catch (error) {
        if (!(error instanceof Pkcs11Error) || error.rv === undefined) throw error
        if (refusal === undefined || weight(error) > weight(refusal)) refusal = error
      }
    }
    if (refusal === undefined) return
    this.#note(name, kind, UNAVAILABLE.has(refusal.rv ?? 0) ? 'unavailable' : 'refused', nameOf(refusal.rv ?? 0))
  }

  #note(name: string, key: ProbedKey, outcome: ProbeOutcome, rv: string): void {
    this.list.push({ name, key, outcome, rv })
  }
}

/** What says that there is no such function or mechanism, or none for this. */
const UNAVAILABLE: ReadonlySet<number> = new Set([pkcs11js.CKR_FUNCTION_NOT_SUPPORTED, pkcs11js.CKR_MECHANISM_INVALID])

/** What a refusal says that was about the manner of the attempt, and not about the key. */
const ABOUT_MANNER: ReadonlySet<number> = new Set([
  pkcs11js.CKR_ARGUMENTS_BAD,
  pkcs11js.CKR_MECHANISM_PARAM_INVALID,
  pkcs11js.CKR_TEMPLATE_INCONSISTENT,
  pkcs11js.CKR_TEMPLATE_INCOMPLETE,
  pkcs11js.CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
  pkcs11js.CKR_WRAPPING_KEY_HANDLE_INVALID,
])

function weight({ rv = 0 }: Pkcs11Error): number {
  return UNAVAILABLE.has(rv) ? 0 : ABOUT_MANNER.has(rv) ? 1 : 2
}

function nameOf(rv: number): string {
  return RETURN_VALUES[rv]?.[0] ?? `0x${rv.toString(16)}`
}
