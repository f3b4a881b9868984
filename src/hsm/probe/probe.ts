import type { TokenConfig } from '../token.ts'
import { Token } from '../token.ts'
import { Attempts } from './attempt.ts'
import { tryAttributes } from './attributes.ts'
import { tryDerivation } from './derivation.ts'
import type { ProbeReport, ProbeVerdict } from './report.ts'
import { type Refusal, type ScratchKey, scratchDataKey, scratchLedgerKey } from './scratch-key.ts'
import { tryUsage } from './usage.ts'
import { tryWrapping } from './wrapping.ts'

/**
 * Makes keys as Attestry makes its own, but for the session only, and tries in every known way to steal them, to weaken them,
 * and to use them for what they are not for.
 *
 * What a module refuses here it refuses now, of these keys: no proof that nobody can steal them, but modules that are known to
 * give keys away are found out.
 *
 * @throws Pkcs11Error as `Token` does
 */
export function probe(config: TokenConfig, pin: () => string): ProbeReport {
  const token = new Token(config, pin)
  const attempts = new Attempts(token)
  const keys = [scratchLedgerKey(token), scratchDataKey(token)]
  for (const key of keys) {
    if (!isMade(key)) continue
    tryAttributes(attempts, key)
    tryUsage(attempts, key)
    tryDerivation(attempts, token, key)
    tryWrapping(attempts, token, key)
  }
  const verdictOf = (kind: ScratchKey['kind']): ProbeVerdict => {
    const given = attempts.list.filter(({ key, outcome }) => key === kind && GIVEN_UP.has(outcome))
    const reasons = [
      ...keys.filter((key) => key.kind === kind).flatMap(({ shortcomings }) => shortcomings),
      ...given.map(({ name, outcome }) => `${name}: ${outcome}`),
    ]
    return { ok: reasons.length === 0, reasons }
  }
  const [ledger, data] = [verdictOf('ledger'), verdictOf('data')]
  return {
    ok: ledger.ok && data.ok,
    module: config.module,
    ...token.describe(),
    keys: { ledger, data },
    attempts: attempts.list,
  }
}

const GIVEN_UP: ReadonlySet<string> = new Set(['stolen', 'weakened', 'misused'])

function isMade(key: ScratchKey | Refusal): key is ScratchKey {
  return 'handle' in key
}
