import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once, EventEmitter } from 'node:events'
import { appendFileSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { appendFile, link, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { replayCanonicalLog, type VmmEvent } from '../../src/tcg/canonical-event-log.ts'
import { readMeasurement, type MeasuringTpm } from '../../src/vmm/measurement.ts'
import { watchVmm, type VmmWatch, type WatchIntervals } from '../../src/vmm/watch.ts'
import { Rig } from './rig.ts'

/** Two files are touched in turn so often that the kernel's queue of events is full; equal events in a row would be one. */
const BURST = 2 * Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'))
const NEVER = 3_600_000

// Nobody calls verifyComponents here: all is noticed by the watch itself.
describe('watchVmm, of what the kernel’s events do not say', function () {
  this.timeout(60_000)
  let rig: Rig
  let watch: VmmWatch
  let events: VmmEvent[]
  let changes: EventEmitter
  let mounted: string[]

  before(async () => {
    rig = await Rig.make()
  })
  after(() => rig.remove())
  beforeEach(async () => {
    await rig.boot()
    for (const part of ['elsewhere', 'beside']) await rm(rig.path(part), { recursive: true, force: true })
    events = []
    mounted = []
    changes = new EventEmitter()
  })
  afterEach(async () => {
    await watch.close()
    for (const path of mounted) await asRoot('umount', path)
  })

  async function start(intervals: Partial<WatchIntervals> = {}, tpm: MeasuringTpm = rig.tpm): Promise<void> {
    watch = await watchVmm(
      tpm,
      rig.profile,
      rig.log,
      (event) => {
        events.push(event)
        changes.emit('changed')
      },
      { look: 100, read: NEVER, rest: 10, ...intervals },
    )
  }

  /** Waits until the last event of a name says what a file holds, and tells how long that took. */
  async function untilLogged(name: string, file: string): Promise<void> {
    const begin = performance.now()
    const expected = createHash('sha256')
      .update(readFileSync(rig.path(file)))
      .digest('hex')
    const last = () => Buffer.from(events.findLast((event) => event.name === name)?.sha256 ?? []).toString('hex')
    while (last() !== expected) await once(changes, 'changed')
    console.log(`        noticed after ${(performance.now() - begin).toFixed(0)} ms`)
    const { log, values } = await readMeasurement(rig.tpm, rig.profile, rig.log)
    assert.deepEqual(replayCanonicalLog(log.records, 13), values.get(13))
  }

  const asRoot = (...command: readonly string[]) => {
    const [program = '', ...args] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command]
    return promisify(execFile)(program, args)
  }
  const mount = async (from: string, to: string) => {
    await asRoot('mount', '--bind', rig.path(from), rig.path(to))
    mounted.push(rig.path(to))
  }
  const unmount = async (path: string) => {
    await asRoot('umount', rig.path(path))
    mounted = mounted.filter((one) => one !== rig.path(path))
  }

  it('extends a file that another is mounted over, and that the mount is gone', async () => {
    await rig.write('elsewhere/binary', 'mounted over')
    await start()
    await mount('elsewhere/binary', 'bin/binary')
    await untilLogged('binary', 'elsewhere/binary')
    await unmount('bin/binary')
    await untilLogged('binary', 'bin/binary')
  })

  it('extends files in a directory that is mounted over, and what happens in it from then on', async () => {
    await rig.write('elsewhere/qemu', 'mounted over')
    await start()
    await mount('elsewhere', 'vmm')
    await untilLogged('vmm/qemu', 'elsewhere/qemu')
    assert.ok(events.some(({ name, sha256 }) => name === 'vmm/firmware/OVMF_CODE.fd' && sha256 === undefined))
    await writeFile(rig.path('elsewhere/qemu'), 'changed below the mount')
    await untilLogged('vmm/qemu', 'elsewhere/qemu')
  })

  it('extends a file below a directory on the way that is mounted over', async () => {
    await rig.write('elsewhere/binary', 'mounted over')
    await start()
    await mount('elsewhere', 'bin')
    await untilLogged('binary', 'elsewhere/binary')
  })

  it('extends a change whose event came when the queue was full', async () => {
    await rig.write('bin/x', '')
    await rig.write('bin/y', '')
    await start()
    // Synchronously, so that nobody takes an event out of the queue meanwhile.
    for (let i = 0; i < BURST; i++) utimesSync(rig.path(i % 2 === 0 ? 'bin/x' : 'bin/y'), 1, i)
    appendFileSync(rig.path('bin/binary'), 'behind the burst')
    await untilLogged('binary', 'bin/binary')
  })

  it('keeps up with thousands of changes of what it measures', async () => {
    await start()
    for (let i = 0; i < 5000; i++) {
      writeFileSync(rig.path(`vmm/burst${i % 10}`), String(i))
      if (i % 500 === 0) await sleep(5)
    }
    await untilLogged('vmm/burst9', 'vmm/burst9')
    for (let i = 0; i < 10; i++) await untilLogged(`vmm/burst${i}`, `vmm/burst${i}`)
  })

  it('extends a write through another name of the same file', async () => {
    await rig.write('elsewhere/other', '')
    await rm(rig.path('elsewhere/other'))
    await link(rig.path('bin/binary'), rig.path('elsewhere/other'))
    await start()
    await appendFile(rig.path('elsewhere/other'), 'by another name')
    await untilLogged('binary', 'bin/binary')
  })

  it('extends writes through mapped memory, also the second one into a page that is dirty already', async () => {
    await start({ read: 500 })
    const code =
      'import mmap, sys\nf = open(sys.argv[1], "r+b")\nm = mmap.mmap(f.fileno(), 0)\n' +
      'for line in sys.stdin:\n  m[0:1] = line[0:1].encode()\n  print("written", flush=True)\n'
    const python = spawn('python3', ['-c', code, rig.path('bin/binary')], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      for (const letter of ['X', 'Y', 'Z']) {
        python.stdin.write(`${letter}\n`)
        await once(python.stdout, 'data')
        assert.equal(readFileSync(rig.path('bin/binary'), 'utf8')[0], letter)
        await untilLogged('binary', 'bin/binary')
      }
    } finally {
      python.stdin.end()
      await once(python, 'close')
    }
  })

  it('does not rest where a file was only touched', async () => {
    await start({ look: NEVER, rest: NEVER })
    utimesSync(rig.path('bin/binary'), 1, 1)
    await sleep(200)
    await appendFile(rig.path('bin/binary'), 'changed')
    await untilLogged('binary', 'bin/binary')
  })

  it('extends a link that is made to lead elsewhere, outside the component', async () => {
    await rig.write('elsewhere/v1/qemu', 'first version')
    await rig.write('elsewhere/v2/qemu', 'second version')
    await symlink('v1', rig.path('elsewhere/current'))
    await symlink(rig.path('elsewhere/current/qemu'), rig.path('vmm/link'))
    await start({ look: NEVER })
    await symlink('v2', rig.path('elsewhere/next'))
    await rename(rig.path('elsewhere/next'), rig.path('elsewhere/current'))
    await untilLogged('vmm/link', 'elsewhere/v2/qemu')
  })

  describe('a file that is written to all the time, from before it was first read', () => {
    let end: AbortController
    let writer: Promise<void>
    beforeEach(() => {
      end = new AbortController()
      writer = (async () => {
        for (let i = 0; !end.signal.aborted; i++) {
          await writeFile(rig.path('bin/binary'), `version ${i}`)
          await sleep(1)
        }
      })()
    })
    afterEach(async () => {
      end.abort()
      await writer
    })

    it('holds up neither the start nor an operation, and what it held in the end is extended', async () => {
      await start({ look: NEVER })
      for (let i = 0; i < 10; i++) await watch.verifyComponents()
      end.abort()
      await writer
      await untilLogged('binary', 'bin/binary')
    })

    it('is extended once in each rest, and no more often', async () => {
      const [rest, rests] = [300, 5]
      await start({ look: 20, rest })
      const extended = async (times: number) => {
        while (events.length < times) await once(changes, 'changed')
      }
      await extended(1)
      const begin = performance.now()
      await extended(1 + rests)
      // A timer may be a millisecond early.
      assert.ok(performance.now() - begin >= rests * (rest - 1), `${rests} rests in ${performance.now() - begin} ms`)
    })

    it('is extended during a rest where an operation asks', async () => {
      await start({ look: 20, rest: NEVER })
      while (events.length === 0) await once(changes, 'changed')
      const before = events.length
      for (let i = 0; i < 3; i++) await watch.verifyComponents()
      assert.ok(events.length > before)
    })

    it('does not hold up the end of the watch', async () => {
      await start({ look: NEVER })
      await sleep(100)
      await watch.close()
    })
  })

  it('tries again by itself what the TPM refused', async () => {
    let power = true
    const flaky: MeasuringTpm = {
      readPcrs: (selection) => rig.tpm.readPcrs(selection),
      extendPcr: (pcr, digest) => (power ? rig.tpm.extendPcr(pcr, digest) : Promise.reject(new Error('no power'))),
    }
    await start(undefined, flaky)
    power = false
    await rig.write('bin/binary', 'changed')
    const untilFailing = async (failing: boolean) => {
      while ((watch.failure !== undefined) !== failing) await sleep(10)
    }
    await untilFailing(true)
    power = true
    await untilFailing(false)
    const { log } = await readMeasurement(rig.tpm, rig.profile, rig.log)
    assert.equal(log.records.at(-1)?.event.name, 'binary')
  })
})
