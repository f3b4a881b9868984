import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { TssError } from '../../native/tss-error.ts'
import { loadTss } from '../../native/tss-library.ts'
import { Tss } from '../../native/tss.ts'

describe('loadTss', () => {
  let dir: string
  before(async () => (dir = await mkdtemp(join(tmpdir(), 'attestry-tss-'))))
  after(() => rm(dir, { recursive: true, force: true }))

  /** The code and message of what it throws in a process that finds libraries in `dir` first. */
  const load = async (): Promise<string> => {
    const module = new URL('../../native/tss-library.ts', import.meta.url).href
    const script = `import { loadTss } from '${module}'; try { loadTss() } catch (e) { console.log(e.code, e.message) }`
    const environment = { ...process.env, LD_LIBRARY_PATH: dir }
    const args = ['--input-type=module', '-e', script]
    return (await promisify(execFile)(process.execPath, args, { env: environment })).stdout
  }

  it('says which packages to install where a library is missing', async () => {
    const broken = join(dir, 'libtss2-tctildr.so.0')
    await writeFile(broken, '')
    assert.match(await load(), /^LIBRARY_MISSING cannot load libtss2-tctildr\.so\.0 .* libtss2-tctildr0/)
    await rm(broken)
  })

  it('says which function a library should have', async () => {
    const maps = await readFile('/proc/self/maps', 'utf8')
    const libc = /\S+\/libc\.so\.6/.exec(maps)?.[0]
    assert.ok(libc !== undefined)
    await symlink(libc, join(dir, 'libtss2-rc.so.0'))
    assert.match(await load(), /^LIBRARY_VERSION expected tpm2-tss 3\.0 or later, .* Tss2_RC_Decode/)
  })
})

describe('Tss', () => {
  const library = loadTss()
  let dir: string
  let swtpm: StackProcess
  let tss: Tss

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-tss-'))
    await manufactureSwtpm(dir)
    const started = await startSwtpm(dir)
    swtpm = started.process
    tss = new Tss(library, started.tcti)
  })
  after(async () => {
    tss.close()
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  it('refuses a TCTI that is not one of the known modules', () => {
    for (const tcti of [
      '',
      'nonsense',
      'cmd:/bin/true',
      '/tmp/module.so',
      'swtpmx:path=/s',
      'libtss2-tcti-cmd.so.0:x',
    ]) {
      assert.throws(() => new Tss(library, tcti), { code: 'CALL_FAILED', rc: 0x000a000b }, tcti)
    }
  })

  it('gives return codes with their words and the command', () => {
    assert.throws(
      () => tss.commands.TR_FromTPMPublic(0x81000fff, []),
      (error) => {
        assert.ok(error instanceof TssError)
        assert.deepEqual([error.code, error.rc, error.command], ['CALL_FAILED', 0x18b, 'TR_FromTPMPublic'])
        assert.match(error.message, /handle.*0x0000018b/)
        return true
      },
    )
  })

  it('refuses wire bytes that are cut off or too long before the TPM sees them', () => {
    const start = (symmetric: number[]) =>
      tss.commands.StartAuthSession(0xfff, 0xfff, [], null, 0, Uint8Array.from(symmetric), 0x0b)
    const [session] = start([0, 0x10])
    tss.commands.FlushContext(session)
    const refusedHere = (error: unknown) => error instanceof TssError && error.command.endsWith('TPMT_SYM_DEF')
    assert.throws(() => start([0]), refusedHere)
    assert.throws(() => start([0xff, 0xff]), refusedHere)
    assert.throws(() => start([]), refusedHere)
    assert.throws(() => start([0, 0x10, 0]), RangeError)
  })

  it('sends the bytes of a command past Esys, and gives return codes in the same way', () => {
    const [readClock, unknown] = [0x181, 0x3fff]
    assert.equal(tss.send('ReadClock', readClock, new Uint8Array()).length, 8 + 8 + 4 + 4 + 1)
    assert.throws(
      () => tss.send('Unknown', unknown, new Uint8Array()),
      (error) => {
        assert.ok(error instanceof TssError)
        assert.deepEqual([error.code, error.rc, error.command], ['CALL_FAILED', 0x143, 'Unknown'])
        return true
      },
    )
    assert.throws(() => tss.send('ReadClock', readClock, new Uint8Array(1025)), RangeError)
    // The next command finds the connection as Esys needs it.
    tss.commands.ReadClock([])
  })

  it('refuses more than three sessions', () => {
    assert.throws(() => tss.commands.ReadClock([1, 2, 3, 4]), RangeError)
  })

  it('can be closed twice, and is of no use then', () => {
    const other = new Tss(library, `swtpm:path=${join(dir, 'swtpm.sock')}`)
    other.close()
    other.close()
    assert.throws(() => other.commands.ReadClock([]), TypeError)
    assert.throws(() => other.send('ReadClock', 0x181, new Uint8Array()), TypeError)
  })
})
