import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { toHex, type Hex } from '../core/bytes.ts'
import type { AgentConfig } from '../agent/config.ts'
import { quoteInfoOf, vmmHashOfQuoteInfo } from '../evidence/vmm-hash.ts'
import type { PredictedVmm } from '../ledger/predict.ts'
import { sha256 } from '../record/hash.ts'
import type { PcrValues } from '../tcg/bank.ts'
import { parsePcrFile } from '../tcg/pcr-file.ts'
import type { VmmEvent } from '../tcg/vmm-event.ts'
import type { VmmProfile } from '../vmm/profile.ts'
import {
  DIRECTORY,
  configOf,
  readInput,
  signerOf,
  usingLedger,
  withConfig,
  withSigner,
  type PlaceOptions,
} from './context.ts'
import { UsageError } from './error.ts'
import { OutputFile } from './output-file.ts'
import { Output, table } from './output.ts'

interface PredictOptions extends PlaceOptions {
  readonly component: ReadonlyMap<string, string | undefined>
  readonly root?: string
  readonly whole: boolean
  readonly kernel?: string
  readonly pcrs?: string
  readonly out?: string
  readonly submit: boolean
}

/** `attestry vmm predict`: the vmmHash that a host will have once its VMM is updated and it has booted. */
export function predictCommand(): Command {
  return withSigner(withConfig(new Command('predict')))
    .description('what vmmHash this host will have after an update and a boot; extends nothing')
    .option(
      '--component <name=file>',
      'what FILE holds will stand for the component or file NAME of the event log; nothing, with NAME= alone; repeatable',
      collect,
      new Map<string, string | undefined>(),
    )
    .option('--root <directory>', 'files below it, such as an unpacked package, will lie over those of the system')
    .option('--whole', 'the directory of --root is the whole system, with nothing below it', false)
    .option('--kernel <release>', 'the kernel that will run (uname -r), whose modules are measured')
    .option('--pcrs <file>', "values of the other quoted PCRs, as tpm2_pcrread prints them; the TPM's own unless given")
    .option('--out <file>', 'where to write the event log that will explain it')
    .option('--submit', 'enter it on the ledger, signed by an approver (--as, --key), to be approved', false)
    .addHelpText(
      'after',
      '\nExamples:\n  attestry vmm predict --component vmm/qemu-system-x86_64=./qemu-system-x86_64\n' +
        '  dpkg -x ovmf_2024.11-5_all.deb next && attestry vmm predict --root next\n' +
        '  attestry vmm predict --root next --submit --as approver1',
    )
    .action(predictVmmHash)
}

async function predictVmmHash(options: PredictOptions): Promise<void> {
  const output = new Output(options.json === true)
  if (options.whole && options.root === undefined) throw new UsageError('USAGE', '--whole goes with --root')
  const config = await configOf(options)
  // Asked for before anything is computed: who signs, and whether the log can be kept.
  const signer = options.submit ? await signerOf(options) : undefined
  const file = options.out === undefined ? undefined : await OutputFile.open(options.out, 0o644)
  try {
    const { profile, now, then, selected } = await output.progress('measuring', () => predicted(config, options))
    const { selection, pcr } = profile
    const quoteInfo = quoteInfoOf(selection, new Map([...selected, [pcr, then.pcrValue]]))
    const manifestHash = sha256(then.log.bytes)
    const found = { vmmHash: vmmHashOfQuoteInfo(quoteInfo), attested: toHex(quoteInfo), manifestHash }
    const changes = changesOf(now, then.events)
    const changedWhileRunning = await changesSinceBoot(config)
    await file?.keep(then.log.bytes)
    let ledger: PredictedVmm | null = null
    if (signer !== undefined) {
      const { predictVmm } = await import('../ledger/predict.ts')
      ledger = await usingLedger({ dir: options.dir ?? DIRECTORY, ...options }, (it) =>
        output.progress('entering it on the ledger', () => predictVmm(it, signer, found)),
      )
    }
    const pcrs = Object.fromEntries([...selected].map(([index, value]) => [index, toHex(value)]))
    const value = toHex(then.pcrValue)
    output.result(
      {
        ...{ ok: true, ...found, profile: profile.name, pcr, value, selection, pcrs },
        ...{ events: then.events.length, changes, changedWhileRunning, log: file?.path ?? null, ledger },
      },
      textOf({ ...found, pcr, value, changes, changedWhileRunning, ledger, ...(file && { log: file.path }) }),
    )
  } finally {
    await file?.discard()
  }
}

