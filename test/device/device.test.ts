import assert from 'node:assert/strict'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CodedError } from '../../src/core/error.ts'
import { Device, type DeviceOptions } from '../../src/device/device.ts'
import { DeviceError } from '../../src/device/error.ts'
import type { EchoCalls } from './echo-child.ts'

class RevivedError extends CodedError {
  readonly detail: unknown

  constructor(code: string, message: string, detail: unknown) {
    super(code, message)
    this.detail = detail
  }
}

describe('Device', () => {
  const devices: Device<EchoCalls>[] = []
  const open = (options: Partial<DeviceOptions> = {}) => {
    const device = new Device<EchoCalls>({
      name: 'echo',
      module: new URL('echo-child.ts', import.meta.url),
      config: undefined,
      deadlineMs: 10_000,
      revive: (code, message, detail) => new RevivedError(code, message, detail),
      ...options,
    })
    devices.push(device)
    return device
  }
  afterEach(() => Promise.all(devices.splice(0).map((device) => device.close())))

  it('answers calls in order, with bytes and bigints, in one process', async () => {
    const device = open()
    assert.equal(device.state, 'idle')
    const values = [{ bytes: Uint8Array.of(1, 2, 255), count: 2n ** 63n }, 'two', null, new Map([[1, 2]])]
    assert.deepEqual(await Promise.all(values.map((value) => device.call('echo', value))), values)
    assert.equal(device.state, 'ready')
    const { pid } = device
    await device.call('echo', 'again')
    assert.equal(device.pid, pid)
  })

  it('gives the configuration and the secret, and the secret by no other way', async () => {
    const secret = Buffer.from('tops3cretpin')
    process.env['ATTESTRY_TEST_LEAK'] = 'leak'
    const device = open({
      config: { slot: 3n },
      secret: () => Promise.resolve(secret),
      environment: { EXTRA: 'given' },
    })
    const about = await device.call('about', undefined)
    delete process.env['ATTESTRY_TEST_LEAK']
    assert.deepEqual(about.config, { slot: 3n })
    assert.equal(about.secretBytes, 12)
    assert.equal(
      about.secretSum,
      Buffer.from('tops3cretpin').reduce((sum, byte) => sum + byte, 0),
    )
    assert.deepEqual(secret, Buffer.alloc(12))
    assert.doesNotMatch(about.argv + about.environment, /tops3cret|ATTESTRY_TEST_LEAK/)
    assert.match(about.environment, /EXTRA=given/)
    assert.doesNotMatch(about.secretFd, /^socket|^pipe/)
  })

  it('passes on an error of the device with its code and detail, and goes on', async () => {
    const device = open()
    const { pid } = (await device.call('echo', 1), device)
    await assert.rejects(device.call('fail', { code: 'PAPER_JAM' }), { code: 'PAPER_JAM', detail: { rv: 7 } })
    assert.equal(device.pid, pid)
  })

  it('kills a process that does not answer in time, and starts another for the calls that wait', async () => {
    const device = open()
    await device.call('echo', 1)
    const { pid } = device
    const hanging = device.call('hang', undefined, 200)
    const waiting = device.call('echo', 'later')
    await assert.rejects(hanging, { name: 'DeviceError', code: 'DEADLINE' })
    assert.equal(await waiting, 'later')
    assert.notEqual(device.pid, pid)
    assert.equal(existsSync(`/proc/${pid ?? 0}`), false)
  })

  it('refuses the call during which the process dies, and starts another for the next', async () => {
    const device = open()
    await assert.rejects(device.call('exit', { status: 5 }), { code: 'DIED', message: /status 5/ })
    assert.equal(device.state, 'backing-off')
    assert.equal(await device.call('echo', 'back'), 'back')
  })

  it('notices that the process was killed between calls', async () => {
    const device = open()
    await device.call('echo', 1)
    process.kill(device.pid ?? 0, 'SIGKILL')
    while (device.state === 'ready') await sleep(5)
    assert.equal(await device.call('echo', 'back'), 'back')
  })

  it('gives what opening the device says to those who wait, and tries again for the next call', async () => {
    let starts = 0
    const secret = () => Promise.resolve(Uint8Array.of(++starts))
    const device = open({ config: { refuse: 'NO_PAPER' }, secret })
    const calls = [device.call('echo', 1), device.call('echo', 2)]
    for (const call of calls) await assert.rejects(call, { code: 'NO_PAPER' })
    await assert.rejects(device.call('echo', 3), { code: 'NO_PAPER' })
    assert.equal(starts, 2)
  })

  it('gives up waiting for a process that dies at each start', async () => {
    const device = open({ config: { dieAtStart: true }, deadlineMs: 2500 })
    await assert.rejects(device.call('echo', 1), (error: DeviceError) => {
      assert.equal(error.code, 'UNAVAILABLE')
      return error.cause instanceof DeviceError
    })
  })

  it('says why the code of a device cannot be loaded', async () => {
    const device = open({ module: new URL('no-such-child.ts', import.meta.url), deadlineMs: 2500 })
    await assert.rejects(device.call('echo', 1), { code: 'UNAVAILABLE', message: /no-such-child/ })
  })

  it('never starts again after an error that stands for good', async () => {
    let starts = 0
    const secret = () => Promise.resolve(Uint8Array.of(++starts))
    const isFinal = (error: Error) => error instanceof RevivedError
    const device = open({ config: { refuse: 'WRONG_PIN' }, isFinal, secret })
    const failures: unknown[] = []
    for (let i = 0; i < 2; i++) await device.call('echo', i).catch((error: unknown) => failures.push(error))
    assert.ok(failures[0] instanceof RevivedError && failures[0].code === 'WRONG_PIN')
    assert.equal(failures[1], failures[0])
    assert.equal(starts, 1)
    assert.equal(device.state, 'stopped')
  })

  it('takes a fresh process after an error that needs it', async () => {
    const device = open({ needsRestart: (error) => error instanceof RevivedError && error.code === 'GONE' })
    await device.call('echo', 1)
    const { pid } = device
    await assert.rejects(device.call('fail', { code: 'GONE' }), { code: 'GONE' })
    await device.call('echo', 2)
    assert.notEqual(device.pid, pid)
  })

  it('passes on what the secret could not be read for', async () => {
    const device = open({ secret: () => Promise.reject(new RevivedError('UNSAFE', 'no', undefined)) })
    await assert.rejects(device.call('echo', 1), { code: 'UNSAFE' })
  })

  it('refuses a parameter that cannot be cloned, and goes on', async () => {
    const device = open()
    await device.call('echo', 1)
    const { pid } = device
    await assert.rejects(
      device.call('echo', () => 1),
      /could not be cloned/,
    )
    assert.equal(await device.call('echo', 2), 2)
    assert.equal(device.pid, pid)
  })

  it('finishes the running call when it is closed, refuses the others, and leaves no process', async () => {
    const device = open()
    await device.call('echo', 1)
    const { pid } = device
    const running = device.call('echo', 'last')
    const waiting = assert.rejects(device.call('echo', 'never'), { code: 'STOPPED' })
    // Lets the first be taken, and no answer in.
    await new Promise<void>((resolve) => process.nextTick(resolve))
    await device.close()
    assert.equal(await running, 'last')
    await waiting
    assert.equal(existsSync(`/proc/${pid ?? 0}`), false)
    await assert.rejects(device.call('echo', 1), { code: 'STOPPED' })
    assert.equal(device.state, 'stopped')
  })

  it('can be closed while it starts', async () => {
    const device = open()
    const call = assert.rejects(device.call('echo', 1), { code: 'STOPPED' })
    await device.close()
    await call
    assert.equal(device.pid, undefined)
  })

  it('ends with its parent', async () => {
    const parent = spawn(process.execPath, [fileURLToPath(new URL('parent.ts', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(output.toString())
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /echo-child/)
    parent.kill('SIGKILL')
    while (existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
      await sleep(10)
  })
})
