import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { ACCESS_POLICY } from '../ledger/abi.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { DigestSigner } from '../ledger/signer.ts'
import { UNLIMITED, grantId, type Grant } from '../record/grant.ts'
import { ZERO_HASH, operationId } from '../record/hash.ts'
import { parseSignedGrant, signedGrantJson, type SignedGrant } from '../record/signed-grant.ts'
import { addressOf, makeChange } from './change.ts'
import { DIRECTORY, signerOf, usingLedger, withLedger, withSigner, type PlaceOptions } from './context.ts'
import { UsageError } from './error.ts'
import { grantsText, readGrants } from './grant-list.ts'
import { OPERATIONS, grantText } from './grant-text.ts'
import { bytes32, end, moment, small, utc, whole } from './options.ts'
import { Output } from './output.ts'
import { readSigned, writeSigned } from './signed-file.ts'

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
  readonly signOnly?: string
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
  const submit = withSigner(withLedger(new Command('submit')))
    .description('enter a grant that its grantor signed (--sign-only); the signer of the transaction only pays')
    .argument('<file>', 'the signed grant')
    .addHelpText('after', '\nExample:\n  attestry grant submit grant.json --as bob')
    .action(submitGrant)
  const revoke = withSigner(withLedger(new Command('revoke')))
    .description('revoke a grant, and with it all that was delegated from it')
    .argument('<grantId>', 'the grant', bytes32)
    .addHelpText('after', '\nExample:\n  attestry grant revoke 0x… --as alice')
    .action(revokeGrant)
  const cancel = withSigner(withLedger(new Command('cancel')))
    .description('make one’s signature of a grant that nobody has entered yet worthless, for good')
    .argument('<grantId>', 'the grant that was signed; whether it ever was, the ledger cannot know', bytes32)
    .addHelpText('after', '\nExample:\n  attestry grant cancel 0x… --as alice')
    .action(cancelGrant)
  const list = withLedger(new Command('list'))
    .description('list grants, from the ledger’s log')
    .option('--data <dataId>', 'only those for this data', bytes32)
    .addHelpText('after', '\nExample:\n  attestry grant list --data 0x…')
    .action(listGrants)
  const commands = [create, delegate, submit, revoke, cancel, list]
  return commands.reduce((group, command) => group.addCommand(command), new Command('grant'))
}

