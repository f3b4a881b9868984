import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Command, Option } from 'commander'
import type { Hex } from '../core/bytes.ts'
import { stringify } from '../record/json.ts'
import { parseReceipt } from '../record/parse.ts'
import { receiptFaults, type Receipt } from '../record/receipt.ts'
import {
  configOf,
  ledgerPlace,
  readInput,
  signerOf,
  stackDirectory,
  withLedger,
  withSigner,
  type PlaceOptions,
} from './context.ts'
import { Ledger } from '../ledger/ledger.ts'
import { RefusalOnRecord, UsageError } from './error.ts'
import { ClientError, OperationRefused, agentStatus, sendRequest, signRequest, type Step } from '../agent/client.ts'
import { bytes32, moment } from './options.ts'
import { Output, short, table } from './output.ts'

interface RunOptions extends PlaceOptions {
  readonly data: Hex
  readonly grant?: Hex
  readonly in: string
  readonly out: string
  readonly receipt?: string
  readonly socket?: string
  readonly host?: Hex
  readonly expires?: bigint
  readonly release?: string
}

/** `attestry op`: operations on data. */
export function operationCommand(): Command {
  const run = withSigner(withLedger(new Command('run')))
    .description('ask the agent for one operation, and keep its result and its receipt')
    .argument('<operation>', 'encrypt or decrypt')
    .requiredOption('--data <dataId>', 'the data it is about', bytes32)
    .requiredOption('--in <file>', 'the input')
    .requiredOption('--out <file>', 'where the result goes')
    .option('--grant <grantId>', "the grant to act under; without it, as the data's owner", bytes32)
    .option('--receipt <file>', 'where the receipt goes (by default the result’s name with .receipt.json)')
    .option('--socket <path>', "the agent's socket, instead of the local stack's")
    .option('--host <hostId>', 'the host that must answer, instead of the one behind the socket', bytes32)
    .option('--expires <time>', 'when the request expires: +5m, or a date (default +5m)', moment)
    .addOption(
      new Option('--release <when>', 'what to wait for before the result is released').choices([
        'journaled',
        'submitted',
        'confirmed',
      ]),
    )
    .addHelpText(
      'after',
      `
Examples:
  attestry op run encrypt --as alice --data 0x… --in letter.txt --out letter.enc
  attestry op run decrypt --as bob --data 0x… --grant 0x… --in letter.enc --out letter.txt`,
    )
    .action(runOperation)
  return new Command('op').addCommand(run)
}

async function runOperation(operation: string, options: RunOptions): Promise<void> {
  const output = new Output(options.json === true)
  const input = readInput(options.in)
  const signer = await signerOf(options)
  const socket = options.socket ?? (await configOf({ dir: stackDirectory(options) })).api.socket
  const { rpc, deployment } = await ledgerPlace(options)
  const ledger = await Ledger.connect(rpc, deployment)
  try {
    const hostId = options.host ?? ((await agentStatus(socket))['hostId'] as Hex)
    const signed = await signRequest(ledger.domain('auditLog'), signer, {
      operation,
      dataId: options.data,
      hostId,
      input,
      ...(options.grant === undefined ? {} : { grantId: options.grant }),
      ...(options.expires === undefined ? {} : { expiry: options.expires }),
    })
    const answer = await output.progress(`${operation}: waiting for the agent and the ledger`, () =>
      sendRequest(socket, signed, input, options.release).catch(async (error: unknown) => {
        throw await withReceiptKept(error, ledger, hostId, options)
      }),
    )
    await checkReceipt(answer.receipt, ledger, hostId)
    const receiptPath = resolve(options.receipt ?? `${options.out}.receipt.json`)
    await save(options.out, answer.result)
    await save(receiptPath, `${stringify(answer.receipt, 2)}\n`)
    answer.result.fill(0)
    output.result(
      {
        ok: true,
        out: resolve(options.out),
        receiptFile: receiptPath,
        receipt: answer.receipt,
        transaction: answer.transaction,
        steps: answer.steps,
      },
      [
        stepsTable(answer.steps),
        '',
        `result   ${resolve(options.out)}`,
        `receipt  ${receiptPath}`,
        `record   ${answer.receipt.record.seq} of host ${short(answer.receipt.record.hostId)}` +
          (answer.transaction === null ? '' : `, in block ${answer.transaction.blockNumber}`),
      ].join('\n'),
    )
  } finally {
    ledger.close()
  }
}

/** @throws ClientError ANSWER_INVALID where the host did not promise what a receipt says */
async function checkReceipt(receipt: Receipt, ledger: Ledger, hostId: Hex): Promise<void> {
  const { ledgerAddress } = await ledger.host(hostId)
  const faults = receiptFaults(ledger.domain('auditLog'), receipt, ledgerAddress)
  if (faults.length > 0) {
    throw new ClientError('ANSWER_INVALID', `the receipt does not hold: ${faults.join(', ')}`)
  }
}

/** Keeps the receipt that came with a refusal: the proof that it was asked for, and of how it ended. Others stay as they are. */
async function withReceiptKept(error: unknown, ledger: Ledger, hostId: Hex, options: RunOptions): Promise<unknown> {
  if (!(error instanceof OperationRefused) || error.answer['receipt'] === undefined) return error
  let receipt: Receipt
  try {
    receipt = parseReceipt(error.answer['receipt'])
  } catch (cause) {
    return new ClientError('ANSWER_INVALID', `refused (${error.code}), with a receipt that cannot be read`, { cause })
  }
  await checkReceipt(receipt, ledger, hostId)
  const usual = resolve(options.receipt ?? `${options.out}.receipt.json`)
  // Beside a result of before lies that result's receipt.
  const taken = options.receipt === undefined && existsSync(usual)
  const path = taken ? resolve(`${options.out}.${receipt.record.seq}.receipt.json`) : usual
  await save(path, `${stringify(receipt, 2)}\n`)
  return new RefusalOnRecord(error.code, error.message, path, { cause: error })
}

/** The ten steps as lines: number, name, time, what happened. */
export function stepsTable(steps: readonly Step[]): string {
  return table(
    steps.map(({ step, name, ok, ms, detail }) => [
      String(step).padStart(2),
      name,
      `${ms.toFixed(1)} ms`.padStart(10),
      ok ? 'ok' : 'no',
      (detail ?? '').replaceAll(/0x[0-9a-f]{64}/g, short),
    ]),
  )
}

async function save(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(resolve(path), content, { mode: 0o600 })
  } catch (cause) {
    throw new UsageError('FILE_UNWRITABLE', `cannot write ${join(path)}`, { cause })
  }
}
