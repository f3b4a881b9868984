import { Command } from 'commander'
import type { Hex } from '../core/bytes.ts'
import { pendingApprovals } from '../ledger/pending-approvals.ts'
import { approveProposed, pendingText, validityText } from './approve.ts'
import { makeChange } from './change.ts'
import {
  DIRECTORY,
  configOf,
  signerOf,
  usingLedger,
  withConfig,
  withLedger,
  withSigner,
  type PlaceOptions,
} from './context.ts'
import { bytes32, end, endOfDay } from './options.ts'
import { Output } from './output.ts'
import { predictCommand } from './vmm-predict.ts'

const APPROVE_EXAMPLES = `
Examples:
  attestry vmm approve 0x… --as approver1 --log .attestry/vmm.cel
  attestry vmm approve 0x… --as approver1 --log vmm-next.cel --pcrs pcrs.json
  attestry vmm approve 0x… --as approver2 --valid-until +90d
  attestry vmm approve 0x… --key offline.key --sign-only approval.json
  attestry vmm approve 0x… --as approver1 --approval approval.json`

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
      "the host's or the predicted event log: appraise the proposal against it first, and refuse where a claim fails",
    )
    .option(
      '--pcrs <file>',
      'with --log: the values of the other quoted PCRs, as tpm2_pcrread or "attestry pcrs" print them',
    )
    .option('--eventlog <file>', "with --log: the firmware's event log, from which they are replayed")
    .option(
      '--valid-until <time>',
      'the end of its validity, which all approvals must name: a day (its beginning, UTC), a time, or +90d, up to the next day',
      endOfDay,
    )
    .option('--sign-only <file>', 'sign the approval into this file; "--approval" enters it')
    .option('--deadline <time>', 'with --sign-only: until when it may be entered (default +7d)', end)
    .option('--approval <files...>', 'enter these signed approvals, and the signer’s own where it is an approver')
    .addHelpText('after', APPROVE_EXAMPLES)
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
      [
        `vmm    ${proposal.vmmHash}`,
        `epoch  ${proposal.epoch}`,
        ...(proposal.status === 'Authorised'
          ? ['state  Authorised: there is nothing to do']
          : ['next   approvers: attestry vmm approve --as NAME \\', `         ${proposal.vmmHash}`]),
      ].join('\n'),
    )
  } finally {
    await tpm.close()
  }
}

async function revokeVmm(vmmHash: Hex, options: PlaceOptions): Promise<void> {
  const words = `revoked ${vmmHash}`
  const json = { vmmHash }
  await makeChange(options, { doing: 'revoking', to: 'vmmRegistry', name: 'revoke', args: [vmmHash], json, words })
}

async function listVmms(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  await usingLedger(options, async (ledger) => {
    const { number } = await ledger.latestBlock()
    const events = await ledger.logs('vmmRegistry', ledger.deployment.block, number)
    const hashes = new Set(events.flatMap((event) => (event.name === 'VmmProposed' ? [event.args.vmmHash] : [])))
    const pending = await pendingApprovals(ledger)
    const vmms = await Promise.all(
      [...hashes].map(async (vmmHash) => ({
        ...{ vmmHash, ...(await ledger.vmm(vmmHash)), isAuthorised: await ledger.isAuthorised(vmmHash) },
        pending: pending.filter((one) => one.vmmHash === vmmHash),
      })),
    )
    output.result(
      { ok: true, vmms },
      vmms.length === 0
        ? 'no VMM was proposed yet'
        : vmms
            .flatMap((vmm) => [
              `${vmm.vmmHash}  ${vmm.status === 'Authorised' && !vmm.isAuthorised ? 'Expired' : vmm.status}`,
              `  epoch ${vmm.epoch}, ${vmm.isProven ? 'proven' : 'predicted'}${vmm.status === 'Authorised' ? `, ${validityText(vmm.validUntil)}` : ''}`,
              ...pendingText(vmm.pending),
            ])
            .join('\n'),
    )
  })
}
