import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { auditLedger } from '../auditor/verify.ts'
import { reportText } from '../auditor/report.ts'
import { readRevocationStore } from '../auditor/revocation-store.ts'
import { readTrustStore } from '../auditor/trust-store.ts'
import { messageOf } from '../core/error.ts'
import { parseReceipt } from '../record/parse.ts'
import type { Receipt } from '../record/receipt.ts'
import { readInput, stackDirectory, usingLedger, withLedger, type PlaceOptions } from './context.ts'
import { UsageError } from './error.ts'
import { EXIT } from './exit.ts'
import { hardwareRootsOf } from './hardware-roots.ts'
import { Output } from './output.ts'

interface VerifyOptions extends PlaceOptions {
  readonly trust?: string
  readonly hardware?: string
  readonly requireLists: boolean
  readonly receipt?: readonly string[]
}

/** `attestry audit`: verification without trust in the host or its operator. */
export function auditCommand(): Command {
  const verify = withLedger(new Command('verify'))
    .description('verify the whole history of every host on the ledger; exit code 1 where there is a finding')
    .option('--trust <directory>', 'the trusted TPM vendors’ certificates, PEM (by default the local stack’s)')
    .option('--hardware <directory>', 'of those, the makers of hardware TPMs (by default those that the store marks)')
    .option('--require-lists', 'take it for a finding where no revocation list covers a certificate', false)
    .option('--receipt <file...>', 'customers’ receipts to hold against the ledger')
    .addHelpText(
      'after',
      `
Examples:
  attestry audit verify
  attestry audit verify --rpc http://ledger:8545 --deployment deployment.json --trust ./vendors --receipt letter.receipt.json`,
    )
    .action(verifyLedger)
  return new Command('audit').addCommand(verify)
}

async function verifyLedger(options: VerifyOptions): Promise<void> {
  const output = new Output(options.json === true)
  const store = resolve(options.trust ?? join(stackDirectory(options), 'trust'))
  const { lists, leastNumbers } = readRevocationStore(store)
  const trust = {
    trustAnchors: readTrustStore(store),
    hardwareRoots: hardwareRootsOf(store, options.hardware),
    revocation: {
      ...{ lists: lists.map(({ der }) => der), leastNumbers },
      ...{ required: options.requireLists, currentAt: new Date() },
    },
  }
  const receipts = (options.receipt ?? []).map(readReceipt)
  const report = await usingLedger(options, (ledger) =>
    output.progress('auditing', (update) => auditLedger({ ...trust, ledger, receipts, onProgress: update })),
  )
  output.result(report, reportText(report))
  if (!report.ok) process.exitCode = EXIT.refused
}

function readReceipt(path: string): Receipt {
  try {
    return parseReceipt(JSON.parse(Buffer.from(readInput(path)).toString('utf8')))
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new UsageError('FILE_UNREADABLE', `${path} is not a receipt: ${messageOf(cause)}`, { cause })
  }
}
