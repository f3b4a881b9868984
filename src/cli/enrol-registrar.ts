import { basename, join, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { challengeHost } from '../agent/challenge-host.ts'
import { ChallengeStore } from '../agent/challenge-store.ts'
import { judgeRegistration, signRegistration } from '../agent/check-registration.ts'
import { EnrolError } from '../agent/enrol-error.ts'
import { ENROL_ANSWER, ENROL_CHALLENGE, ENROL_REGISTRATION, ENROL_REQUEST } from '../agent/enrol-file.ts'
import type { EnrolAnswer, EnrolRegistration, OpenChallenge } from '../agent/enrol-file.ts'
import { enrolFileKind } from '../agent/enrol-format.ts'
import { MAX_CHALLENGE_LIFE_S } from '../agent/enrol-life.ts'
import { enrolledBy, judgeAnswer } from '../agent/judge-answer.ts'
import type { EnrolledHost } from '../agent/known-host.ts'
import { registerHost } from '../agent/register-host.ts'
import type { Hex } from '../core/bytes.ts'
import { signerOf, stackDirectory, usingLedger, withLedger, withSigner } from './context.ts'
import { inFuture, isoOf, readEnrolFile, withOutput } from './enrol-input.ts'
import { enrolledWords, fileLines, hostLines } from './enrol-text.ts'
import { enrolTrustOf, withTrust, type TrustOptions } from './enrol-trust.ts'
import { UsageError } from './error.ts'
import { fileFault } from './file-fault.ts'
import { address, moment } from './options.ts'
import { Output } from './output.ts'

/** `attestry host challenge|register`: the registrar's steps of an enrolment across machines. */
export function enrolRegistrarCommands(): readonly Command[] {
  const challenge = withState(withTrust(withLedger(new Command('challenge'))))
    .description('at the registrar: check the TPM that a request names, and challenge it')
    .argument('<request>', 'what "host request" wrote')
    .requiredOption('--out <file>', 'the challenge, for the host')
    .option('--expires <time>', 'until when it counts (by default +1h, at most +7d)', moment)
    .addHelpText(
      'after',
      '\nExample:\n  attestry host challenge request.json --trust ./vendors --state ./open --out challenge.json',
    )
    .action(makeChallenge)
  const register = withSigner(withState(withTrust(withLedger(new Command('register')))), 'registrar')
    .description('at the registrar: check an answer and enter the host on the ledger')
    .argument('<file>', 'what "host answer" wrote, or what this wrote with --out')
    .option('--out <file>', 'enter nothing, but write a registration for whoever holds the registrar’s key')
    .addOption(new Option('--checker <address>', 'whose registrations are believed').argParser(address))
    .addHelpText(
      'after',
      `
Examples:
  attestry host register answer.json --trust ./vendors --state ./open --key registrar.key
  attestry host register answer.json --state ./open --key checker.key --out registration.json
  attestry host register registration.json --checker 0x… --trust ./vendors --key registrar.key`,
    )
    .action(registerFile)
  return [challenge, register]
}

interface StateOptions extends TrustOptions {
  readonly state?: string
}

function withState(command: Command): Command {
  const text = 'the registrar’s open challenges; nobody else may read it (by default the local stack’s)'
  return command.option('--state <directory>', text)
}

function storeOf(options: StateOptions): ChallengeStore {
  return new ChallengeStore(stateOf(options))
}

function stateOf(options: StateOptions): string {
  return resolve(options.state ?? join(stackDirectory(options), 'challenges'))
}

interface ChallengeOptions extends StateOptions {
  readonly out: string
  readonly expires?: bigint
}

async function makeChallenge(path: string, options: ChallengeOptions): Promise<void> {
  const output = new Output(options.json === true)
  const expires = inFuture(options.expires ?? moment('+1h'), MAX_CHALLENGE_LIFE_S)
  const request = readEnrolFile(path, ENROL_REQUEST.parse)
  const trust = enrolTrustOf(options)
  const store = storeOf(options)
  await usingLedger(options, async (ledger) => {
    const challenged = await challengeHost({ ledger, trust, now: new Date() }, request, expires)
    if (challenged.known !== undefined) {
      const { hostId, ledgerAddress, assurance } = challenged.known
      const known = { hostId, ledgerAddress, assurance }
      output.result({ ok: true, enrolled: true, file: null, ...known }, enrolledWords(challenged.known))
      return
    }
    const { challenge, open, hostId, assurance } = challenged
    const { requestHash, ledgerAddress } = challenge
    await withOutput(options.out, async (file) => {
      await keepOpen(options, store, open)
      await file.keep(ENROL_CHALLENGE.encode(challenge)).catch(async (cause: unknown) => {
        await store.withdraw(requestHash)
        throw cause
      })
    })
    const host = { hostId, ledgerAddress, assurance }
    output.result(
      { ok: true, enrolled: false, file: resolve(options.out), ...host, requestHash, expires: isoOf(expires) },
      [
        ...hostLines(host),
        `request   ${requestHash}`,
        `expires   ${isoOf(expires)}`,
        fileLines(options.out, 'on the host', `answer ${basename(options.out)}`),
      ].join('\n'),
    )
  })
}

/** @throws EnrolError as the store; UsageError FILE_UNWRITABLE */
async function keepOpen(options: StateOptions, store: ChallengeStore, open: OpenChallenge): Promise<void> {
  try {
    await store.prune(new Date())
    await store.add(open)
  } catch (cause) {
    if (cause instanceof EnrolError) throw cause
    throw new UsageError('FILE_UNWRITABLE', `cannot write in ${stateOf(options)}: ${fileFault(cause)}`, { cause })
  }
}

interface RegisterOptions extends StateOptions {
  readonly out?: string
  readonly checker?: Hex
}

async function registerFile(path: string, options: RegisterOptions): Promise<void> {
  const { registration, answer } = readEnrolFile(path, (text) =>
    enrolFileKind(text) === 'registration'
      ? { registration: ENROL_REGISTRATION.parse(text) }
      : { answer: ENROL_ANSWER.parse(text) },
  )
  if (registration !== undefined) return registerChecked(registration, options)
  if (options.checker !== undefined) throw new UsageError('USAGE', `--checker: ${path} is no registration`)
  return registerAnswer(answer, options)
}

async function registerAnswer(answer: EnrolAnswer, options: RegisterOptions): Promise<void> {
  const signer = await signerOf(options)
  const trust = enrolTrustOf(options)
  const store = storeOf(options)
  await usingLedger(options, async (ledger) => {
    const used = await store.findUsed(answer.requestHash)
    // An earlier run may have been ended after it had sent the registration.
    const enrolled = used === undefined ? undefined : await enrolledBy(ledger, used, answer)
    if (enrolled !== undefined) {
      showRegistered(options, enrolled)
      return
    }
    const open = await store.find(answer.requestHash)
    const judged = await judgeAnswer({ ledger, trust, now: new Date() }, open, answer)
    const { out } = options
    if (out === undefined || judged.known !== undefined) {
      const done = await store.use(answer.requestHash, () => registerHost(ledger, signer, judged))
      showRegistered(options, done)
      return
    }
    const registration = await signRegistration(signer, ledger.domain('hostRegistry'), judged.proven)
    await withOutput(out, (file) =>
      store.use(answer.requestHash, () => file.keep(ENROL_REGISTRATION.encode(registration))),
    )
    const { hostId, ledgerAddress, assurance, anchorBlock } = judged.proven
    const host = { hostId, ledgerAddress, assurance }
    const { checkedBy } = registration
    const lastBlock = anchorBlock + 256n
    new Output(options.json === true).result(
      { ok: true, registered: false, file: resolve(out), ...host, checkedBy, anchorBlock, lastBlock },
      [
        ...hostLines(host),
        `checked   by ${checkedBy}`,
        `expires   after block ${lastBlock}`,
        fileLines(out, 'at the registrar', `register ${basename(out)} --checker ADDRESS`),
      ].join('\n'),
    )
  })
}

async function registerChecked(registration: EnrolRegistration, options: RegisterOptions): Promise<void> {
  const { checker, out } = options
  if (out !== undefined) throw new UsageError('USAGE', '--out: that is a registration already')
  if (checker === undefined) throw new UsageError('USAGE', 'who checked it? Give --checker ADDRESS')
  const signer = await signerOf(options)
  const trust = enrolTrustOf(options)
  await usingLedger(options, async (ledger) => {
    const judged = await judgeRegistration({ ledger, trust, now: new Date() }, registration, checker)
    showRegistered(options, await registerHost(ledger, signer, judged))
  })
}

function showRegistered(options: RegisterOptions, enrolled: EnrolledHost): void {
  new Output(options.json === true).result({ ok: true, ...enrolled }, enrolledWords(enrolled))
}
