import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { KERNEL_LOGS, collectEvidence, type LogPaths } from '../agent/collect-evidence.ts'
import { readRevocationStore } from '../auditor/revocation-store.ts'
import { readTrustStore } from '../auditor/trust-store.ts'
import { toHex } from '../core/bytes.ts'
import { parseAppraisalPolicy } from '../evidence/appraisal-policy.ts'
import { appraiseEvidence } from '../evidence/appraise-evidence.ts'
import type { AppraisalContext } from '../evidence/appraise-tpm.ts'
import { isAcceptable, type Claim } from '../evidence/claim.ts'
import { encodeEvidence } from '../evidence/evidence-file.ts'
import { policyOf } from '../evidence/policy-of.ts'
import { requirePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import { readInput } from './context.ts'
import { UsageError } from './error.ts'
import { readEvidence, readNonce, withEvidenceFiles, type EvidenceFiles } from './evidence-input.ts'
import { EXIT } from './exit.ts'
import { hardwareRootsOf } from './hardware-roots.ts'
import { moment } from './options.ts'
import { OutputFile } from './output-file.ts'
import { Output } from './output.ts'
import { standingTpmOf, withTpm, type TpmOptions } from './standing-tpm.ts'

const SEPARATE = `attestry evidence appraise --attest quote.attest --signature quote.sig --public ak.pub \\
      --nonce 0x… --pcrs pcrs.yaml --eventlog binary_bios_measurements \\
      --policy policy.toml --trust vendors`

/** `attestry evidence`: what a host says of itself, without an agent or a ledger. */
export function evidenceCommand(): Command {
  const collect = withTpm(new Command('collect'))
    .description(
      'on the host: a quote over a nonce, the quoted values, EK and certificate, and the logs that there are',
    )
    .requiredOption('--out <file>', 'where to write it')
    .option('--nonce <hex>', 'what the appraiser asked with, at most 64 bytes; a random one unless given')
    .option(
      '--select <pcrs>',
      'PCRs of the SHA-256 bank, such as 0,2,4,7; by default the configured ones, or 0 to 15',
      selection,
    )
    .option('--eventlog <file>', "the firmware's event log, instead of the kernel's")
    .option('--ima <file>', "IMA's log, instead of the kernel's")
    .option('--vmm-log <file>', "the VMM's canonical event log, instead of the configured one")
    .addHelpText(
      'after',
      '\nExamples:\n  attestry evidence collect --nonce 0x5f… --out host.json\n  attestry evidence collect --tcti device:/dev/tpmrm0 --select 0,2,4,7 --out host.json',
    )
    .action(collectHere)
  const appraise = withEvidenceFiles(new Command('appraise'))
    .description('hold evidence against a policy; exit code 1 where a claim does not pass')
    .requiredOption('--policy <file>', 'the appraisal policy, TOML (docs/evidence.md)')
    .option('--nonce <hex>', 'the nonce that the quote was asked for with: digits, or a file')
    .option('--trust <directory>', 'the trusted TPM vendors’ certificates, PEM')
    .option('--hardware <directory>', 'of those, the makers of hardware TPMs (by default those that the store marks)')
    .option('--at <time>', 'the time for which certificates must be valid; now unless given', moment)
    .option('--json', 'one JSON object on standard output', false)
    .addHelpText(
      'after',
      `\nExamples:\n  attestry evidence appraise host.json --policy policy.toml --nonce 0x5f… --trust vendors\n  ${SEPARATE}`,
    )
    .action(appraiseFile)
  const policy = withEvidenceFiles(new Command('policy'))
    .description('make a policy that takes exactly this evidence, of a host that you trust today')
    .requiredOption('--out <file>', 'where to write it')
    .option('--force', 'in place of a file that is there', false)
    .option('--json', 'one JSON object on standard output', false)
    .addHelpText('after', '\nExample:\n  attestry evidence policy host.json --out policy.toml')
    .action(makePolicy)
  return [collect, appraise, policy].reduce((group, command) => group.addCommand(command), new Command('evidence'))
}

interface CollectOptions extends TpmOptions {
  readonly out: string
  readonly nonce?: string
  readonly select?: PcrSelection
  readonly eventlog?: string
  readonly ima?: string
  readonly vmmLog?: string
}

async function collectHere(options: CollectOptions): Promise<void> {
  const output = new Output(options.json === true)
  const { tpm: tpmConfig, vmm } = await standingTpmOf(options)
  const logs = logsOf(options, vmm?.log)
  const nonce = options.nonce === undefined ? randomBytes(32) : readNonce(options.nonce)
  const file = await OutputFile.open(options.out, 0o644)
  const { Tpm } = await import('../tpm/tpm.ts')
  const tpm = new Tpm(tpmConfig)
  try {
    const selected = options.select ?? vmm?.selection ?? EVERYTHING
    const evidence = await output.progress('quoting', () => collectEvidence({ tpm, selection: selected, nonce, logs }))
    await file.keep(encodeEvidence(evidence))
    const found = { firmware: evidence.eventLog, ima: evidence.imaLog, vmm: evidence.vmmLog }
    const lengths = Object.fromEntries(Object.entries(found).map(([name, bytes]) => [name, bytes?.length ?? null]))
    output.result(
      { ok: true, file: file.path, nonce: toHex(nonce), selection: selected, logs: lengths },
      [
        `nonce  ${toHex(nonce)}`,
        ...(evidence.endorsement === undefined ? ['EK     no certificate in this TPM'] : []),
        `PCRs   ${selected.bank}:${selected.pcrs.join(',')}`,
        ...Object.entries(lengths).map(
          ([name, length]) => `log    ${name}: ${length === null ? 'none' : `${length} bytes`}`,
        ),
        `wrote  ${file.path}`,
      ].join('\n'),
    )
  } finally {
    await Promise.all([tpm.close(), file.discard()])
  }
}

/** What a host without a configuration quotes: all PCRs of the platform that nobody may reset. */
const EVERYTHING: PcrSelection = { bank: 'sha256', pcrs: Array.from({ length: 16 }, (_, pcr) => pcr) }

/** The kernel's logs may be missing on a host; one that is named may not. */
function logsOf({ eventlog, ima, vmmLog }: CollectOptions, configured: string | undefined): LogPaths {
  for (const path of [eventlog, ima, vmmLog]) {
    if (path !== undefined && !existsSync(resolve(path))) {
      throw new UsageError('FILE_UNREADABLE', `cannot read ${path}: no such file or directory`)
    }
  }
  const log = vmmLog ?? configured
  return {
    eventLog: eventlog ?? KERNEL_LOGS.eventLog,
    imaLog: ima ?? KERNEL_LOGS.imaLog,
    ...(log === undefined ? {} : { vmmLog: log }),
  }
}

interface AppraiseOptions extends EvidenceFiles {
  readonly policy: string
  readonly nonce?: string
  readonly trust?: string
  readonly hardware?: string
  readonly at?: bigint
  readonly json: boolean
}

async function appraiseFile(file: string | undefined, options: AppraiseOptions): Promise<void> {
  const output = new Output(options.json)
  const policy = parseAppraisalPolicy(new TextDecoder().decode(readInput(options.policy)), options.policy)
  const evidence = readEvidence(file, options)
  const result = await appraiseEvidence(evidence, policy, {
    ...(options.nonce === undefined ? {} : { nonce: readNonce(options.nonce) }),
    at: options.at === undefined ? new Date() : new Date(Number(options.at) * 1000),
    ...trustOf(options.trust),
    hardwareRoots: hardwareRootsOf(options.trust && resolve(options.trust), options.hardware),
  })
  const { ok, claims, vmmHash } = result
  output.result({ ok, claims, vmmHash }, resultText(output, result))
  if (!ok) process.exitCode = EXIT.refused
}

async function makePolicy(
  file: string | undefined,
  options: EvidenceFiles & { readonly out: string; readonly force: boolean; readonly json: boolean },
): Promise<void> {
  const output = new Output(options.json)
  const evidence = readEvidence(file, options)
  // One that was widened by hand cannot be made again.
  if (existsSync(resolve(options.out)) && !options.force) {
    throw new UsageError('FILE_EXISTS', `${options.out} is there already: choose another name, or --force`)
  }
  const target = await OutputFile.open(options.out, 0o644)
  try {
    const { text, pcrs, notes } = await policyOf(evidence)
    await target.keep(text)
    output.result(
      { ok: true, file: target.path, pcrs, notes },
      [
        ...pcrs.map(({ pcr, explainedBy }) => `PCR ${String(pcr).padEnd(3)} ${explainedBy}`),
        ...notes.map((note) => `${output.style('yellow', 'note')}    ${note}`),
        `wrote   ${target.path}; read it before you use it`,
      ].join('\n'),
    )
  } finally {
    await target.discard()
  }
}

/** The trust store's certificates and revocation lists; none without a store, so that no certificate is trusted. */
function trustOf(
  directory: string | undefined,
): Pick<AppraisalContext, 'trustAnchors' | 'revocationLists' | 'leastNumbers'> {
  if (directory === undefined) return { trustAnchors: [] }
  const { lists, leastNumbers } = readRevocationStore(resolve(directory))
  return {
    trustAnchors: readTrustStore(resolve(directory)),
    revocationLists: lists.map(({ der }) => der),
    leastNumbers,
  }
}

function resultText(
  output: Output,
  { ok, claims, vmmHash }: { ok: boolean; claims: readonly Claim[]; vmmHash: string },
): string {
  const words = {
    pass: output.style('green', 'pass'),
    fail: output.style('red', 'FAIL'),
    'not-covered': output.style('red', 'OPEN'),
  }
  const harmless = output.style('yellow', '-   ')
  const lines = claims.flatMap(({ name, status, expected, found, code }) => {
    if (status === 'pass') return [passed(words[status], name, found)]
    const word = status === 'not-covered' && isAcceptable({ status, code }) ? harmless : words[status]
    return [`${word}  ${name}: ${code ?? ''}`, `        expected ${expected}`, `        found    ${found}`]
  })
  const bad = claims.filter((one) => !isAcceptable(one))
  const verdict = ok
    ? output.style('green', 'appraised: good')
    : output.style('red', `appraised: NOT good, ${bad.length} of ${claims.length} claims`)
  return [...lines, '', `vmm   ${vmmHash}`, verdict].join('\n')
}

/** What was found stands beside it where there is room on a terminal. */
function passed(word: string, name: string, found: string): string {
  const line = `${word}  ${name}`
  return name.length + found.length <= 68 && !name.startsWith('pcr-') ? `${line}  ${found}` : line
}

function selection(text: string): PcrSelection {
  if (!/^\d{1,2}(?:,\d{1,2})*$/.test(text)) throw new InvalidArgumentError('Expected PCRs such as 0,2,4,7.')
  try {
    return requirePcrSelection({ bank: 'sha256', pcrs: text.split(',').map(Number) })
  } catch {
    throw new InvalidArgumentError('Expected PCRs from 0 to 23, ascending.')
  }
}
