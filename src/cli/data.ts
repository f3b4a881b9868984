import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { toHex, type Hex } from '../core/bytes.ts'
import { ACCESS_POLICY } from '../ledger/abi.ts'
import { dataId } from '../record/hash.ts'
import { signerOf, usingLedger, withLedger, withSigner, type PlaceOptions } from './context.ts'
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
  return new Command('data').addCommand(register)
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