async function predicted(config: AgentConfig, options: PredictOptions) {
  const [{ profileOf }, { predict }, { requireFirmwarePcrs }, { LayeredView }] = await Promise.all([
    import('../agent/propose.ts'),
    import('../vmm/predict.ts'),
    import('../vmm/firmware-pcrs.ts'),
    import('../vmm/layered-view.ts'),
  ])
  const profile = profileOf(config, options.kernel)
  const { root } = options
  const view = root === undefined ? {} : { view: layered(root, options.whole, LayeredView) }
  const then = await predict(profile, { ...view, replaced: options.component })
  const now = await predict(profileOf(config)).then(
    ({ events }) => events,
    () => [],
  )
  const selected = await valuesOf(profile, config, options.pcrs)
  requireFirmwarePcrs(selected)
  return { profile, now, then, selected }
}

function layered<View>(root: string, whole: boolean, LayeredView: new (roots: readonly string[]) => View): View {
  try {
    return new LayeredView(whole ? [resolve(root)] : [resolve(root), '/'])
  } catch (cause) {
    throw new UsageError('FILE_UNREADABLE', `cannot read the directory ${root}`, { cause })
  }
}

/** The selected PCRs but the measured one: from a file, or as the TPM has them. */
async function valuesOf({ selection, pcr }: VmmProfile, config: AgentConfig, file?: string): Promise<PcrValues> {
  const pcrs = selection.pcrs.filter((index) => index !== pcr)
  if (pcrs.length === 0) return new Map()
  if (file !== undefined) {
    const values = parsePcrFile(readInput(file)).get('sha256')
    return new Map(
      pcrs.map((index) => {
        const value = values?.get(index)
        if (value === undefined) {
          throw new UsageError('USAGE', `${file} has no value for the quoted PCR ${index} of the bank sha256`)
        }
        return [index, value]
      }),
    )
  }
  const { Tpm } = await import('../tpm/tpm.ts')
  const tpm = new Tpm(config.tpm)
  try {
    return await tpm.readPcrs({ bank: selection.bank, pcrs })
  } finally {
    await tpm.close()
  }
}

interface Change {
  readonly change: 'added' | 'changed' | 'removed'
  readonly name: string
  readonly now: Hex | null
  readonly then: Hex | null
}

/** What will be measured otherwise than if this host booted with the files that it has now. */
function changesOf(now: readonly VmmEvent[], then: readonly VmmEvent[]): readonly Change[] {
  const digests = (events: readonly VmmEvent[]) =>
    new Map(events.flatMap(({ name, sha256: digest }) => (digest === undefined ? [] : [[name, toHex(digest)]])))
  const [before, after] = [digests(now), digests(then)]
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [from, to] = [before.get(name) ?? null, after.get(name) ?? null]
    if (from === to) return []
    return [{ change: from === null ? 'added' : to === null ? 'removed' : 'changed', name, now: from, then: to }]
  })
}

/** How many changes this boot's log has already; none where there is no log that can be read. */
async function changesSinceBoot({ vmm }: AgentConfig): Promise<number> {
  const { readVmmLog } = await import('../vmm/log-file.ts')
  return readVmmLog(vmm.log).then(
    ({ records }) => records.filter(({ event }) => event.kind === 'changed').length,
    () => 0,
  )
}

function textOf(found: {
  readonly vmmHash: Hex
  readonly manifestHash: Hex
  readonly pcr: number
  readonly value: Hex
  readonly changes: readonly Change[]
  readonly changedWhileRunning: number
  readonly ledger: PredictedVmm | null
  readonly log?: string
}): string {
  const { changes, changedWhileRunning, ledger, pcr, vmmHash } = found
  const digest = (hex: Hex | null) => hex?.slice(2, 12) ?? '-'
  const rows = changes.map(({ change, name, now, then }) => [change, `${digest(now)} > ${digest(then)}`, name])
  return [
    ...(rows.length === 0 ? ['every component as it is now'] : [table(rows)]),
    '',
    `vmm       ${vmmHash}`,
    `manifest  ${found.manifestHash}`,
    `PCR ${String(pcr).padEnd(6)}${found.value}`,
    ...(found.log === undefined ? [] : [`log       ${found.log}`]),
    ...(ledger === null
      ? []
      : [`ledger    ${ledger.status}, epoch ${ledger.epoch}${ledger.entered ? ', entered now' : ''}`]),
    '',
    'This is the VMM after a boot with these files. A host that sees its files change',
    'while it runs extends each change, and is another VMM until it is rebooted.',
    ...(changedWhileRunning === 0 ? [] : [`This boot has seen ${changedWhileRunning} already.`]),
    ledger === null
      ? 'next      enter it: the same with --submit --as APPROVER'
      : `next      attestry vmm approve ${vmmHash} --as NAME`,
  ].join('\n')
}

function collect(
  text: string,
  before: ReadonlyMap<string, string | undefined>,
): ReadonlyMap<string, string | undefined> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Expected NAME=FILE, or NAME= for what will not be there.')
  const [name, file] = [text.slice(0, at), text.slice(at + 1)]
  if (before.has(name)) throw new InvalidArgumentError(`${name} is given twice.`)
  return new Map([...before, [name, file === '' ? undefined : resolve(file)]])
}
