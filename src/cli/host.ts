import { Command, Option } from 'commander'
import type { Hex } from '../core/bytes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { FRAUDS } from '../record/fraud.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { makeChange } from './change.ts'
import { configOf, signerOf, usingLedger, withConfig, withLedger, withSigner, type PlaceOptions } from './context.ts'
import { readDeployment } from '../ledger/deployment.ts'
import { enrolHostCommands } from './enrol-host.ts'
import { enrolRegistrarCommands } from './enrol-registrar.ts'
import { enrolledWords } from './enrol-text.ts'
import { enrolTrustOf, withTrust, type TrustOptions } from './enrol-trust.ts'
import { UsageError } from './error.ts'
import { bytes32 } from './options.ts'
import { Output } from './output.ts'

/** `attestry host`: hosts and their identities. */
export function hostCommand(): Command {
  const enrol = withTrust(withSigner(withConfig(new Command('enrol')), 'registrar'))
    .description(
      "enrol this host, with the registrar's key at hand: EK, AK, credential activation, quote, ledger address",
    )
    .addHelpText('after', '\nExample:\n  attestry host enrol --config agent.toml --key registrar.key --trust ./vendors')
    .action(enrolHere)
  const show = withLedger(new Command('show'))
    .description('show what the ledger says about a host')
    .argument('<hostId>', 'the host', bytes32)
    .addHelpText('after', '\nExample:\n  attestry host show 0x…')
    .action(showHost)
  const statuses = STATUS_CHANGES.map(({ name, done, description }) =>
    withSigner(withLedger(new Command(name)), 'registrar')
      .description(description)
      .argument('<hostId>', 'the host', bytes32)
      .addOption(new Option('--yes', 'it is meant: there is no way back').default(false).hideHelp(name !== 'retire'))
      .addHelpText(
        'after',
        `\nExample:\n  attestry host ${name} 0x… --as registrar${name === 'retire' ? ' --yes' : ''}`,
      )
      .action(async (hostId: Hex, options: PlaceOptions & { readonly yes: boolean }) => {
        if (name === 'retire' && !options.yes) {
          const why = 'a retired host never comes back, and its TPM, keys and addresses are of no use for another'
          throw new UsageError('USAGE', `${why}; if that is meant, add --yes ("host suspend" can be undone)`)
        }
        const words = `${done} ${hostId}`
        const json = { hostId }
        await makeChange(options, { doing: name, to: 'hostRegistry', name, args: [hostId], json, words })
      }),
  )
  return [enrol, ...enrolHostCommands(), ...enrolRegistrarCommands(), show, ...statuses].reduce(
    (group, command) => group.addCommand(command),
    new Command('host'),
  )
}

const STATUS_CHANGES = [
  {
    name: 'suspend',
    done: 'suspended',
    description: 'take a host out of service at once; a registrar, or any approver',
  },
  { name: 'reinstate', done: 'reinstated', description: 'put a suspended host back; a registrar' },
  { name: 'retire', done: 'retired', description: 'take a host out of service for good; a registrar' },
] as const

async function enrolHere(options: TrustOptions): Promise<void> {
  const output = new Output(options.json === true)
  const config = await configOf(options)
  const registrar = await signerOf(options)
  const [{ Tpm }, { openHsm }, { enrolHost }] = await Promise.all([
    import('../tpm/tpm.ts'),
    import('../agent/open-hsm.ts'),
    import('../agent/enrol.ts'),
  ])
  const trust = enrolTrustOf(options)
  const deployment = await readDeployment(config.ledger.deployment)
  const [tpm, hsm] = [new Tpm(config.tpm), openHsm(config, deployment)]
  try {
    const enrolled = await usingLedger(options, (ledger) =>
      output.progress('enrolling', () =>
        enrolHost({ ...trust, tpm, hsm, ledger, registrar, selection: config.vmm.selection }),
      ),
    )
    output.result({ ok: true, ...enrolled }, enrolledWords(enrolled))
  } finally {
    await Promise.all([tpm.close(), hsm.close()])
  }
}

async function showHost(hostId: Hex, options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  await usingLedger(options, async (ledger) => {
    const [host, nextSeq, head] = await Promise.all([ledger.host(hostId), ledger.nextSeq(hostId), ledger.head(hostId)])
    const frauds = await fraudsOf(ledger, hostId)
    output.result(
      { ok: true, hostId, ...host, nextSeq, head, frauds },
      [
        `host       ${hostId}`,
        `status     ${host.status} since block ${host.since}`,
        `assurance  ${host.assurance}`,
        `address    ${host.ledgerAddress}`,
        `records    ${nextSeq}`,
        `head       ${head}`,
        `fraud      ${frauds.length === 0 ? 'none proven' : 'PROVEN: what it signed contradicts itself or its log'}`,
        ...frauds.map(({ fraud, seq, block }) => `             ${fraud} at record ${seq}, proven in block ${block}`),
      ].join('\n'),
    )
  })
}

/** The proofs against a host: the log is only read where the contract has marked it. */
async function fraudsOf(ledger: Ledger, hostId: Hex): Promise<readonly ProvenFraud[]> {
  if ((await ledger.fraudOf(hostId)) === ZERO_HASH) return []
  const { number } = await ledger.latestBlock()
  const events = await ledger.logs('auditLog', ledger.deployment.block, number)
  return events.flatMap((event) => {
    if (event.name !== 'FraudProven' || event.args.hostId !== hostId) return []
    const { fraud, seq, proofHash, by } = event.args
    return [{ fraud: FRAUDS[fraud] ?? String(fraud), seq, proofHash, by, block: event.blockNumber }]
  })
}

interface ProvenFraud {
  readonly fraud: string
  readonly seq: bigint
  readonly proofHash: Hex
  readonly by: Hex
  readonly block: bigint
}
