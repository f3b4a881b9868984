import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { toHex } from '../core/bytes.ts'
import { nameOf } from '../tcg/name.ts'
import { pcrPolicy } from '../tcg/policy.ts'
import type { PinReport } from '../tpm/open-sealed-pin.ts'
import type { AgentConfig } from '../agent/config.ts'
import type { EnrolTrust } from '../agent/registrar.ts'
import { approvedPcrs, type ApprovedPcrsOptions } from './approved-pcrs.ts'
import { configOf, readInput, withConfig, type PlaceOptions } from './context.ts'
import { enrolTrustOf, withTrust, type TrustOptions } from './enrol-trust.ts'
import { UsageError } from './error.ts'
import { exitCodeOf } from './exit.ts'
import { OutputFile } from './output-file.ts'
import { Output, table } from './output.ts'
import { readPrivate } from './private-file.ts'

/** `attestry pin`: the HSM's PIN, sealed to a host's TPM under the security team's approval. */
export function pinCommand(): Command {
  const seal = withTrust(withConfig(new Command('seal')))
    .description('on the host: seal the HSM’s PIN, so that it opens only where an approval by this key holds')
    .requiredOption('--approver <file>', 'the security team’s public key, PEM: P-256 or RSA-2048')
    .requiredOption('--pin-file <file>', 'the PIN, in a file with mode 0600')
    .requiredOption('--out <file>', 'where to write the sealed PIN ([hsm] pin_sealed)')
    .addHelpText(
      'after',
      '\nExample:\n  attestry pin seal --approver team.pub.pem --pin-file /run/pin --trust ./vendors \\\n    --out /etc/attestry/sealed.json',
    )
    .action(sealPin)
  const approve = new Command('approve')
    .description('anywhere: sign that the PIN may open under a VMM, by the PCR values that it gives')
    .requiredOption('--key <file>', 'the security team’s private key, PEM with mode 0600: P-256 or RSA-2048')
    .option('--predicted <file>', 'the VMM, as "attestry vmm predict --json" printed it')
    .option('--pcrs <file>', 'the VMM’s PCR values, as tpm2_pcrread or "attestry pcrs --json" print them')
    .option('--vmm-log <file>', 'the VMM’s event log, from which the value of --pcr is replayed')
    .option('--pcr <number>', 'the PCR of --vmm-log', pcrNumber, 13)
    .option('--select <pcrs>', 'the PCRs that the host quotes ([vmm] selection)', pcrNumbers, [0, 2, 4, 7, 13])
    .option('--without-firmware', 'approve PCRs among which none is the firmware’s (0 to 7)', false)
    .requiredOption('--out <file>', 'where to write the approval, for the host’s [hsm] pin_approvals')
    .option('--json', 'one JSON object on standard output', false)
    .addHelpText(
      'after',
      '\nExamples:\n  attestry pin approve --key team.pem --predicted next.json --out next-vmm.json\n' +
        '  attestry pin approve --key team.pem --pcrs pcrs.yaml --vmm-log vmm.cel --out vmm.json',
    )
    .action(approvePcrs)
  const test = withConfig(new Command('test'))
    .description(
      'on the host: whether the PIN would open now, and under which approval; exit code 1 where it would not',
    )
    .addHelpText('after', '\nExample:\n  attestry pin test --config /etc/attestry/agent.toml')
    .action(testPin)
  return [seal, approve, test].reduce((group, command) => group.addCommand(command), new Command('pin'))
}

interface SealOptions extends TrustOptions {
  readonly approver: string
  readonly pinFile: string
  readonly out: string
}

async function sealPin(options: SealOptions): Promise<void> {
  const output = new Output(options.json === true)
  const { tpm } = await configOf(options)
  const trust = enrolTrustOf(options)
  const [{ approverPublic }, { readPinFile }, { sealPinIn }, { writeSealedPin }] = await Promise.all([
    import('../tpm/approver-key.ts'),
    import('../hsm/pin-file.ts'),
    import('../tpm/pin-vault.ts'),
    import('../tpm/sealed-pin.ts'),
  ])
  const approver = approverPublic(pem(options.approver))
  const file = await OutputFile.open(options.out)
  try {
    const pin = () => readPinFile(resolve(options.pinFile))
    const ek = await trustedEk(tpm, trust)
    const sealed = await output.progress('sealing', () => sealPinIn(tpm, pin, approver, ek))
    await file.keep(writeSealedPin(sealed))
    const name = toHex(nameOf(approver))
    output.result(
      { ok: true, file: file.path, approver: name, ek: toHex(sealed.ek) },
      [
        `sealed    ${file.path}`,
        `approver  ${name}`,
        '',
        'Keep the PIN itself in the security team’s safe: it is the way back where this TPM',
        'is lost or cleared. Then remove it from this host.',
      ].join('\n'),
    )
  } finally {
    await file.discard()
  }
}

