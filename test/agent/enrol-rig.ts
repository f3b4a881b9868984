import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from '@peculiar/x509'
import { stringify as toml } from 'smol-toml'
import { setBalance, startAnvil } from '../../hil/stack/anvil.ts'
import { stopProcess } from '../../hil/stack/process.ts'
import { createSoftHsm, type SoftHsm } from '../../hil/stack/softhsm.ts'
import { manufactureSwtpm, startSwtpm, swtpmTrustAnchors } from '../../hil/stack/swtpm.ts'
import { signingScope } from '../../src/agent/signing-scope.ts'
import { Hsm } from '../../src/hsm/hsm.ts'
import { deployContracts } from '../../src/ledger/deploy.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { keyFileSigner, type DigestSigner } from '../../src/ledger/signer.ts'
import { stringify } from '../../src/record/json.ts'
import { Tpm } from '../../src/tpm/tpm.ts'

/** A TPM, and the certificates that vouch for it. */
export interface TpmRig {
  readonly tpm: Tpm
  readonly tcti: string
  readonly trustAnchors: readonly Uint8Array[]
}

/** A ledger, two TPMs of two certification authorities, and a token with two ledger keys. */
export class EnrolRig {
  readonly dir: string
  readonly #started = new AsyncDisposableStack()
  #token: SoftHsm | undefined
  #rpc = ''

  private constructor(dir: string) {
    this.dir = dir
    this.#started.defer(() => rm(dir, { recursive: true, force: true }))
  }

  static async make(): Promise<EnrolRig> {
    return new EnrolRig(await mkdtemp(join(tmpdir(), 'attestry-enrol-')))
  }

  async startTpm(name: string): Promise<TpmRig> {
    const dir = join(this.dir, name)
    await mkdir(dir)
    await manufactureSwtpm(dir)
    const { process, tcti } = await startSwtpm(dir)
    this.#started.defer(() => stopProcess(process))
    const tpm = new Tpm({ tcti })
    this.#started.defer(() => tpm.close())
    const pems = await Promise.all(swtpmTrustAnchors(dir).map((path) => readFile(path, 'utf8')))
    return { tpm, tcti, trustAnchors: pems.map((pem) => new Uint8Array(new X509Certificate(pem).rawData)) }
  }

  /** Two keys of one token, each as an HSM of its own that signs for the ledger. */
  async startHsms({ deployment }: Ledger): Promise<readonly [Hsm, Hsm]> {
    const dir = join(this.dir, 'hsm')
    const token = await createSoftHsm(dir, { label: 'test', pin: 'user-pin', soPin: 'officer-pin' })
    this.#token = token
    const scope = signingScope(deployment)
    const open = async (version: number): Promise<Hsm> => {
      const label = `attestry/ledger/v${version}`
      const hsm = new Hsm({ ...token, ledgerKey: label, dataKey: 'attestry/data/v1', scope })
      this.#started.defer(() => hsm.close())
      await hsm.generateKey(label)
      return hsm
    }
    return [await open(1), await open(2)]
  }

  async startLedger(): Promise<{ ledger: Ledger; registrar: DigestSigner }> {
    const dir = join(this.dir, 'anvil')
    await mkdir(dir)
    const { process, rpc } = await startAnvil(dir, { blockTimeS: 0.2 })
    this.#rpc = rpc
    this.#started.defer(() => stopProcess(process))
    const registrar = await this.makeSigner('registrar')
    await setBalance(rpc, registrar.address)
    const deployment = await deployContracts(rpc, registrar, {
      registrars: [registrar.address],
      approvers: [registrar.address],
      threshold: 1,
      profile: { transactionType: 2, maxTransactionBytes: 131_072 },
    })
    await writeFile(this.deployment, stringify(deployment))
    const ledger = await Ledger.connect(rpc, deployment)
    this.#started.defer(() => ledger.close())
    return { ledger, registrar }
  }

  /** Somebody with a key file, `NAME.key`. */
  async makeSigner(name: string): Promise<DigestSigner> {
    const path = join(this.dir, `${name}.key`)
    await writeFile(path, randomBytes(32).toString('hex'), { mode: 0o600 })
    return keyFileSigner(path)
  }

  /** The ledger's deployment file; there once the ledger runs. */
  get deployment(): string {
    return join(this.dir, 'deployment.json')
  }

  get rpc(): string {
    return this.#rpc
  }

  /** Writes the configuration of a host with one of the TPMs and one of the token's keys, for commands. */
  async writeConfiguration(name: string, { tcti }: TpmRig, version: number, ek?: string | number): Promise<string> {
    if (this.#token === undefined) throw new RangeError('the token was not started')
    const { module, token, pinFile, environment } = this.#token
    const path = join(this.dir, `${name}.toml`)
    const [log, socket] = [join(this.dir, `${name}.cel`), join(this.dir, `${name}.sock`)]
    const text = toml({
      state: join(this.dir, `${name}-state`),
      tpm: { tcti, ...(ek !== undefined && { ek }) },
      hsm: { module, token, pin_file: pinFile, environment, ledger_key: `attestry/ledger/v${version}` },
      ledger: { rpc: this.rpc, deployment: this.deployment },
      vmm: { profile: 'ci', log, directory: this.dir },
      api: { socket },
    })
    await writeFile(path, text)
    return path
  }

  /** Writes the certificates that vouch for some TPMs as a trust store. */
  async writeTrustStore(name: string, ...tpms: readonly TpmRig[]): Promise<string> {
    const dir = join(this.dir, name)
    await mkdir(dir)
    const ders = tpms.flatMap(({ trustAnchors }) => trustAnchors)
    await Promise.all(
      ders.map((der, i) => writeFile(join(dir, `${i}.pem`), new X509Certificate(Uint8Array.from(der)).toString('pem'))),
    )
    return dir
  }

  stop(): Promise<void> {
    return this.#started.disposeAsync()
  }
}
