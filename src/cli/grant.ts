import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { ACCESS_POLICY } from '../ledger/abi.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { DigestSigner } from '../ledger/signer.ts'
import { UNLIMITED, grantId, type Grant } from '../record/grant.ts'
import { ZERO_HASH, operationId } from '../record/hash.ts'
import { addressOf, makeChange } from './change.ts'
import { DIRECTORY, signerOf, usingLedger, withLedger, withSigner, type PlaceOptions } from './context.ts'
import { bytes32, moment, uint64, uint8 } from './options.ts'
import { Output, short, table } from './output.ts'

interface NarrowOptions extends PlaceOptions {
  readonly to: string
  readonly operation?: string
  readonly from?: bigint
  readonly until?: bigint
  readonly uses?: bigint
  readonly vmm?: Hex
  readonly host?: Hex
  readonly assurance?: number
  readonly depth?: number
  readonly payer?: string
}

/** `attestry grant`: who may do what with data. */
export function grantCommand(): Command {
  const create = narrowing(withSigner(withLedger(new Command('create'))))
    .description("grant access to one's data: signed as EIP-712 by the owner, sent by the payer")
    .requiredOption('--data <dataId>', 'the data', bytes32)
    .addHelpText(
      'after',
      '\nExample:\n  attestry grant create --as alice --data 0x… --to bob --operation decrypt --until +30d --depth 1',
    )
    .action((options: NarrowOptions & { readonly data: Hex }) => createGrant(options))
  const delegate = narrowing(withSigner(withLedger(new Command('delegate'))))
    .description('delegate from a grant that one holds; what is not said is as in that grant')
    .requiredOption('--grant <grantId>', 'the grant to delegate from', bytes32)
    .addHelpText('after', '\nExample:\n  attestry grant delegate --as bob --grant 0x… --to dave --until +1d')
    .action((options: NarrowOptions & { readonly grant: Hex }) => delegateGrant(options))
  const revoke = withSigner(withLedger(new Command('revoke')))
    .description('revoke a grant, and with it all that was delegated from it')
    .argument('<grantId>', 'the grant', bytes32)
    .addHelpText('after', '\nExample:\n  attestry grant revoke 0x… --as alice')
    .action(revokeGrant)
  const cancel = withSigner(withLedger(new Command('cancel')))
    .description('make one’s signature of a grant that nobody has entered yet worthless, for good')
    .argument('<grantId>', 'the grant that was signed', bytes32)
    .addHelpText('after', '\nExample:\n  attestry grant cancel 0x… --as alice')
    .action(cancelGrant)
  const list = withLedger(new Command('list'))
    .description('list grants, from the ledger’s log')
    .option('--data <dataId>', 'only those for this data', bytes32)
    .addHelpText('after', '\nExample:\n  attestry grant list --data 0x…')
    .action(listGrants)
  const commands = [create, delegate, revoke, cancel, list]
  return commands.reduce((group, command) => group.addCommand(command), new Command('grant'))
}

function narrowing(command: Command): Command {
  return command
    .requiredOption('--to <address>', "who gets it: an address, or one of the local stack's people")
    .addOption(new Option('--operation <name>', 'only this operation').choices(['encrypt', 'decrypt']))
    .option('--from <time>', 'not before: +1h, or a date', moment)
    .option('--until <time>', 'not after: +30d, or a date', moment)
    .option('--uses <number>', 'at most so many uses', uint64)
    .option('--vmm <vmmHash>', 'only under this VMM', bytes32)
    .option('--host <hostId>', 'only on this host', bytes32)
    .option('--assurance <level>', 'at least this assurance of the host: 1 software, 2 hardware', uint8)
    .option('--depth <number>', 'how many further delegations may hang below', uint8)
    .option('--payer <name>', "who sends the transaction, of the local stack's people (by default the signer)")
}

async function createGrant(options: NarrowOptions & { readonly data: Hex }): Promise<void> {
  const grant: Grant = {
    dataId: options.data,
    grantee: await addressOf(options, options.to),
    operationId: options.operation === undefined ? ZERO_HASH : operationId(options.operation),
    notBefore: options.from ?? 0n,
    notAfter: options.until ?? UNLIMITED,
    maxUses: options.uses ?? UNLIMITED,
    vmmHash: options.vmm ?? ZERO_HASH,
    hostId: options.host ?? ZERO_HASH,
    minAssurance: options.assurance ?? 0,
    delegationDepth: options.depth ?? 0,
    parent: ZERO_HASH,
    salt: toHex(randomBytes(32)),
  }
  await enter(options, () => Promise.resolve(grant))
}

