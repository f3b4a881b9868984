import { Command } from 'commander'
import { toHex, type Hex } from '../core/bytes.ts'
import { codeOf, messageOf } from '../core/error.ts'
import { vmmHash } from '../evidence/vmm-hash.ts'
import { openHsm } from '../agent/open-hsm.ts'
import { readDeployment } from '../ledger/deployment.ts'
import { Ledger } from '../ledger/ledger.ts'
import { sha256 } from '../record/hash.ts'
import { lockoutInWords } from '../tpm/lockout.ts'
import { Tpm } from '../tpm/tpm.ts'
import type { AgentConfig } from '../agent/config.ts'
import { configOf, withConfig, type PlaceOptions } from './context.ts'
import { EXIT, exitCodeOf } from './exit.ts'
import { Output, table } from './output.ts'

interface Check {
  readonly check: string
  readonly ok: boolean
  readonly found: string
  /** What to do where it is not ok. */
  readonly advice?: string
  readonly exitCode?: number
}

/** `attestry doctor`: looks at every part that the agent needs, and says what to do. */
export function doctorCommand(): Command {
  return withConfig(new Command('doctor'))
    .addHelpText('after', '\nExample:\n  attestry doctor --config /etc/attestry/agent.toml')
    .action(examine)
}

async function examine(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const checks = await output.progress('examining', async () => examineHost(await configOf(options)))
  const ok = checks.every((check) => check.ok)
  const lines = table(checks.map(({ check, ok: good, found }) => [good ? 'ok' : 'NO', check, found]))
  const advice = checks.flatMap(({ check, advice: what }) => (what === undefined ? [] : [`${check}: ${what}`]))
  output.result({ ok, checks }, advice.length === 0 ? lines : `${lines}\n\nWhat to do:\n  ${advice.join('\n  ')}`)
  if (!ok) process.exitCode = checks.find((check) => !check.ok)?.exitCode ?? EXIT.refused
}

async function examineHost(config: AgentConfig): Promise<readonly Check[]> {
  const checks: Check[] = []
  const look = async <T>(
    check: string,
    advice: string,
    work: () => Promise<readonly [T, string]>,
  ): Promise<T | undefined> => {
    try {
      const [value, found] = await work()
      checks.push({ check, ok: true, found })
      return value
    } catch (error) {
      const code = codeOf(error)
      checks.push({
        check,
        ok: false,
        found: code === undefined ? messageOf(error) : `${messageOf(error)} (${code})`,
        advice,
        exitCode: code === undefined ? EXIT.refused : exitCodeOf(error),
      })
      return undefined
    }
  }
  const tpm = new Tpm(config.tpm)
  const hsm = openHsm(config)
  let ledger: Ledger | undefined
  try {
    const hostId = await look<Hex>('TPM', 'is the TPM there, and [tpm] tcti right?', async () => {
      const { public: ekPublic } = await tpm.endorsementKey()
      return [sha256(ekPublic), `EK found at ${config.tpm.tcti.split(':')[0] ?? ''}`]
    })
    await look<string>(
      'TPM lockout',
      'something guesses authorisation values: find it, then clear the lockout',
      async () => {
        const state = await tpm.readLockout()
        if (state.isLocked) throw new Error(lockoutInWords(state))
        return ['', lockoutInWords(state)]
      },
    )
    const measured = await look<Hex>('measurement', 'run "attestry measure" before the agent starts', async () => {
      const values = await tpm.readPcrs(config.vmm.selection)
      if (values.get(config.vmm.pcr)?.every((byte) => byte === 0) !== false)
        throw new Error(`PCR ${config.vmm.pcr} is zero`)
      return [
        vmmHash(config.vmm.selection, values),
        `PCR ${config.vmm.pcr} ${toHex(values.get(config.vmm.pcr) ?? new Uint8Array())}`,
      ]
    })
    const address = await look<Hex>(
      'HSM',
      'is the module there, [hsm] token right, the keys made (attestry key generate)?',
      async () => {
        const key = await hsm.ledgerKey()
        return [key.address, `${key.label} ${key.address}`]
      },
    )
    ledger = await look<Ledger>(
      'ledger',
      'is the node running, and the deployment file that of this chain?',
      async () => {
        const connected = await Ledger.connect(config.ledger.rpc, await readDeployment(config.ledger.deployment))
        const { number, timestamp } = await connected.latestBlock()
        return [
          connected,
          `chain ${connected.deployment.chainId}, block ${number}, ${Math.floor(Date.now() / 1000) - Number(timestamp)} s old`,
        ]
      },
    )
    const there = ledger
    if (there !== undefined && hostId !== undefined) {
      await look<string>('host', 'enrol this host: attestry host enrol', async () => {
        const host = await there.host(hostId)
        if (host.status !== 'Active') throw new Error(`${hostId} is ${host.status} on the ledger`)
        if (address !== undefined && host.ledgerAddress !== address) {
          throw new Error(`the ledger knows it by ${host.ledgerAddress}, the HSM has ${address}`)
        }
        return ['', `${hostId} ${host.assurance}`]
      })
    }
    if (there !== undefined && measured !== undefined) {
      await look<string>('VMM', 'propose it (attestry vmm propose) and have it approved', async () => {
        if (!(await there.isAuthorised(measured))) throw new Error(`${measured} is not authorised`)
        return ['', `${measured} authorised`]
      })
    }
    return checks
  } finally {
    ledger?.close()
    await Promise.all([tpm.close(), hsm.close()])
  }
}