/** The name of the TPM's EK, for whose certificate a trusted root vouches: no PIN is read before. @throws EvidenceError, TpmError */
async function trustedEk(config: AgentConfig['tpm'], trust: EnrolTrust): Promise<Uint8Array> {
  const [{ Tpm }, { verifyEndorsement }] = await Promise.all([
    import('../tpm/tpm.ts'),
    import('../evidence/endorsement.ts'),
  ])
  // As the PIN is sealed and opened: by the first EK, whatever is configured.
  const tpm = new Tpm({ tcti: config.tcti, deadlineMs: config.deadlineMs })
  try {
    const { public: ekPublic, certificate: ekCertificate, intermediates } = await tpm.endorsementKey()
    await verifyEndorsement({ ...trust, ekPublic, ekCertificate, intermediates, at: new Date() })
    return nameOf(ekPublic)
  } finally {
    await tpm.close()
  }
}

interface ApproveOptions extends ApprovedPcrsOptions {
  readonly key: string
  readonly out: string
  readonly json?: boolean
}

async function approvePcrs(options: ApproveOptions): Promise<void> {
  const output = new Output(options.json === true)
  const [{ approver }, { approvePin, writePinApproval }] = await Promise.all([
    import('../tpm/approver-key.ts'),
    import('../tpm/pin-approval.ts'),
  ])
  const key = approver(Buffer.from(readPrivate(options.key)).toString('utf8'))
  const { selection, values } = approvedPcrs(options)
  const approval = approvePin(key, selection, values)
  const file = await OutputFile.open(options.out, 0o644)
  try {
    await file.keep(writePinApproval(approval))
  } finally {
    await file.discard()
  }
  const signer = toHex(approval.signer)
  const pcrs = Object.fromEntries(
    selection.pcrs.map((pcr) => [pcr, toHex(approval.values.get(pcr) ?? new Uint8Array())]),
  )
  const approvedPolicy = toHex(pcrPolicy(selection, approval.values))
  output.result(
    { ok: true, file: file.path, signer, approvedPolicy, selection, pcrs },
    [`approval  ${file.path}`, `signer    ${signer}`, '', ...pcrLines(approval.values)].join('\n'),
  )
}

async function testPin(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const { hsm, tpm, vmm } = await configOf(options)
  if (hsm.pin.kind === 'file') {
    throw new UsageError(
      'USAGE',
      'no PIN is sealed: the configuration has [hsm] pin_file, not pin_sealed and pin_approvals',
    )
  }
  const { sealed, approvals } = hsm.pin
  const { openSealedPin } = await import('../tpm/open-sealed-pin.ts')
  const report = await output.progress('opening', () =>
    openSealedPin({ tpm, selection: vmm.selection, sealed, approvals }),
  )
  const pcrs = Object.fromEntries(Array.from(report.present, ([pcr, value]) => [pcr, toHex(value)]))
  const { refusal, approval } = report
  const error = refusal && { code: refusal.code, message: refusal.message }
  output.result(
    {
      ok: refusal === undefined,
      ...(error && { error }),
      approval: approval ?? null,
      pcrs,
      approvals: report.approvals,
    },
    reportText(report),
  )
  if (refusal !== undefined) process.exitCode = exitCodeOf(refusal)
}

function reportText({ approval, refusal, approvals, present }: PinReport): string {
  const rows = approvals.map(({ file, status, detail }) => [status, file, detail])
  const verdict =
    refusal === undefined ? `the PIN opens under ${approval ?? ''}` : `${refusal.message} (${refusal.code})`
  return [verdict, '', ...(rows.length === 0 ? [] : [table(rows), '']), 'PCRs now', ...pcrLines(present)].join('\n')
}

function pcrLines(values: ReadonlyMap<number, Uint8Array>): readonly string[] {
  return Array.from(values, ([pcr, value]) => `  ${String(pcr).padStart(2)}  ${toHex(value).slice(2)}`)
}

function pem(path: string): string {
  return Buffer.from(readInput(path)).toString('utf8')
}

function pcrNumber(text: string): number {
  if (!/^\d{1,2}$/.test(text) || Number(text) > 23) throw new InvalidArgumentError('Expected a PCR from 0 to 23.')
  return Number(text)
}

function pcrNumbers(text: string): readonly number[] {
  const numbers = text.split(',').map(pcrNumber)
  if (numbers.some((pcr, i) => i > 0 && pcr <= (numbers[i - 1] ?? pcr))) {
    throw new InvalidArgumentError('Expected PCRs in ascending order, such as 0,2,4,7,13.')
  }
  return numbers
}
