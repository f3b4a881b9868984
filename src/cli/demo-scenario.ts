import { randomBytes } from 'node:crypto'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { auditLedger } from '../auditor/verify.ts'
import { reportText } from '../auditor/report.ts'
import { readTrustStore } from '../auditor/trust-store.ts'
import { equal, toHex, type Hex } from '../core/bytes.ts'
import { codeOf, messageOf } from '../core/error.ts'
import { readConfig } from '../agent/config.ts'
import { ACCESS_POLICY } from '../ledger/abi.ts'
import { approveVmm } from '../ledger/approve.ts'
import { Ledger } from '../ledger/ledger.ts'
import { readDeployment } from '../ledger/deployment.ts'
import { keyFileSigner, type DigestSigner } from '../ledger/signer.ts'
import { UNLIMITED, type Grant } from '../record/grant.ts'
import { ZERO_HASH, dataId, operationId } from '../record/hash.ts'
import { parseReceipt } from '../record/parse.ts'
import type { Receipt } from '../record/receipt.ts'
import { stackUp } from '../../hil/stack/stack.ts'
import { grantBySignature } from './grant.ts'
import {
  OperationRefused,
  agentStatus,
  sendRequest,
  signRequest,
  type OperationAnswer,
  type OperationOrder,
  type Step,
} from '../agent/client.ts'
import { stepsTable } from './operation.ts'
import { short, type Output } from './output.ts'

/** What the demonstration needs: where to speak, where the stack lives, and the file. */
export interface ScenarioInput {
  readonly output: Output
  readonly dir: string
  readonly name: string
  readonly content: Uint8Array
  /** Called while the stack is brought up; what it throws ends that. */
  readonly onProgress: () => void
  /** Called when the stack is up. */
  readonly onUp: () => void
}

/** What `attestry demo --json` prints. */
export interface ScenarioResult {
  readonly ok: boolean
  readonly hostId: Hex
  readonly vmmHash: Hex
  readonly steps: readonly { readonly step: number; readonly name: string; readonly ok: boolean; readonly ms: number }[]
  readonly refusals: readonly Refusal[]
  readonly operations: number
  readonly audit: {
    readonly ok: boolean
    readonly operations: number
    readonly verified: number
    readonly findings: readonly unknown[]
    readonly trust: string
  }
}

interface Refusal {
  readonly name: string
  readonly ok: boolean
  readonly code: string
}

/** Whether a refusal must be on record. */
type RecordPlace = 'on record' | 'not on record' | 'not once more'

const people = ['alice', 'bob', 'carol', 'dave', 'approver1', 'approver2', 'deployer'] as const
type Person = (typeof people)[number]

/** Runs the demonstration on a stack that it starts; the caller stops it. @throws where a part fails that should not */
export async function runScenario(input: ScenarioInput): Promise<ScenarioResult> {
  const { output, dir, name, content } = input
  const begin = performance.now()
  output.line(output.style('bold', 'Attestry: from a TPM quote to an independent audit'))
  output.line()
  const stack = await output.progress('starting the local stack', (update) =>
    stackUp(dir, {
      onProgress: (label) => {
        input.onProgress()
        update(label)
      },
    }),
  )
  input.onUp()
  const config = readConfig(join(dir, 'agent.toml'))
  const ledger = await Ledger.connect(config.ledger.rpc, await readDeployment(config.ledger.deployment))
  try {
    const signers = Object.fromEntries(
      await Promise.all(people.map(async (who) => [who, await keyFileSigner(join(dir, 'keys', `${who}.key`))])),
    ) as Record<Person, DigestSigner>
    const demo = new Demonstration(output, dir, ledger, config.api.socket, stack.hostId, signers)
    output.line(`stack    up in ${seconds(begin)}: swtpm, SoftHSM, ledger (chain ${ledger.deployment.chainId}), agent`)
    output.line(`host     ${stack.hostId}`)
    output.line(`         ${output.style('yellow', 'assurance: Software (the TPM and the HSM are emulated)')}`)
    output.line(`vmm      ${stack.vmmHash}`)
    output.line('         authorised by 2 of 3 approvers')
    const { steps, receipt } = await demo.operations(name, content)
    await demo.refusals(content)
    await demo.changedVmm(content)
    const audit = await demo.audit(receipt)
    const ok = audit.ok && steps.length === 10 && steps.every((step) => step.ok) && demo.refused.every((r) => r.ok)
    output.line()
    output.line(
      `${output.style(ok ? 'green' : 'red', ok ? 'All as it should be' : 'NOT as it should be')}, in ${seconds(begin)}.`,
    )
    output.line()
    output.line('Where to look next:')
    output.line('  npm run attestry -- dev up       the same stack, to keep and to try things on')
    output.line('  npm run attestry -- --help       every command, each with an example')
    output.line('  docs/formats.md                  all that an independent verifier needs')
    return {
      ok,
      hostId: stack.hostId,
      vmmHash: stack.vmmHash,
      steps: steps.map(({ step, name: stepName, ok: good, ms }) => ({ step, name: stepName, ok: good, ms })),
      refusals: demo.refused,
      operations: audit.operations,
      audit,
    }
  } finally {
    ledger.close()
  }
}

