import type { Hex } from '../core/bytes.ts'
import type { ContractName } from '../ledger/deployment.ts'
import type { ApproversChanged, DecisionApproved, RegistrarChanged } from '../ledger/event.ts'
import { decisionHash, type Decision } from '../record/decision.ts'

/** Those who decide, in one term. */
export interface Term {
  readonly number: number
  readonly approvers: readonly Hex[]
  readonly threshold: number
}

/**
 * Who decides, what they decided by k-of-n, and who registers hosts by that: all of it from the events, so that a decision
 * which the approvals do not carry is found out.
 */
export class DecisionHistory {
  /** Undefined before the first `ApproversChanged`. */
  term: Term | undefined
  readonly registrars = new Map<Hex, { readonly isRegistrar: boolean; readonly nonce: bigint }>()
  readonly #approvals = new Map<string, Set<Hex>>()
  /** The transaction that made the contracts' first registrars: nobody could decide about them. */
  #founding: Hex | undefined

  isApprover(account: Hex): boolean {
    return this.term?.approvers.includes(account) ?? false
  }

  isRegistrar(account: Hex): boolean {
    return this.registrars.get(account)?.isRegistrar ?? false
  }

  /** @returns in words, what is wrong with it; undefined where nothing is */
  approved({ args, contract }: DecisionApproved): string | undefined {
    const { decision, approver, term, approvals } = args
    const known = this.#approvals.get(key(contract, term, decision)) ?? new Set<Hex>()
    this.#approvals.set(key(contract, term, decision), known)
    const isRepeated = known.has(approver)
    known.add(approver)
    if (term !== this.term?.number) return `an approval in term ${term}, it is ${String(this.term?.number)}`
    if (isRepeated) return `${approver} approves ${decision} twice`
    if (approvals === known.size) return undefined
    return `approval ${known.size} of ${decision} is counted as ${approvals}`
  }

  /** How many approvers of the present term carry a decision, and of how many it needs. */
  supportOf(contract: ContractName, decision: Decision): { readonly approvals: number; readonly threshold: number } {
    const approvers = this.#approvals.get(key(contract, this.term?.number ?? 0, decisionHash(decision)))
    const counted = [...(approvers ?? [])].filter((approver) => this.isApprover(approver))
    return { approvals: counted.length, threshold: this.term?.threshold ?? Infinity }
  }

  /** @returns in words, why it could not take effect; undefined where it could */
  approversChanged({ args: { term, approvers, threshold } }: ApproversChanged): string | undefined {
    const before = this.term
    const fault =
      before === undefined
        ? undefined
        : this.#unsupported('vmmRegistry', {
            kind: 'ApproversChange',
            content: { approvers, threshold, term: before.number },
          })
    this.term = { number: term, approvers, threshold }
    if (term !== (before?.number ?? 0) + 1) return `term ${term} follows on ${before?.number ?? 0}`
    return fault
  }

  /** @returns in words, why it could not take effect; undefined where it could */
  registrarChanged({ args, transactionHash }: RegistrarChanged): string | undefined {
    const { registrar, isRegistrar, nonce } = args
    this.#founding ??= transactionHash
    const before = this.registrars.get(registrar)?.nonce ?? 0n
    this.registrars.set(registrar, { isRegistrar, nonce })
    if (nonce !== before + 1n)
      return `change ${nonce.toString()} of registrar ${registrar} follows on ${before.toString()}`
    if (transactionHash === this.#founding) return undefined
    const term = this.term?.number ?? 0
    return this.#unsupported('hostRegistry', {
      kind: 'RegistrarChange',
      content: { registrar, isRegistrar, nonce: before, term },
    })
  }

  #unsupported(contract: ContractName, decision: Decision): string | undefined {
    const { approvals, threshold } = this.supportOf(contract, decision)
    return approvals >= threshold ? undefined : `${decision.kind} with ${approvals} approvals of ${threshold}`
  }
}

function key(contract: ContractName, term: number, decision: Hex): string {
  return `${contract}/${term}/${decision}`
}
