import type { Hex } from '../core/bytes.ts'
import type { SigningScope } from '../hsm/hsm.ts'
import { INTERFACES } from '../ledger/abi.ts'
import type { ContractName, Deployment } from '../ledger/deployment.ts'
import { MAX_GAS_PRICE_WEI } from '../ledger/transaction.ts'

/** All that a host's ledger key calls. */
const CALLS: Readonly<Partial<Record<ContractName, readonly string[]>>> = {
  auditLog: ['commit', 'anchor'],
  hostRegistry: ['rotateAddress'],
}

/** What the ledger key of a host may sign for on a ledger. */
export function signingScope({ chainId, contracts }: Deployment): SigningScope {
  const addressOf = (name: ContractName): Hex => contracts[name].address.toLowerCase() as Hex
  const calls = Object.entries(CALLS).map(([contract, functions]) => {
    const name = contract as ContractName
    const selectors = functions.map((one) => INTERFACES[name].getFunction(one)?.selector as Hex)
    return [addressOf(name), selectors] as const
  })
  return {
    chainId,
    auditLog: addressOf('auditLog'),
    hostRegistry: addressOf('hostRegistry'),
    calls: new Map(calls),
    maxGasPriceWei: MAX_GAS_PRICE_WEI,
  }
}
