import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { toHex, type Hex } from '../core/bytes.ts'
import { ACCESS_POLICY } from '../ledger/abi.ts'
import { ZERO_ADDRESS, dataId } from '../record/hash.ts'
import { addressOf, makeChange } from './change.ts'
import { signerOf, usingLedger, withLedger, withSigner, type PlaceOptions } from './context.ts'
import { UsageError } from './error.ts'
import { grantsText, readGrants } from './grant-list.ts'
import { bytes32 } from './options.ts'
import { Output } from './output.ts'

interface RegisterOptions extends PlaceOptions {
  readonly salt?: Hex
}

/** `attestry data`: what belongs to whom. */
export function dataCommand(): Command {
  const register = withSigner(withLedger(new Command('register')))
    .description('enter data in the registry; the signer becomes its owner')
    .option('--salt <bytes32>', 'the salt of the dataId (by default random)', bytes32)
    .addHelpText('after', '\nExample:\n  attestry data register --as alice')
    .action(registerData)
  const offer = withSigner(withLedger(new Command('offer')))
    .description("offer one's data to another owner, who accepts it; grants stay in force")
    .argument('<dataId>', 'the data', bytes32)
    .requiredOption('--to <address>', "who may accept: an address, one of the local stack's people, or nobody")
    .addHelpText(
      'after',
      '\nExamples:\n  attestry data offer 0x… --to bob --as alice\n  attestry data offer 0x… --to nobody --as alice   # withdraws the offer',
    )
    .action(offerData)
  const accept = withSigner(withLedger(new Command('accept')))
    .description('become the owner of data that was offered to the signer')
    .argument('<dataId>', 'the data', bytes32)
    .addHelpText('after', '\nExample:\n  attestry data accept 0x… --as bob')
    .action(acceptData)
  const show = withLedger(new Command('show'))
    .description('show who owns data, whom it is offered to, and its grants')
    .argument('<dataId>', 'the data', bytes32)
    .addHelpText('after', '\nExample:\n  attestry data show 0x…')
    .action(showData)
  return [register, show, offer, accept].reduce((group, command) => group.addCommand(command), new Command('data'))
}

async function registerData(options: RegisterOptions): Promise<void> {
  const output = new Output(options.json === true)
  const signer = await signerOf(options)
  const salt = options.salt ?? toHex(randomBytes(32))
  const { hash, blockNumber } = await usingLedger(options, (ledger) =>
    output.progress('registering', () =>
      ledger.submit(signer, {
        to: 'accessPolicy',
        data: ACCESS_POLICY.encodeFunctionData('registerData', [salt]) as Hex,
      }),
    ),
  )
  const id = dataId(signer.address, salt)
  output.result(
    { ok: true, dataId: id, owner: signer.address, transaction: { hash, blockNumber } },
    `data   ${id}\nowner  ${signer.address}\nblock  ${blockNumber}`,
  )
}

async function showData(id: Hex, options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  await usingLedger(options, async (ledger) => {
    const [owner, candidate] = [await ledger.ownerOf(id), await ledger.candidateOf(id)]
    if (owner === ZERO_ADDRESS) throw new UsageError('USAGE', `no such data is registered: ${id}`)
    const grants = (await readGrants(ledger)).filter(({ grant }) => grant.dataId === id)
    output.result(
      { ok: true, dataId: id, owner, candidate: candidate === ZERO_ADDRESS ? null : candidate, grants },
      [
        `data     ${id}`,
        `owner    ${owner}`,
        `offered  ${candidate === ZERO_ADDRESS ? 'to nobody' : `to ${candidate}`}`,
        grantsText(grants),
      ].join('\n'),
    )
  })
}

async function offerData(id: Hex, options: PlaceOptions & { readonly to: string }): Promise<void> {
  const candidate = options.to === 'nobody' ? ZERO_ADDRESS : await addressOf(options, options.to)
  const json = { dataId: id, candidate }
  const words = candidate === ZERO_ADDRESS ? `withdrew the offer of ${id}` : `offered ${id}\nto ${candidate}`
  const args = [id, candidate]
  await makeChange(options, { doing: 'offering', to: 'accessPolicy', name: 'offerOwnership', args, json, words })
}

async function acceptData(id: Hex, options: PlaceOptions): Promise<void> {
  const words = `accepted ${id}`
  const json = { dataId: id, owner: (await signerOf(options)).address }
  await makeChange(options, {
    doing: 'accepting',
    to: 'accessPolicy',
    name: 'acceptOwnership',
    args: [id],
    json,
    words,
  })
}
