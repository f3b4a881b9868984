import { basename, resolve } from 'node:path'
import { Command } from 'commander'
import { answerChallenge } from '../agent/answer-challenge.ts'
import { ENROL_ANSWER, ENROL_CHALLENGE, ENROL_REQUEST } from '../agent/enrol-file.ts'
import { requestHashOf } from '../agent/enrol-hash.ts'
import { MAX_REQUEST_LIFE_S } from '../agent/enrol-life.ts'
import { requestEnrolment, type HostDevices } from '../agent/request-enrolment.ts'
import { fromHex } from '../core/bytes.ts'
import { readDeployment } from '../ledger/deployment.ts'
import { sha256 } from '../record/hash.ts'
import { configOf, usingLedger, withConfig, type PlaceOptions } from './context.ts'
import { inFuture, isoOf, readEnrolFile, withOutput } from './enrol-input.ts'
import { fileLines } from './enrol-text.ts'
import { moment } from './options.ts'
import { Output } from './output.ts'

/** `attestry host request|answer`: the host's steps of an enrolment whose registrar is on another machine. */
export function enrolHostCommands(): readonly Command[] {
  const request = withConfig(new Command('request'))
    .description('on the host: ask for its enrolment')
    .requiredOption('--out <file>', 'the request, for the registrar')
    .option('--expires <time>', 'until when it counts (by default +1d, at most +30d)', moment)
    .addHelpText('after', '\nExample:\n  attestry host request --config agent.toml --out request.json')
    .action(makeRequest)
  const answer = withConfig(new Command('answer'))
    .description('on the host: answer a challenge, with a quote that counts for 256 blocks')
    .argument('<challenge>', 'what "host challenge" wrote')
    .requiredOption('--out <file>', 'the answer, for the registrar')
    .addHelpText('after', '\nExample:\n  attestry host answer challenge.json --config agent.toml --out answer.json')
    .action(makeAnswer)
  return [request, answer]
}

interface RequestOptions extends PlaceOptions {
  readonly out: string
  readonly expires?: bigint
}

async function makeRequest(options: RequestOptions): Promise<void> {
  const output = new Output(options.json === true)
  const expires = inFuture(options.expires ?? moment('+1d'), MAX_REQUEST_LIFE_S)
  const config = await configOf(options)
  const { chainId, contracts } = await readDeployment(config.ledger.deployment)
  const domain = { chainId, verifyingContract: contracts.hostRegistry.address }
  const request = await withOutput(options.out, async (file) => {
    const made = await withDevices(options, (devices) => requestEnrolment(devices, domain, expires))
    await file.keep(ENROL_REQUEST.encode(made))
    return made
  })
  const { ekPublic, ledgerAddress } = request
  const shown = { hostId: sha256(fromHex(ekPublic)), ledgerAddress }
  const requestHash = requestHashOf(request)
  output.result(
    { ok: true, file: resolve(options.out), ...shown, requestHash, expires: isoOf(expires) },
    [
      `host     ${shown.hostId}`,
      `address  ${ledgerAddress}`,
      `request  ${requestHash}`,
      `expires  ${isoOf(expires)}`,
      fileLines(options.out, 'at the registrar', `challenge ${basename(options.out)}`),
    ].join('\n'),
  )
}

async function makeAnswer(path: string, options: PlaceOptions & { readonly out: string }): Promise<void> {
  const output = new Output(options.json === true)
  const challenge = readEnrolFile(path, ENROL_CHALLENGE.parse)
  const { selection } = (await configOf(options)).vmm
  const answer = await withOutput(options.out, async (file) => {
    const made = await usingLedger(options, (ledger) =>
      withDevices(options, (devices) => answerChallenge({ ...devices, ledger, selection, now: new Date() }, challenge)),
    )
    await file.keep(ENROL_ANSWER.encode(made))
    return made
  })
  const { hostId, requestHash } = challenge
  const lastBlock = answer.anchorBlock + 256n
  output.result(
    { ok: true, file: resolve(options.out), hostId, requestHash, anchorBlock: answer.anchorBlock, lastBlock },
    [
      `host     ${hostId}`,
      `request  ${requestHash}`,
      `expires  after block ${lastBlock}`,
      fileLines(options.out, 'at the registrar', `register ${basename(options.out)}`),
    ].join('\n'),
  )
}

/** Works with the host's devices, and ends their processes. */
async function withDevices<T>(options: PlaceOptions, work: (devices: HostDevices) => Promise<T>): Promise<T> {
  const config = await configOf(options)
  const [{ Tpm }, { openHsm }] = await Promise.all([import('../tpm/tpm.ts'), import('../agent/open-hsm.ts')])
  const [tpm, hsm] = [new Tpm(config.tpm), openHsm(config, await readDeployment(config.ledger.deployment))]
  try {
    return await work({ tpm, hsm })
  } finally {
    await Promise.all([tpm.close(), hsm.close()])
  }
}
