import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Argument, Command, Option } from 'commander'
import { ClientError, OperationRefused, agentStatus, sendRequest, signRequest, type Step } from '../agent/client.ts'
import type { Hex } from '../core/bytes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { ZERO_HASH, hashResult } from '../record/hash.ts'
import { stringify } from '../record/json.ts'
import { parseReceipt, type SignedRequest } from '../record/parse.ts'
import { REASONS } from '../record/reason.ts'
import { receiptFaults, type Receipt } from '../record/receipt.ts'
import { requestHash } from '../record/request.ts'
import {
  configOf,
  readInput,
  signerOf,
  stackDirectory,
  usingLedger,
  withLedger,
  withSigner,
  type PlaceOptions,
} from './context.ts'
import { RefusalOnRecord } from './error.ts'
import { bytes32, moment } from './options.ts'
import { OutputFile } from './output-file.ts'
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
    .addArgument(new Argument('<operation>', 'what to do').choices(['encrypt', 'decrypt']))
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
  const result = await OutputFile.open(options.out)
  try {
    await askAgent(operation, options, output, result)
  } finally {
    await result.discard()
  }
}

async function askAgent(operation: string, options: RunOptions, output: Output, file: OutputFile): Promise<void> {
  const input = readInput(options.in)
  const signer = await signerOf(options)
  const socket = options.socket ?? (await configOf({ dir: stackDirectory(options) })).api.socket
  await usingLedger(options, async (ledger) => {
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
        throw await withReceiptKept(error, ledger, signed, options)
      }),
    )
    const { receipt, result, transaction, steps } = answer
    await checkReceipt(receipt, ledger, signed, hashResult(signed.salt, result))
    const receiptFile = await OutputFile.open(options.receipt ?? `${options.out}.receipt.json`)
    await receiptFile.keep(`${stringify(receipt, 2)}\n`)
    await file.keep(result)
    result.fill(0)
    const { seq, hostId: host } = receipt.record
    output.result(
      { ok: true, out: file.path, receiptFile: receiptFile.path, receipt, transaction, steps },
      [
        stepsTable(steps),
        '',
        `result   ${file.path}`,
        `receipt  ${receiptFile.path}`,
        `record   ${seq} of host ${short(host)}` +
          (transaction === null ? '' : `, in block ${transaction.blockNumber}`),
      ].join('\n'),
    )
  })
}

/**
 * Verifies that a receipt is the host's promise, and for what was asked.
 *
 * @param receipt untrusted
 * @param resultHash what the result hashes to, zero for a refusal; undefined where the result was not given out
 * @throws ClientError ANSWER_INVALID
 */
async function checkReceipt(
  receipt: Receipt,
  ledger: Ledger,
  { request, salt }: SignedRequest,
  resultHash: Hex | undefined,
): Promise<void> {
  const domain = ledger.domain('auditLog')
  const { record } = receipt
  const { ledgerAddress } = await ledger.host(request.hostId)
  const faults: string[] = [...receiptFaults(domain, receipt, ledgerAddress)]
  if (record.requestHash !== requestHash(domain, request)) faults.push('it is for another request')
  if (receipt.salt !== salt) faults.push('it has another salt')
  if (resultHash !== undefined && record.resultHash !== resultHash) faults.push('it is for another result')
  if (faults.length > 0) throw new ClientError('ANSWER_INVALID', `the receipt does not hold: ${faults.join(', ')}`)
}

/** Keeps the receipt that came with a refusal: the proof that it was asked for, and of how it ended. Others stay as they are. */
async function withReceiptKept(
  error: unknown,
  ledger: Ledger,
  signed: SignedRequest,
  options: RunOptions,
): Promise<unknown> {
  if (!(error instanceof OperationRefused) || error.answer['receipt'] === undefined) return error
  let receipt: Receipt
  try {
    receipt = parseReceipt(error.answer['receipt'])
  } catch (cause) {
    return new ClientError('ANSWER_INVALID', `refused (${error.code}), with a receipt that cannot be read`, { cause })
  }
  const withheld = receipt.record.status === REASONS.DONE
  await checkReceipt(receipt, ledger, signed, withheld ? undefined : ZERO_HASH)
  const usual = resolve(options.receipt ?? `${options.out}.receipt.json`)
  // Beside a result of before lies that result's receipt.
  const taken = options.receipt === undefined && existsSync(usual)
  const file = await OutputFile.open(taken ? `${options.out}.${receipt.record.seq}.receipt.json` : usual)
  await file.keep(`${stringify(receipt, 2)}\n`)
  return new RefusalOnRecord(error.code, error.message, file.path, { cause: error })
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
