import { Command } from 'commander'
import { appraiseProposal, type AppraisedProposal } from '../auditor/appraise-proposal.ts'
import { toHex, type Hex } from '../core/bytes.ts'
import { approveVmm } from '../ledger/approve.ts'
import { NO_END } from '../ledger/state.ts'
import { sha256 } from '../record/hash.ts'
import { makeChange } from './change.ts'
import {
  DIRECTORY,
  configOf,
  readInput,
  signerOf,
  usingLedger,
  withConfig,
  withLedger,
  withSigner,
  type PlaceOptions,
} from './context.ts'
import { AppraisalError } from './error.ts'
import { bytes32, moment } from './options.ts'
import { Output, table } from './output.ts'
import { predictCommand } from './vmm-predict.ts'

/** `attestry vmm`: the hypervisors that are authorised. */
export function vmmCommand(): Command {
  const propose = withSigner(withConfig(new Command('propose')), 'deployer')
    .description('on the host: propose the VMM that runs now, proven by a quote; the signer only pays')
    .addHelpText('after', '\nExample:\n  attestry vmm propose')
    .action(proposeRunning)
  const approve = withSigner(withLedger(new Command('approve')))
    .description('approve a proposed VMM; the k-th approval authorises it')
    .argument('<vmmHash>', 'the VMM', bytes32)
    .option(
      '--log <file>',
      "the host's event log: appraise the proposal's quote against it first, and refuse where a claim fails",
    )
    .option('--valid-until <time>', 'the end of its validity: +90d, or a date; approvals must name the same', moment)
    .addHelpText('after', '\nExample:\n  attestry vmm approve 0x… --as approver1 --log .attestry/vmm.cel')
    .action(approveProposed)
  const revoke = withSigner(withLedger(new Command('revoke')))
    .description(
      'revoke a VMM at once; any one approver can, and it comes back only by a new proposal and new approvals',
    )
    .argument('<vmmHash>', 'the VMM', bytes32)
    .addHelpText('after', '\nExample:\n  attestry vmm revoke 0x… --as approver1')
    .action(revokeVmm)
  const list = withLedger(new Command('list'))
    .description('list every VMM that was ever proposed, with its state')
    .addHelpText('after', '\nExample:\n  attestry vmm list')
    .action(listVmms)
  return [propose, predictCommand(), approve, revoke, list].reduce(
    (group, command) => group.addCommand(command),
    new Command('vmm'),
  )
}

async function proposeRunning(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const config = await configOf(options)
  const signer = await signerOf(options)
  const [{ Tpm }, { proposeVmm }] = await Promise.all([import('../tpm/tpm.ts'), import('../agent/propose.ts')])
  const tpm = new Tpm(config.tpm)
  try {
    const proposal = await usingLedger({ dir: options.dir ?? DIRECTORY, ...options }, (ledger) =>
      output.progress('quoting and proposing', () => proposeVmm({ tpm, ledger, config: config.vmm, signer })),
    )
    output.result(
      { ok: true, ...proposal },
      `vmm    ${proposal.vmmHash}\nepoch  ${proposal.epoch}\nnext   approvers: attestry vmm approve ${proposal.vmmHash} --as NAME`,
    )
  } finally {
    await tpm.close()
  }
}

interface ApproveOptions extends PlaceOptions {
  readonly log?: string
  readonly validUntil?: bigint
}

async function approveProposed(vmmHash: Hex, options: ApproveOptions): Promise<void> {
  const output = new Output(options.json === true)
  const signer = await signerOf(options)
  const log = options.log === undefined ? undefined : readInput(options.log)
  await usingLedger(options, async (ledger) => {
    const appraisal = log === undefined ? undefined : await appraiseProposal(ledger, vmmHash, log)
    if (appraisal !== undefined) output.line(`${appraisalText(appraisal)}\n`)
    if (appraisal?.ok === false) {
      const failed = appraisal.claims.filter(({ status }) => status !== 'pass').map(({ name }) => name)
      throw new AppraisalError(
        'CLAIM_FAILED',
        `not approved: the log does not explain the quote (${failed.join(', ')})`,
      )
    }
    const { status, approvals } = await output.progress('approving', () =>
      approveVmm(ledger, signer, vmmHash, options.validUntil, log && sha256(log)),
    )
    output.result(
      { ok: true, vmmHash, status, approvals, ...(appraisal === undefined ? {} : { claims: appraisal.claims }) },
      `${vmmHash} is ${status} with ${approvals} approval${approvals === 1 ? '' : 's'}`,
    )
  })
}

async function revokeVmm(vmmHash: Hex, options: PlaceOptions): Promise<void> {
  const words = `revoked ${vmmHash}`
  const json = { vmmHash }
  await makeChange(options, { doing: 'revoking', to: 'vmmRegistry', name: 'revoke', args: [vmmHash], json, words })
}

/** What was measured, and each claim with what it was compared with. */
function appraisalText({ claims, log }: AppraisedProposal): string {
  const components = log.map(({ event }) => [
    event.kind,
    event.name,
    event.sha256 === undefined ? '' : toHex(event.sha256).slice(2, 18),
  ])
  return [table(components), '', table(claims.map(({ name, status, found }) => [status, name, found]))].join('\n')
}

async function listVmms(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  await usingLedger(options, async (ledger) => {
    const { number } = await ledger.latestBlock()
    const events = await ledger.logs('vmmRegistry', ledger.deployment.block, number)
    const hashes = new Set(events.flatMap((event) => (event.name === 'VmmProposed' ? [event.args.vmmHash] : [])))
    const vmms = await Promise.all([...hashes].map(async (vmmHash) => ({ vmmHash, ...(await ledger.vmm(vmmHash)) })))
    output.result(
      { ok: true, vmms },
      vmms.length === 0
        ? 'no VMM was proposed yet'
        : table([
            ['vmm', 'state', 'epoch', 'proven', 'valid until'],
            ...vmms.map(({ vmmHash, status, epoch, isProven, validUntil }) => [
              vmmHash,
              status,
              String(epoch),
              isProven ? 'yes' : 'no',
              status !== 'Authorised' || validUntil === NO_END ? '' : new Date(Number(validUntil) * 1000).toISOString(),
            ]),
          ]),
    )
  })
}
