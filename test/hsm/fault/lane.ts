import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultyToken } from '../../../hil/hsm-fault/plan.ts'
import { DeviceError } from '../../../src/device/error.ts'
import { Pkcs11Error } from '../../../src/hsm/error.ts'
import { Hsm } from '../../../src/hsm/hsm.ts'
import { SCOPE } from '../message.ts'
import { DATA_KEY, LEDGER_KEY } from '../suite.ts'
import type { Cell } from './cells.ts'
import { type Known, operations } from './operations.ts'

/** How long the device may take to come back, on a machine that has other work. */
const RECOVERY_MS = 60_000
/** Answers of C_Login after which the PIN must not be tried again by anybody. */
const REFUSED = /^C_Login 0x(a[0-4]|70|8000[0-9a-f]{4})$/

/** Works through cells, one after the other, with one HSM as long as that one is of use. */
export class Lane {
  readonly #token: FaultyToken
  readonly #known: Known
  readonly #deadlineMs: number
  #hsm: Hsm | undefined

  constructor(token: FaultyToken, known: Known, deadlineMs: number) {
    this.#token = token
    this.#known = known
    this.#deadlineMs = deadlineMs
  }

  /** @returns `ok`, or the code of the refusal; what begins with `!` should not have been */
  async run(cell: Cell): Promise<string> {
    try {
      return await this.#run(cell)
    } catch (error) {
      await this.close()
      return `! ${String(error)}`
    } finally {
      this.#token.clear()
    }
  }

  async close(): Promise<void> {
    await this.#hsm?.close()
    this.#hsm = undefined
  }

  async #run(cell: Cell): Promise<string> {
    if (cell.moment === 'start') await this.close()
    const hsm = (this.#hsm ??= this.#open())
    if (cell.moment !== 'start') await this.#recovered(hsm)
    this.#token.inject(cell.rules)
    const outcome = await this.#attempt(cell, hsm)
    if (!this.#token.log().includes(`${cell.fn} ${cell.fault.split(' ')[0] ?? ''}`)) return '! did not come to pass'
    if (outcome.startsWith('!')) return outcome
    if (cell.succeeds && outcome !== 'ok') return `! ${outcome}, not ok`
    if (cell.final) {
      const again = await this.#attempt({ ...cell, unprotected: false }, hsm)
      await this.close()
      if (again !== outcome || hsm.state !== 'stopped') return `! ${outcome}, but then ${again}`
    }
    const log = this.#token.log()
    const refused = log.findIndex((line) => REFUSED.test(line))
    if (refused >= 0 && log.slice(refused + 1).some((line) => /^C_Login 0x/.test(line))) return '! one try too many'
    if (refused >= 0 !== cell.final) return cell.final ? '! no refused login' : '! a refused login'
    this.#token.clear()
    if (!cell.final) await this.#recovered(hsm)
    return outcome
  }

  async #attempt(cell: Cell, hsm: Hsm): Promise<string> {
    try {
      await operations[cell.operation](hsm, this.#known)
      return 'ok'
    } catch (error) {
      if (error instanceof assert.AssertionError) return cell.unprotected ? 'unseen' : `! WRONG: ${error.message}`
      if (error instanceof Pkcs11Error && error.code !== 'INTERNAL') return error.code
      return error instanceof DeviceError ? error.code : `! ${String(error)}`
    }
  }

  /** With the same HSM: nothing of the parent is started anew. */
  async #recovered(hsm: Hsm): Promise<void> {
    const until = performance.now() + RECOVERY_MS
    for (;;) {
      try {
        await operations.sign(hsm, this.#known)
        await operations.encrypt(hsm, this.#known)
        await operations.decrypt(hsm, this.#known)
        return
      } catch (error) {
        // A start may take longer than a short deadline.
        if (!(error instanceof DeviceError) || performance.now() > until) throw error
        await sleep(20)
      }
    }
  }

  #open(): Hsm {
    return new Hsm({
      ...this.#token.token,
      ledgerKey: LEDGER_KEY,
      dataKey: DATA_KEY,
      deadlineMs: this.#deadlineMs,
      scope: SCOPE,
    })
  }
}
