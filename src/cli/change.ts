import type { Hex } from '../core/bytes.ts'
import { INTERFACES } from '../ledger/abi.ts'
import type { ContractName } from '../ledger/deployment.ts'
import { DIRECTORY, signerOf, usingLedger, type PlaceOptions } from './context.ts'
import { UsageError } from './error.ts'
import { Output } from './output.ts'

/** One call that changes one thing on the ledger, and what is said of it. */
export interface Change {
  /** What goes on meanwhile. */
  readonly doing: string
  readonly to: ContractName
  readonly name: string
  readonly args: readonly unknown[]
  /** What `--json` prints beside the transaction. */
  readonly json: object
  /** What is printed otherwise, before a line "in block N". */
  readonly words: string
}

/** Has the signer make a change, waits until it is in a block, and says so. */
export async function makeChange(options: PlaceOptions, change: Change): Promise<void> {
  const output = new Output(options.json === true)
  const signer = await signerOf(options)
  const { doing, to, name, args, json, words } = change
  const data = INTERFACES[to].encodeFunctionData(name, args) as Hex
  const { hash, blockNumber } = await usingLedger(options, (ledger) =>
    output.progress(doing, () => ledger.submit(signer, { to, data })),
  )
  output.result({ ok: true, ...json, transaction: { hash, blockNumber } }, `${words}\nin block ${blockNumber}`)
}

/** What `--to` names: an address, or one of the local stack's people. @throws UsageError */
export async function addressOf(options: PlaceOptions, who: string): Promise<Hex> {
  if (/^0x[0-9a-fA-F]{40}$/.test(who)) return who.toLowerCase() as Hex
  if (/^0x/i.test(who)) throw new UsageError('USAGE', `--to ${who}: expected 0x and 40 hexadecimal digits`)
  return (await signerOf({ dir: options.dir ?? DIRECTORY, as: who })).address
}