/** The scenes, in their order, with what they leave for one another. */
class Demonstration {
  readonly refused: Refusal[] = []
  /** Of the refusals that are on record. */
  readonly #receipts: Receipt[] = []
  readonly #output: Output
  readonly #dir: string
  readonly #ledger: Ledger
  readonly #socket: string
  readonly #hostId: Hex
  readonly #signers: Readonly<Record<Person, DigestSigner>>
  #dataId: Hex = ZERO_HASH
  #ciphertext: Uint8Array = new Uint8Array()
  #bobsGrant: Hex = ZERO_HASH
  #davesGrant: Hex = ZERO_HASH
  #bobsRequest: { readonly signed: Awaited<ReturnType<typeof signRequest>>; readonly input: Uint8Array } | undefined

  constructor(
    output: Output,
    dir: string,
    ledger: Ledger,
    socket: string,
    hostId: Hex,
    signers: Readonly<Record<Person, DigestSigner>>,
  ) {
    this.#output = output
    this.#dir = dir
    this.#ledger = ledger
    this.#socket = socket
    this.#hostId = hostId
    this.#signers = signers
  }

  /** Encrypted for A, decrypted by A, by B through a grant, by D through B's delegation. */
  async operations(name: string, content: Uint8Array): Promise<{ steps: readonly Step[]; receipt: Receipt }> {
    const { alice, bob, dave } = this.#signers
    this.#scene(`One file, ${name} (${content.length} bytes), for customer A`)
    const salt = toHex(randomBytes(32))
    this.#dataId = dataId(alice.address, salt)
    await this.#ledger.submit(alice, {
      to: 'accessPolicy',
      data: ACCESS_POLICY.encodeFunctionData('registerData', [salt]) as Hex,
    })
    this.#output.line('A registers the data')
    this.#output.line(`  ${this.#dataId}`)
    const encrypted = await this.#operate('A encrypts', alice, 'encrypt', content)
    this.#ciphertext = encrypted.result
    this.#output.line(stepsTable(encrypted.steps))
    this.#output.line(`  request ${encrypted.receipt.record.requestHash}`)
    this.#output.line(`  sent as ${encrypted.transaction?.hash ?? 'none'}`)
    this.#same(content, await this.#operate('A decrypts', alice, 'decrypt', this.#ciphertext))

    this.#bobsGrant = await this.#grant('A grants to B, who may delegate once', alice, {
      grantee: bob.address,
      delegationDepth: 1,
    })
    const input = this.#ciphertext
    const order = this.#order('decrypt', input, this.#bobsGrant)
    this.#bobsRequest = { signed: await signRequest(this.#ledger.domain('auditLog'), bob, order), input }
    this.#same(content, await this.#send('B decrypts', this.#bobsRequest.signed, input))
    this.#davesGrant = await this.#grant('B delegates to D', bob, { grantee: dave.address, parent: this.#bobsGrant })
    this.#same(content, await this.#operate('D decrypts', dave, 'decrypt', this.#ciphertext, this.#davesGrant))
    return { steps: encrypted.steps, receipt: encrypted.receipt }
  }

  /** What must not work, does not. */
  async refusals(content: Uint8Array): Promise<void> {
    const { alice, bob, carol, dave } = this.#signers
    this.#scene('Refusals')
    const request = this.#bobsRequest
    if (request === undefined) throw new Error('B has asked for nothing yet')
    await this.#refuse('C without a grant', 'GRANT_MISSING', 'on record', () =>
      this.#operate('', carol, 'decrypt', this.#ciphertext),
    )
    const expired = await this.#grant('', alice, { grantee: carol.address, notAfter: now() - 60n })
    await this.#refuse('C with an expired grant', 'GRANT_EXPIRED', 'on record', () =>
      this.#operate('', carol, 'decrypt', this.#ciphertext, expired),
    )
    await this.#refuse('B’s request, replayed', 'REQUEST_REPLAYED', 'not once more', () =>
      this.#send('', request.signed, request.input),
    )
    await this.#refuse('a request for another host', 'REQUEST_OTHER_HOST', 'not on record', async () =>
      this.#signAndSend(alice, { ...this.#order('encrypt', content), hostId: toHex(randomBytes(32)) }),
    )
    await this.#refuse('an expired request', 'REQUEST_EXPIRED', 'not on record', async () =>
      this.#signAndSend(alice, { ...this.#order('encrypt', content), expiry: now() - 60n }),
    )
    await this.#refuse('another’s ciphertext under C’s own data', 'OPERATION_FAILED', 'on record', async () => {
      const salt = toHex(randomBytes(32))
      const data = ACCESS_POLICY.encodeFunctionData('registerData', [salt]) as Hex
      await this.#ledger.submit(carol, { to: 'accessPolicy', data })
      const own = dataId(carol.address, salt)
      return this.#signAndSend(carol, { ...this.#order('decrypt', this.#ciphertext), dataId: own })
    })
    await this.#ledger.submit(alice, {
      to: 'accessPolicy',
      data: ACCESS_POLICY.encodeFunctionData('revoke', [this.#bobsGrant]) as Hex,
    })
    await this.#refuse('B after A revoked', 'GRANT_REVOKED', 'on record', () =>
      this.#operate('', bob, 'decrypt', this.#ciphertext, this.#bobsGrant),
    )
    await this.#refuse('D, whose grant hung below B’s', 'GRANT_REVOKED', 'on record', () =>
      this.#operate('', dave, 'decrypt', this.#ciphertext, this.#davesGrant),
    )
  }

  /** A file of the VMM changes while it runs: the host is trusted no more, until the new VMM is approved. */
  async changedVmm(content: Uint8Array): Promise<void> {
    const { alice, approver1, approver2 } = this.#signers
    this.#scene('A file of the VMM changes while it runs')
    const begin = performance.now()
    await appendFile(join(this.#dir, 'vmm', 'qemu-system-x86_64'), 'patched while running\n')
    while ((await agentStatus(this.#socket))['vmmAuthorised'] !== false) {
      if (performance.now() - begin > 20_000) throw new Error('the change of the VMM went unnoticed for 20 s')
      await sleep(10)
    }
    this.#output.line(`the host is not trusted any more, ${(performance.now() - begin).toFixed(0)} ms after the write`)
    await this.#refuse('A on the changed VMM', 'VMM_NOT_AUTHORISED', 'on record', () =>
      this.#operate('', alice, 'encrypt', content),
    )
    const [{ Tpm }, { proposeVmm }] = await Promise.all([import('../tpm/tpm.ts'), import('../agent/propose.ts')])
    const config = readConfig(join(this.#dir, 'agent.toml'))
    const tpm = new Tpm(config.tpm)
    try {
      const { vmmHash } = await proposeVmm({
        tpm,
        ledger: this.#ledger,
        config: config.vmm,
        signer: this.#signers.deployer,
      })
      await approveVmm(this.#ledger, approver1, vmmHash)
      const { status } = await approveVmm(this.#ledger, approver2, vmmHash)
      this.#output.line(`the new VMM, proposed with a quote, is ${status.toLowerCase()} after two approvals:`)
      this.#output.line(`         ${vmmHash}`)
    } finally {
      await tpm.close()
    }
    await this.#operate('A encrypts again', alice, 'encrypt', content)
  }

  /** The audit, and one more against a record that was tampered with. */
  async audit(receipt: Receipt): Promise<ScenarioResult['audit']> {
    this.#scene('The audit, from nothing but the ledger and the TPM vendor’s certificate')
    const trustAnchors = readTrustStore(join(this.#dir, 'trust'))
    const report = await this.#output.progress('auditing', () =>
      auditLedger({ ledger: this.#ledger, trustAnchors, receipts: [receipt, ...this.#receipts] }),
    )
    this.#output.line(reportText(report))
    const tampered: Receipt = { ...receipt, record: { ...receipt.record, resultHash: toHex(randomBytes(32)) } }
    const second = await auditLedger({ ledger: this.#ledger, trustAnchors, receipts: [tampered] })
    const finding = second.findings.find(({ code }) => code === 'RECORD_DIFFERS')
    this.#judge('a tampered copy of a record, audited', {
      expected: 'RECORD_DIFFERS',
      found: finding?.code ?? 'none',
      details: [finding?.detail ?? ''],
    })
    const { ok, operations, verified, findings, trust } = report
    return { ok, operations, verified, findings, trust }
  }

  #order(operation: string, input: Uint8Array, grantId?: Hex): OperationOrder {
    return {
      operation,
      dataId: this.#dataId,
      hostId: this.#hostId,
      input,
      ...(grantId === undefined ? {} : { grantId }),
    }
  }

  async #operate(
    what: string,
    who: DigestSigner,
    operation: string,
    input: Uint8Array,
    grantId?: Hex,
  ): Promise<OperationAnswer> {
    const signed = await signRequest(this.#ledger.domain('auditLog'), who, this.#order(operation, input, grantId))
    return this.#send(what, signed, input)
  }

  async #signAndSend(who: DigestSigner, order: OperationOrder): Promise<OperationAnswer> {
    return this.#send('', await signRequest(this.#ledger.domain('auditLog'), who, order), order.input)
  }

  async #send(
    what: string,
    signed: Awaited<ReturnType<typeof signRequest>>,
    input: Uint8Array,
  ): Promise<OperationAnswer> {
    const begin = performance.now()
    const answer = await this.#output.progress(what || 'waiting for the agent', () =>
      sendRequest(this.#socket, signed, input),
    )
    if (what !== '') {
      const { record } = answer.receipt
      this.#output.line(
        `${what}: done in ${seconds(begin)}, record ${record.seq} in block ${answer.transaction?.blockNumber ?? '?'}`,
      )
    }
    return answer
  }

  #same(content: Uint8Array, answer: OperationAnswer): void {
    if (!equal(content, answer.result)) throw new Error('what was decrypted is not what was encrypted')
    this.#output.line(`  ${content.length} bytes, the same as the file’s, byte for byte`)
    answer.result.fill(0)
  }

  async #grant(what: string, grantor: DigestSigner, terms: Partial<Grant> & Pick<Grant, 'grantee'>): Promise<Hex> {
    const grant: Grant = {
      dataId: this.#dataId,
      operationId: operationId('decrypt'),
      notBefore: 0n,
      notAfter: UNLIMITED,
      maxUses: UNLIMITED,
      vmmHash: ZERO_HASH,
      hostId: ZERO_HASH,
      minAssurance: 0,
      delegationDepth: 0,
      parent: ZERO_HASH,
      salt: toHex(randomBytes(32)),
      ...terms,
    }
    const { id } = await grantBySignature(this.#ledger, grant, grantor, this.#signers.deployer)
    if (what !== '') this.#output.line(`${what}: grant ${short(id)}, signed as EIP-712`)
    return id
  }

  /** Expects a refusal with this code, and a record of it, or none: whether that is on the ledger, the audit tells. */
  async #refuse(
    name: string,
    expected: string,
    place: RecordPlace,
    attempt: () => Promise<OperationAnswer>,
  ): Promise<void> {
    try {
      await attempt()
      this.#judge(name, { expected, found: 'none', details: ['it was allowed'] })
    } catch (error) {
      const found = codeOf(error)
      if (found === undefined) throw error
      const given = error instanceof OperationRefused ? error.answer['receipt'] : undefined
      if (given !== undefined) this.#receipts.push(parseReceipt(given))
      const recorded = given !== undefined
      const asItShould = recorded === (place === 'on record')
      const note = recorded ? [] : [place === 'not once more' ? 'nothing more is on record' : 'nothing is on record']
      const wrong = asItShould ? [] : [`expected it ${place}`]
      this.#judge(name, { expected, found, asItShould, details: [messageOf(error), ...note, ...wrong] })
    }
  }

  #judge(
    name: string,
    verdict: {
      readonly expected: string
      readonly found: string
      readonly details: readonly string[]
      readonly asItShould?: boolean
    },
  ): void {
    const { expected, found, details, asItShould = true } = verdict
    const ok = found === expected && asItShould
    this.refused.push({ name, ok, code: found })
    this.#output.line(`${this.#output.style(ok ? 'green' : 'red', ok ? 'refused' : 'WRONG')}  ${name}: ${found}`)
    if (found !== expected) this.#output.line(`         expected ${expected}`)
    for (const detail of details) {
      const text = detail.replaceAll(/0x[0-9a-f]{64}/g, short)
      for (const line of wrap(text, 70)) this.#output.line(this.#output.style('dim', `         ${line}`))
    }
  }

  #scene(title: string): void {
    this.#output.line()
    this.#output.line(this.#output.style('bold', title))
  }
}

/** Breaks a text between words into lines of at most `width` characters. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

function now(): bigint {
  return BigInt(Math.floor(Date.now() / 1000))
}

function seconds(begin: number): string {
  return `${((performance.now() - begin) / 1000).toFixed(1)} s`
}