async function delegateGrant(options: NarrowOptions & { readonly grant: Hex }): Promise<void> {
  const grantee = await addressOf(options, options.to)
  await enter(options, async (ledger) => {
    const { grant: parent } = await ledger.grantOf(options.grant)
    return {
      dataId: parent.dataId,
      grantee,
      operationId: options.operation === undefined ? parent.operationId : operationId(options.operation),
      notBefore: options.from ?? parent.notBefore,
      notAfter: options.until ?? parent.notAfter,
      maxUses: options.uses ?? parent.maxUses,
      vmmHash: options.vmm ?? parent.vmmHash,
      hostId: options.host ?? parent.hostId,
      minAssurance: options.assurance ?? parent.minAssurance,
      delegationDepth: options.depth ?? 0,
      parent: options.grant,
      salt: toHex(randomBytes(32)),
    }
  })
}

async function enter(options: NarrowOptions, make: (ledger: Ledger) => Promise<Grant>): Promise<void> {
  const output = new Output(options.json === true)
  const grantor = await signerOf(options)
  const payer =
    options.payer === undefined ? grantor : await signerOf({ dir: options.dir ?? DIRECTORY, as: options.payer })
  await usingLedger(options, async (ledger) => {
    const grant = await make(ledger)
    const { id, hash, blockNumber } = await output.progress('granting', () =>
      grantBySignature(ledger, grant, grantor, payer),
    )
    output.result(
      { ok: true, grantId: id, grant, transaction: { hash, blockNumber } },
      `grant    ${id}\ngrantee  ${grant.grantee}\nblock    ${blockNumber}`,
    )
  })
}

/** Has a grantor sign a grant, and a payer send it. */
export async function grantBySignature(
  ledger: Ledger,
  grant: Grant,
  grantor: DigestSigner,
  payer: DigestSigner,
): Promise<{ id: Hex; hash: Hex; blockNumber: bigint }> {
  const id = grantId(ledger.domain('accessPolicy'), grant)
  const signature = await grantor.signDigest(fromHex(id, 32))
  const data = ACCESS_POLICY.encodeFunctionData('grantBySignature', [grant, grantor.address, signature]) as Hex
  const { hash, blockNumber } = await ledger.submit(payer, { to: 'accessPolicy', data })
  return { id, hash, blockNumber }
}

async function revokeGrant(id: Hex, options: PlaceOptions): Promise<void> {
  const words = `revoked ${id}`
  const json = { grantId: id }
  await makeChange(options, { doing: 'revoking', to: 'accessPolicy', name: 'revoke', args: [id], json, words })
}

async function cancelGrant(id: Hex, options: PlaceOptions): Promise<void> {
  const words = `cancelled ${id}`
  const json = { grantId: id }
  await makeChange(options, { doing: 'cancelling', to: 'accessPolicy', name: 'cancel', args: [id], json, words })
}

async function listGrants(options: PlaceOptions & { readonly data?: Hex }): Promise<void> {
  const output = new Output(options.json === true)
  await usingLedger(options, async (ledger) => {
    const { number } = await ledger.latestBlock()
    const events = await ledger.logs('accessPolicy', ledger.deployment.block, number)
    const revoked = new Set(events.flatMap((event) => (event.name === 'GrantRevoked' ? [event.args.grantId] : [])))
    const grants = events.flatMap((event) => {
      if (event.name !== 'Granted' || (options.data !== undefined && event.args.dataId !== options.data)) return []
      const { grantId: id, grantor, grant } = event.args
      return [{ grantId: id, grantor, grant, block: event.blockNumber, revoked: revoked.has(id) }]
    })
    output.result(
      { ok: true, grants },
      grants.length === 0
        ? 'no grants'
        : table([
            ['grant', 'data', 'from', 'to', 'parent', 'state'],
            ...grants.map(({ grantId: id, grantor, grant, revoked: gone }) => [
              id,
              short(grant.dataId),
              short(grantor),
              short(grant.grantee),
              grant.parent === ZERO_HASH ? '' : short(grant.parent),
              gone ? 'revoked' : grant.notAfter < BigInt(Math.floor(Date.now() / 1000)) ? 'expired' : 'active',
            ]),
          ]),
    )
  })
}