function narrowing(command: Command): Command {
  const time = 'a day (2027-01-31: its beginning, UTC), 2027-01-31T12:00:00Z, or seconds since the epoch'
  return command
    .requiredOption('--to <address>', "who gets it: an address, or one of the local stack's people")
    .addOption(new Option('--operation <name>', 'only this operation').choices(OPERATIONS))
    .option('--from <time>', `not before: +1h, ${time}`, moment)
    .option('--until <time>', `not after: +30d, ${time}`, end)
    .option('--uses <number>', 'at most so many uses', whole(1n))
    .option('--vmm <vmmHash>', 'only under this VMM', bytes32)
    .option('--host <hostId>', 'only on this host', bytes32)
    .option('--assurance <level>', 'at least this assurance of the host: 0 any, 1 software, 2 hardware', small(0, 2))
    .option('--depth <number>', 'how many further delegations may hang below, at most 8', small(0, 8))
    .option('--payer <name>', "who sends the transaction, of the local stack's people (by default the signer)")
    .option('--sign-only <file>', 'write the signed grant to this file; "attestry grant submit" enters it')
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
    const { grant: parent, grantedAt } = await ledger.grantOf(options.grant)
    if (grantedAt === 0n) throw new UsageError('USAGE', `--grant ${options.grant}: no such grant is on the ledger`)
    requireNarrower(options, parent)
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

/** What the contract would refuse as wider, or too deep, with the bound of the grant that is delegated from. @throws UsageError */
function requireNarrower({ from, until, uses, assurance, depth }: NarrowOptions, parent: Grant): void {
  const bounds: readonly (readonly [string, bigint | undefined, boolean, bigint])[] = [
    ['--from', from, from !== undefined && from < parent.notBefore, parent.notBefore],
    ['--until', until, until !== undefined && until > parent.notAfter, parent.notAfter],
    ['--uses', uses, uses !== undefined && uses > parent.maxUses, parent.maxUses],
  ]
  for (const [option, given, isWider, bound] of bounds) {
    if (!isWider) continue
    const word = (value: bigint): string => (option === '--uses' ? String(value) : utc(value))
    throw wider(option, word(given ?? 0n), `${option === '--from' ? 'begins' : 'ends'} with ${word(bound)}`)
  }
  if (assurance !== undefined && assurance < parent.minAssurance) {
    throw wider('--assurance', String(assurance), `asks for ${parent.minAssurance}`)
  }
  const most = parent.delegationDepth - 1
  if (most < 0) throw new UsageError('USAGE', 'the grant to delegate from allows no delegation: its depth is 0')
  if ((depth ?? 0) > most) throw wider('--depth', String(depth), `allows ${most} below this one`)
}

function wider(option: string, given: string, bound: string): UsageError {
  return new UsageError('USAGE', `${option} ${given}: the grant to delegate from ${bound}`)
}

async function enter(options: NarrowOptions, make: (ledger: Ledger) => Promise<Grant>): Promise<void> {
  const output = new Output(options.json === true)
  const grantor = await signerOf(options)
  await usingLedger(options, async (ledger) => {
    const grant = await make(ledger)
    if (grant.notBefore > grant.notAfter) {
      const [from, until] = [utc(grant.notBefore), utc(grant.notAfter)]
      throw new UsageError('USAGE', `--from ${from} is after --until ${until}: the grant would never be valid`)
    }
    const signed = await signGrant(ledger, grant, grantor)
    if (options.signOnly === undefined) return send(output, ledger, signed, await payerOf(options, grantor))
    await writeSigned(options.signOnly, signedGrantJson(signed))
    const id = idOf(signed)
    output.result(
      { ok: true, grantId: id, grant, file: options.signOnly },
      [
        grantText(id, grantor.address, grant),
        `signed, and not entered: whoever has the file can enter it:`,
        `  attestry grant submit ${options.signOnly}`,
        `worthless again by:`,
        `  attestry grant cancel ${id.slice(0, 10)}…   (the whole id, by the grantor)`,
      ].join('\n'),
    )
  })
}

async function submitGrant(file: string, options: NarrowOptions): Promise<void> {
  const output = new Output(options.json === true)
  const payer = await signerOf(options)
  await usingLedger(options, (ledger) =>
    send(output, ledger, readSigned(file, parseSignedGrant, ledger.domain('accessPolicy')), payer),
  )
}

async function payerOf(options: NarrowOptions, grantor: DigestSigner): Promise<DigestSigner> {
  return options.payer === undefined ? grantor : signerOf({ dir: options.dir ?? DIRECTORY, as: options.payer })
}

async function send(output: Output, ledger: Ledger, signed: SignedGrant, payer: DigestSigner): Promise<void> {
  const { id, hash, blockNumber } = await output.progress('granting', () => enterGrant(ledger, signed, payer))
  const { grant, grantor } = signed
  output.result(
    { ok: true, grantId: id, grant, transaction: { hash, blockNumber } },
    `${grantText(id, grantor, grant)}\nblock      ${blockNumber}`,
  )
}

/** Has a grantor sign a grant, and a payer send it. */
export async function grantBySignature(
  ledger: Ledger,
  grant: Grant,
  grantor: DigestSigner,
  payer: DigestSigner,
): Promise<{ id: Hex; hash: Hex; blockNumber: bigint }> {
  return enterGrant(ledger, await signGrant(ledger, grant, grantor), payer)
}

async function signGrant(ledger: Ledger, grant: Grant, grantor: DigestSigner): Promise<SignedGrant> {
  const domain = ledger.domain('accessPolicy')
  const signature = await grantor.signDigest(fromHex(grantId(domain, grant), 32))
  return { domain, grant, grantor: grantor.address, signature }
}

async function enterGrant(
  ledger: Ledger,
  signed: SignedGrant,
  payer: DigestSigner,
): Promise<{ id: Hex; hash: Hex; blockNumber: bigint }> {
  const { grant, grantor, signature } = signed
  const data = ACCESS_POLICY.encodeFunctionData('grantBySignature', [grant, grantor, signature]) as Hex
  const { hash, blockNumber } = await ledger.submit(payer, { to: 'accessPolicy', data })
  return { id: idOf(signed), hash, blockNumber }
}

function idOf({ domain, grant }: SignedGrant): Hex {
  return grantId(domain, grant)
}

async function revokeGrant(id: Hex, options: PlaceOptions): Promise<void> {
  const words = `revoked ${id}`
  const json = { grantId: id }
  await makeChange(options, { doing: 'revoking', to: 'accessPolicy', name: 'revoke', args: [id], json, words })
}

async function cancelGrant(id: Hex, options: PlaceOptions): Promise<void> {
  // The ledger sees no signature before somebody enters it: any 32 bytes can be cancelled.
  const words = `the signer’s signature of this grant, if there ever was one, is worth nothing:\n${id}\ncancelled`
  const json = { grantId: id }
  await makeChange(options, { doing: 'cancelling', to: 'accessPolicy', name: 'cancel', args: [id], json, words })
}

async function listGrants(options: PlaceOptions & { readonly data?: Hex }): Promise<void> {
  const output = new Output(options.json === true)
  await usingLedger(options, async (ledger) => {
    const all = await readGrants(ledger)
    const grants = options.data === undefined ? all : all.filter(({ grant }) => grant.dataId === options.data)
    output.result({ ok: true, grants }, grantsText(grants))
  })
}
