import 'reflect-metadata'
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mineBlocks } from '../../hil/stack/anvil.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { EnrolRig } from '../agent/enrol-rig.ts'
import { attestry, faultOf, type Ended } from './command.ts'

describe('attestry host request, challenge, answer and register', function () {
  this.timeout(120_000)
  let rig: EnrolRig
  let ledger: Ledger
  let registrar: DigestSigner
  let trust: string
  let configs: readonly [string, string]

  before(async () => {
    rig = await EnrolRig.make()
    const [one, two] = await Promise.all([rig.startTpm('one'), rig.startTpm('two')])
    const started = await rig.startLedger()
    await rig.startHsms(started.ledger)
    ;({ ledger, registrar } = started)
    trust = await rig.writeTrustStore('trust', one, two)
    configs = [await rig.writeConfiguration('a', one, 1), await rig.writeConfiguration('b', two, 2)]
  })
  after(() => rig.stop())

  const file = (name: string) => join(rig.dir, name)
  const place = () => ['--rpc', rig.rpc, '--deployment', rig.deployment]
  const done = (ended: Ended) => {
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    assert.equal(ended.json()['ok'], true)
    return ended.json()
  }
  const request = (host: 0 | 1, out: string, ...more: readonly string[]) =>
    attestry('host', 'request', '--config', configs[host], '--out', file(out), '--json', ...more)
  const challenge = (of: string, out: string, state = 'state', ...more: readonly string[]) => {
    const args = [...place(), '--trust', trust, '--state', file(state), '--out', file(out), '--json', ...more]
    return attestry('host', 'challenge', file(of), ...args)
  }
  const answer = (host: 0 | 1, to: string, out: string) =>
    attestry('host', 'answer', file(to), '--config', configs[host], '--out', file(out), '--json')
  const register = (of: string, key: string, ...more: readonly string[]) => {
    const args = [...place(), '--trust', trust, '--key', file(`${key}.key`), '--json', ...more]
    return attestry('host', 'register', file(of), ...args)
  }
  const atState = (state = 'state') => ['--state', file(state)]
  const inHand = (directory: string) => ['--hardware', directory]

  it('enrol a host by three files, as Software also where its root is named as a hardware vendor’s', async () => {
    const asked = done(await request(0, 'request.json'))
    const challenged = done(await challenge('request.json', 'challenge.json', 'state', ...inHand(trust)))
    assert.deepEqual(
      [challenged['enrolled'], challenged['assurance'], challenged['hostId'], challenged['requestHash']],
      [false, 'Software', asked['hostId'], asked['requestHash']],
    )
    const answered = done(await answer(0, 'challenge.json', 'answer.json'))
    assert.equal(BigInt(String(answered['lastBlock'])) - BigInt(String(answered['anchorBlock'])), 256n)
    const given = await register('answer.json', 'registrar', ...atState(), ...inHand(trust))
    assert.deepEqual(done(given), {
      ...{ ok: true, registered: true, hostId: asked['hostId'] },
      ...{ ledgerAddress: asked['ledgerAddress'], assurance: 'Software' },
    })
    const host = await ledger.host(asked['hostId'] as `0x${string}`)
    assert.deepEqual([host.status, host.assurance], ['Active', 'Software'])
  })

  it('recognise a host by the same answer and by another request, and write nothing', async () => {
    const nonce = await ledger.nonce(registrar.address)
    assert.ok(readdirSync(file('state')).every((name) => name.endsWith('.used')))
    assert.equal(done(await register('answer.json', 'registrar', ...atState()))['registered'], false)
    const sealed = readFileSync(file('answer.json'), 'utf8')
    writeFileSync(
      file('altered.json'),
      sealed.replace(/("seal": "0x)(.)/, (_, name, digit) => `${name}${digit === '0' ? 1 : 0}`),
    )
    const altered = await register('altered.json', 'registrar', ...atState())
    assert.deepEqual(faultOf(altered), { exit: 1, code: 'ANSWER_UNPROVEN' })
    const known = done(await challenge('request.json', 'never.json'))
    assert.deepEqual([known['enrolled'], known['file']], [true, null])
    assert.equal(existsSync(file('never.json')), false)
    done(await request(0, 'anew.json'))
    const text = await attestry(
      ...['host', 'challenge', file('anew.json'), ...place()],
      ...[...['--trust', trust, '--out', file('never.json')], ...atState()],
    )
    assert.match(text.stdout, /enrolled with these very keys already; nothing was written/)
    assert.equal(await ledger.nonce(registrar.address), nonce)
  })

  it('refuse what is another’s, at each step, and keep nothing that has expired', async () => {
    const expired = join(file('state'), `0x${'ab'.repeat(32)}.open`)
    writeFileSync(expired, '')
    const then = new Date(Date.now() - 40 * 86_400_000)
    utimesSync(expired, then, then)
    done(await request(1, 'request-b.json'))
    done(await challenge('request-b.json', 'challenge-b.json'))
    assert.equal(existsSync(expired), false)
    const replayed = await challenge('request-b.json', 'never.json')
    assert.deepEqual(faultOf(replayed), { exit: 1, code: 'ENROL_REQUEST_REPLAYED' })
    done(await request(1, 'kept-nowhere.json'))
    const nowhere = await challenge('kept-nowhere.json', 'never.json', 'request-b.json')
    assert.deepEqual(faultOf(nowhere), { exit: 2, code: 'FILE_UNWRITABLE' })
    assert.ok(nowhere.stdout.includes(`cannot write in ${file('request-b.json')}: not a directory`), nowhere.stdout)
    const stolen = await answer(0, 'challenge-b.json', 'never.json')
    assert.deepEqual(faultOf(stolen), { exit: 1, code: 'CHALLENGE_OTHER_HOST' })
    done(await answer(1, 'challenge-b.json', 'answer-b.json'))
    const elsewhere = await register('answer-b.json', 'registrar', ...atState('other-state'))
    assert.deepEqual(faultOf(elsewhere), { exit: 1, code: 'CHALLENGE_UNKNOWN' })
    const kind = await register('challenge-b.json', 'registrar', ...atState())
    assert.deepEqual(faultOf(kind), { exit: 2, code: 'ENROL_FILE_KIND' })
    assert.equal(existsSync(file('never.json')), false)
  })

  it('refuse an answer that is altered, or too old', async () => {
    const text = readFileSync(file('answer-b.json'), 'utf8')
    writeFileSync(file('altered.json'), text.replace(/("attest": "0x.)./, '$10'))
    const altered = await register('altered.json', 'registrar', ...atState())
    assert.deepEqual(faultOf(altered), { exit: 1, code: 'ANSWER_UNPROVEN' })
    writeFileSync(file('altered.json'), text.trim())
    const cut = await register('altered.json', 'registrar', ...atState())
    assert.deepEqual(faultOf(cut), { exit: 2, code: 'ENROL_FILE_MALFORMED' })
    assert.ok(cut.stdout.includes(`${file('altered.json')}: answer: expected`), cut.stdout)
    await mineBlocks(rig.rpc, 257)
    const late = await register('answer-b.json', 'registrar', ...atState())
    assert.deepEqual(faultOf(late), { exit: 1, code: 'ANSWER_EXPIRED' })
  })

  it('say in words which file they wrote, and what comes next', async () => {
    const [asked, challenged, answered] = [file('asked.json'), file('challenged.json'), file('answered.json')]
    const registrars = [...place(), '--trust', trust, ...atState()]
    const said = async (...args: readonly string[]) => (await attestry('host', ...args)).stdout
    assert.ok(
      (await said('request', '--config', configs[1], '--out', asked)).endsWith(
        `\nwritten to ${asked}\nnext, at the registrar: attestry host challenge asked.json\n`,
      ),
    )
    assert.ok(
      (await said('challenge', asked, ...registrars, '--out', challenged)).endsWith(
        `\nwritten to ${challenged}\nnext, on the host: attestry host answer challenged.json\n`,
      ),
    )
    assert.ok(
      (await said('answer', challenged, '--config', configs[1], '--out', answered)).endsWith(
        `\nwritten to ${answered}\nnext, at the registrar: attestry host register answered.json\n`,
      ),
    )
  })

  it('leave an enrolled host as it is, also where the registrar’s key is at hand, and say so', async () => {
    const key = ['--key', file('registrar.key'), '--trust', trust]
    const { stdout } = await attestry('host', 'enrol', '--config', configs[0], ...key)
    assert.match(stdout, /enrolled with these very keys already; nothing was written\n$/)
  })

  it('enrol a host by four files, where who checks it is not the registrar', async () => {
    const checker = await rig.makeSigner('checker')
    done(await answer(1, 'challenge-b.json', 'answer-b.json'))
    const checked = done(await register('answer-b.json', 'checker', ...atState(), '--out', file('registration.json')))
    assert.deepEqual([checked['registered'], checked['checkedBy']], [false, checker.address])
    const hostId = checked['hostId'] as `0x${string}`
    assert.equal((await ledger.host(hostId)).status, 'None')
    const twice = await register('answer-b.json', 'registrar', ...atState())
    assert.deepEqual(faultOf(twice), { exit: 1, code: 'CHALLENGE_USED' })
    const unnamed = await register('registration.json', 'registrar')
    assert.deepEqual(faultOf(unnamed), { exit: 2, code: 'USAGE' })
    const other = await register('registration.json', 'registrar', '--checker', registrar.address)
    assert.deepEqual(faultOf(other), { exit: 1, code: 'REGISTRATION_ALTERED' })
    const thief = await register('registration.json', 'checker', '--checker', checker.address)
    assert.deepEqual(faultOf(thief), { exit: 1, code: 'REVERTED' })
    const entered = done(await register('registration.json', 'registrar', '--checker', checker.address))
    assert.equal(entered['registered'], true)
    assert.equal((await ledger.host(hostId)).status, 'Active')
    const again = done(await register('registration.json', 'registrar', '--checker', checker.address))
    assert.equal(again['registered'], false)
  })

  it('refuse an expiry that has passed, or is too far ahead', async () => {
    done(await request(0, 'last.json', '--expires', '+30d'))
    for (const [ended, most] of [
      [await request(0, 'never.json', '--expires=-1h'), '30 days'],
      [await request(0, 'never.json', '--expires', '+31d'), '30 days'],
      [await challenge('last.json', 'never.json', 'state', '--expires', '+8d'), '7 days'],
    ] as const) {
      assert.deepEqual(faultOf(ended), { exit: 2, code: 'USAGE' })
      assert.ok(ended.stdout.includes(`expected a time in the future, at most ${most} from now`), ended.stdout)
      assert.equal(existsSync(file('never.json')), false)
    }
  })
})
