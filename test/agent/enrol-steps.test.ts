import 'reflect-metadata'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mineBlocks } from '../../hil/stack/anvil.ts'
import { answerChallenge } from '../../src/agent/answer-challenge.ts'
import { challengeHost } from '../../src/agent/challenge-host.ts'
import { ChallengeStore } from '../../src/agent/challenge-store.ts'
import { judgeRegistration, signRegistration } from '../../src/agent/check-registration.ts'
import {
  ENROL_ANSWER,
  ENROL_CHALLENGE,
  ENROL_REGISTRATION,
  ENROL_REQUEST,
  OPEN_CHALLENGE,
} from '../../src/agent/enrol-file.ts'
import type { EnrolAnswer, EnrolChallenge, EnrolRequest } from '../../src/agent/enrol-file.ts'
import { answerSeal, requestHashOf } from '../../src/agent/enrol-hash.ts'
import { judgeAnswer } from '../../src/agent/judge-answer.ts'
import { registerHost } from '../../src/agent/register-host.ts'
import { secondsOf, type Registrar } from '../../src/agent/registrar.ts'
import { requestEnrolment, type HostDevices } from '../../src/agent/request-enrolment.ts'
import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import { codeOf } from '../../src/core/error.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { sha256 } from '../../src/record/hash.ts'
import { makeAuthority, makeList } from '../evidence/authority.ts'
import { alterations } from './alterations.ts'
import { certifiedBy, VALID } from './certified-by.ts'
import { EnrolRig } from './enrol-rig.ts'

const selection = { bank: 'sha256', pcrs: [13] } as const
const HOUR = 3600n
const DAY = 24n * HOUR
const LATER = 2 * 3600 * 1000

describe('enrolment across machines', function () {
  this.timeout(60_000)
  let rig: EnrolRig
  let one: HostDevices
  let two: HostDevices
  let ledger: Ledger
  let key: DigestSigner
  let trustAnchors: readonly Uint8Array[]

  before(async () => {
    rig = await EnrolRig.make()
    const tpms = await Promise.all([rig.startTpm('one'), rig.startTpm('two')])
    ;({ ledger, registrar: key } = await rig.startLedger())
    const hsms = await rig.startHsms(ledger)
    trustAnchors = tpms.flatMap((tpm) => tpm.trustAnchors)
    one = { tpm: tpms[0].tpm, hsm: hsms[0] }
    two = { tpm: tpms[1].tpm, hsm: hsms[1] }
  })
  after(() => rig.stop())

  const registrar = (changes: Partial<Registrar> = {}): Registrar => ({
    ...{ ledger, trust: { trustAnchors }, now: new Date() },
    ...changes,
  })
  const inAnHour = () => secondsOf(new Date()) + HOUR
  const request = (host: HostDevices) => requestEnrolment(host, ledger.domain('hostRegistry'), inAnHour())
  const challenged = async (asked: EnrolRequest, by = registrar()) => {
    const result = await challengeHost(by, asked, inAnHour())
    return result.known === undefined ? result : assert.fail('known already')
  }
  const answer = (host: HostDevices, challenge: EnrolChallenge, now = new Date()) =>
    answerChallenge({ ...host, ledger, selection, now }, challenge)
  const proven = async (host: HostDevices) => {
    const { open, challenge } = await challenged(await request(host))
    const judged = await judgeAnswer(registrar(), open, await answer(host, challenge))
    return judged.known === undefined ? judged.proven : assert.fail('known already')
  }
  /** A host's own consent to be entered with its keys. */
  const consentOf = async ({ tpm, hsm }: HostDevices) => {
    const [{ public: ekPublic }, { public: akPublic }] = [await tpm.endorsementKey(), await tpm.attestationKey()]
    return hsm.sign({ kind: 'addressClaim', hostId: sha256(ekPublic), akPublic })
  }
  /** The codes with which something refuses each altered text; undefined where it takes one. */
  const codesOf = async (texts: Iterable<string>, take: (text: string) => unknown): Promise<ReadonlySet<unknown>> => {
    const codes = new Set<unknown>()
    for (const text of texts) {
      try {
        await take(text)
        codes.add(`taken: ${text}`)
      } catch (error) {
        codes.add(codeOf(error))
      }
    }
    return codes
  }

  describe('challengeHost', () => {
    it('refuses a request with any byte changed', async () => {
      const text = ENROL_REQUEST.encode(await request(one))
      const codes = await codesOf(alterations(text, 11), (altered) => challenged(ENROL_REQUEST.parse(altered)))
      const expected = [
        'ENROL_FILE_KIND',
        'ENROL_FILE_MALFORMED',
        'ENROL_REQUEST_ALTERED',
        'ENROL_REQUEST_OTHER_LEDGER',
      ]
      assert.deepEqual(
        [...codes].filter((code) => !expected.includes(String(code))),
        [],
      )
      assert.ok(codes.has('ENROL_REQUEST_ALTERED'))
    })

    it('refuses a request for another chain or another registry', async () => {
      const here = ledger.domain('hostRegistry')
      for (const there of [
        { ...here, chainId: here.chainId + 1n },
        { ...here, verifyingContract: ledger.domain('auditLog').verifyingContract },
      ]) {
        const asked = await requestEnrolment(one, there, inAnHour())
        await assert.rejects(challenged(asked), { code: 'ENROL_REQUEST_OTHER_LEDGER' })
      }
    })

    it('refuses a request that is too old', async () => {
      const now = new Date(Date.now() + LATER)
      await assert.rejects(challenged(await request(one), registrar({ now })), { code: 'ENROL_REQUEST_EXPIRED' })
    })

    it('refuses a request that would count for more than 30 days, and makes no challenge for more than 7', async () => {
      const asking = (life: bigint) =>
        requestEnrolment(one, ledger.domain('hostRegistry'), secondsOf(new Date()) + life)
      const asked = await asking(30n * DAY)
      await assert.rejects(challenged(await asking(30n * DAY + 2n * HOUR)), { code: 'ENROL_REQUEST_LIFE' })
      const by = registrar()
      await challengeHost(by, asked, secondsOf(by.now) + 7n * DAY)
      await assert.rejects(challengeHost(by, asked, secondsOf(by.now) + 7n * DAY + 1n), RangeError)
    })

    it('refuses a request that somebody else made his own', async () => {
      const stolen = await request(one)
      const { address } = await two.hsm.ledgerKey()
      await assert.rejects(challenged({ ...stolen, ledgerAddress: address }), { code: 'ENROL_REQUEST_ALTERED' })
    })

    it('refuses an EK whose certificate was revoked, at the challenge and again at the answer', async () => {
      const vendor = await makeAuthority('CN=Vendor', VALID)
      const host = { ...one, tpm: certifiedBy(vendor, one.tpm) }
      const asked = await request(host)
      const by = async (revoked: readonly string[]): Promise<Registrar> => {
        const [thisUpdate, nextUpdate] = [VALID.notBefore, VALID.notAfter]
        const list = await makeList(vendor, { thisUpdate, nextUpdate, revoked, revokedOn: nextUpdate })
        return registrar({ trust: { trustAnchors: [vendor.der], revocationLists: [list] } })
      }
      await assert.rejects(challenged(asked, await by(['33'])), { code: 'CERTIFICATE_REVOKED' })
      const { open, challenge } = await challenged(asked, await by(['34']))
      const answered = await answer(host, challenge)
      await assert.rejects(judgeAnswer(await by(['33']), open, answered), { code: 'CERTIFICATE_REVOKED' })
      const judged = await judgeAnswer(await by([]), open, answered)
      assert.equal(judged.known, undefined)
    })

    it('refuses an EK that is not the certificate’s, whoever signed the request', async () => {
      const [mine, theirs] = [await request(one), await request(two)]
      const mixed = { ...mine, ekPublic: theirs.ekPublic }
      const signature = await one.hsm.sign({ kind: 'enrolmentRequest', requestHash: requestHashOf(mixed) })
      await assert.rejects(challenged({ ...mixed, signature }), { code: 'CERTIFICATE_OTHER_KEY' })
    })

    it('refuses a TPM that no trusted root vouches for', async () => {
      const trust = { trustAnchors: [] }
      await assert.rejects(challenged(await request(one), registrar({ trust })), { code: 'CHAIN_INCOMPLETE' })
    })

    it('takes an emulated TPM for Software, also where its root is named as a hardware vendor’s', async () => {
      const trust = { trustAnchors, hardwareRoots: new Set(trustAnchors.map((der) => sha256(der))) }
      const { assurance } = await challenged(await request(one), registrar({ trust }))
      assert.equal(assurance, 'Software')
    })
  })

  describe('answerChallenge', () => {
    it('refuses a challenge with any byte changed', async () => {
      const text = ENROL_CHALLENGE.encode((await challenged(await request(one))).challenge)
      const codes = await codesOf(alterations(text, 13), (altered) => answer(one, ENROL_CHALLENGE.parse(altered)))
      const expected = [
        ...['ENROL_FILE_MALFORMED', 'CHALLENGE_ALTERED', 'CHALLENGE_EXPIRED'],
        ...['CHALLENGE_OTHER_HOST', 'CHALLENGE_OTHER_LEDGER', 'CREDENTIAL_REFUSED'],
      ]
      assert.deepEqual(
        [...codes].filter((code) => !expected.includes(String(code))),
        [],
      )
      assert.ok(codes.has('CREDENTIAL_REFUSED') && codes.has('CHALLENGE_ALTERED'))
    })

    it('refuses a challenge whose expiry somebody put off', async () => {
      const { challenge } = await challenged(await request(one))
      const longer = { ...challenge, expires: challenge.expires + HOUR }
      await assert.rejects(answer(one, longer), { code: 'CHALLENGE_ALTERED' })
    })

    it('refuses a challenge that is too old', async () => {
      const { challenge } = await challenged(await request(one))
      await assert.rejects(answer(one, challenge, new Date(Date.now() + LATER)), { code: 'CHALLENGE_EXPIRED' })
    })

    it('refuses another host’s challenge, which its TPM could not open either', async () => {
      const { challenge } = await challenged(await request(one))
      await assert.rejects(answer(two, challenge), { code: 'CHALLENGE_OTHER_HOST' })
      const mixed = { tpm: one.tpm, hsm: two.hsm }
      await assert.rejects(answer(mixed, challenge), { code: 'CHALLENGE_OTHER_HOST' })
      const blobs = {
        credentialBlob: fromHex(challenge.credentialBlob),
        encryptedSecret: fromHex(challenge.encryptedSecret),
      }
      await assert.rejects(two.tpm.activateCredential(blobs), { code: 'CREDENTIAL_REFUSED' })
    })

    it('refuses a challenge for another ledger', async () => {
      const { challenge } = await challenged(await request(one))
      const elsewhere = { ...challenge, ledger: { ...challenge.ledger, chainId: challenge.ledger.chainId + 1n } }
      await assert.rejects(answer(one, elsewhere), { code: 'CHALLENGE_OTHER_LEDGER' })
    })

    it('leaves the secret out of what it gives', async () => {
      const { challenge } = await challenged(await request(one))
      const { credentialBlob, encryptedSecret } = challenge
      const blobs = { credentialBlob: fromHex(credentialBlob), encryptedSecret: fromHex(encryptedSecret) }
      const secret = toHex(await one.tpm.activateCredential(blobs)).slice(2)
      assert.equal(secret.length, 64)
      assert.equal(ENROL_ANSWER.encode(await answer(one, challenge)).includes(secret), false)
    })
  })

  describe('judgeAnswer', () => {
    it('refuses an answer with any byte changed', async () => {
      const { challenge, open } = await challenged(await request(one))
      const text = ENROL_ANSWER.encode(await answer(one, challenge))
      const store = new ChallengeStore(join(rig.dir, 'altered'))
      await store.add(open)
      const codes = await codesOf(alterations(text), async (altered) => {
        const parsed = ENROL_ANSWER.parse(altered)
        return judgeAnswer(registrar(), await store.find(parsed.requestHash), parsed)
      })
      const expected = ['ENROL_FILE_MALFORMED', 'CHALLENGE_UNKNOWN', 'ANSWER_UNPROVEN']
      assert.deepEqual([...codes].sort(), expected.sort())
    })

    it('refuses an answer after its challenge’s expiry', async () => {
      const { challenge, open } = await challenged(await request(one))
      const late = registrar({ now: new Date(Date.now() + LATER) })
      await assert.rejects(judgeAnswer(late, open, await answer(one, challenge)), { code: 'CHALLENGE_EXPIRED' })
    })

    it('refuses an answer whose quote is more than 256 blocks old', async () => {
      const { challenge, open } = await challenged(await request(one))
      const old = await answer(one, challenge)
      await mineBlocks(rig.rpc, 257)
      const refused = { code: 'ANSWER_EXPIRED', message: /answer the challenge again with "attestry host answer"/ }
      await assert.rejects(judgeAnswer(registrar(), open, old), refused)
      const again = await judgeAnswer(registrar(), open, await answer(one, challenge))
      assert.equal(again.known, undefined)
    })

    it('refuses an answer to the challenge of another registrar, also for the same request', async () => {
      const asked = await request(one)
      const [here, there] = [await challenged(asked), await challenged(asked)]
      const given = await answer(one, there.challenge)
      await assert.rejects(judgeAnswer(registrar(), here.open, given), { code: 'CHALLENGE_UNKNOWN' })
      const renamed = { ...given, challengeHash: here.open.challengeHash }
      await assert.rejects(judgeAnswer(registrar(), here.open, renamed), { code: 'ANSWER_UNPROVEN' })
    })

    it('refuses one host’s answer in the place of another’s', async () => {
      const [mine, theirs] = [await challenged(await request(one)), await challenged(await request(two))]
      const { requestHash, challengeHash } = await answer(one, mine.challenge)
      const crossed = { ...(await answer(two, theirs.challenge)), requestHash, challengeHash }
      await assert.rejects(judgeAnswer(registrar(), mine.open, crossed), { code: 'ANSWER_UNPROVEN' })
    })

    describe('of a host that has the secret and lies', () => {
      const sealed = async (change: (given: EnrolAnswer) => Promise<Partial<EnrolAnswer>>) => {
        const { challenge, open } = await challenged(await request(one))
        const given = await answer(one, challenge)
        const changed = { ...given, ...(await change(given)) }
        return judgeAnswer(registrar(), open, { ...changed, seal: answerSeal(open.answerKey, changed) })
      }

      it('refuses the consent of another key', async () => {
        const other = async () => ({ consent: await consentOf(two) })
        await assert.rejects(sealed(other), { code: 'CONSENT_WRONG' })
      })

      it('refuses a quote with another anchor', async () => {
        const other = (given: EnrolAnswer) => Promise.resolve({ anchorBlock: given.anchorBlock - 1n })
        await assert.rejects(sealed(other), { code: 'QUOTE_NONCE' })
      })

      it('refuses another TPM’s quote', async () => {
        const other = async () => {
          const { challenge } = await challenged(await request(two))
          const { attest, quoteSignature } = await answer(two, challenge)
          return { attest, quoteSignature }
        }
        await assert.rejects(sealed(other), { code: 'QUOTE_SIGNER' })
      })
    })
  })

  it('answerChallenge refuses a challenge that would count for more than 7 days', async () => {
    const asked = await requestEnrolment(one, ledger.domain('hostRegistry'), secondsOf(new Date()) + 10n * DAY)
    const made = async (ahead: number) => {
      const by = registrar({ now: new Date(Date.now() + ahead) })
      const result = await challengeHost(by, asked, secondsOf(by.now) + 7n * DAY)
      return result.known === undefined ? result.challenge : assert.fail('known already')
    }
    await answer(one, await made(0))
    await assert.rejects(answer(one, await made(LATER)), { code: 'CHALLENGE_LIFE' })
  })

  describe('ChallengeStore', () => {
    const store = () => new ChallengeStore(join(rig.dir, 'store'))
    let hash: Hex

    it('takes a request once', async () => {
      const asked = await request(one)
      hash = requestHashOf(asked)
      const [first, second] = [await challenged(asked), await challenged(asked)]
      await store().add(first.open)
      await assert.rejects(store().add(second.open), { code: 'ENROL_REQUEST_REPLAYED' })
      assert.deepEqual(await store().find(hash), first.open)
    })

    it('keeps what it keeps from everybody else', async () => {
      const directory = join(rig.dir, 'store')
      assert.equal((await stat(directory)).mode & 0o777, 0o700)
      for (const name of await readdir(directory)) assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600)
    })

    it('leaves a challenge open where its use failed', async () => {
      await assert.rejects(
        store().use(hash, () => Promise.reject(new RangeError('no'))),
        RangeError,
      )
      assert.equal((await store().find(hash)).request.ledgerAddress, (await one.hsm.ledgerKey()).address)
    })

    it('lets a challenge be used once, also by two at the same time', async () => {
      const uses = await Promise.allSettled([1, 2].map((use) => store().use(hash, () => Promise.resolve(use))))
      assert.deepEqual(uses.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
      await assert.rejects(store().find(hash), { code: 'CHALLENGE_USED' })
      await assert.rejects(
        store().use(hash, () => Promise.resolve(3)),
        { code: 'CHALLENGE_USED' },
      )
    })

    it('does not take a request whose challenge was used', async () => {
      const used = join(rig.dir, 'store', `${hash}.used`)
      const again = await readFile(used, 'utf8')
      await assert.rejects(store().add(OPEN_CHALLENGE.parse(again)), { code: 'ENROL_REQUEST_REPLAYED' })
    })

    it('leaves nothing of a challenge that the disk did not take, so that its request can be challenged again', async () => {
      const directory = join(rig.dir, 'full')
      const full = new ChallengeStore(directory)
      const { open } = await challenged(await request(one))
      /** The largest file that this process may write. */
      const limit = (bytes: string) =>
        assert.equal(spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]).status, 0)
      limit('100')
      try {
        await assert.rejects(full.add(open), { code: 'EFBIG' })
      } finally {
        limit('unlimited')
      }
      assert.deepEqual(await readdir(directory), [])
      await full.add(open)
      assert.deepEqual(await full.find(requestHashOf(open.request)), open)
      assert.deepEqual(await readdir(directory), [`${requestHashOf(open.request)}.open`])
    })

    it('deletes what has expired for good, and nothing else', async () => {
      const directory = join(rig.dir, 'pruned')
      const pruned = new ChallengeStore(directory)
      await pruned.prune(new Date())
      const { open } = await challenged(await request(one))
      const { expires } = open.request
      /** A challenge whose own expiry, or its request's, is later than the other by so much. */
      const kept = async (later: Partial<Record<'challenge' | 'request', bigint>>) => {
        const asked = { ...open.request, nonce: toHex(randomBytes(32)), expires: expires + (later.request ?? 0n) }
        await pruned.add({ ...open, expires: expires + (later.challenge ?? 0n), request: asked })
        return requestHashOf(asked)
      }
      const [now, laterChallenge, laterRequest, usedUp] = [
        await kept({}),
        await kept({ challenge: DAY }),
        await kept({ request: DAY }),
        await kept({}),
      ]
      await pruned.use(usedUp, () => Promise.resolve())
      const cut = `0x${'ab'.repeat(32)}.${randomUUID()}.partial`
      for (const name of [cut, 'notes.txt', `${now}.open.bak`]) await writeFile(join(directory, name), '{')
      const left = async (at: bigint) => {
        await pruned.prune(new Date(Number(at) * 1000))
        return new Set(await readdir(directory))
      }
      const all = new Set(await readdir(directory))
      assert.equal(all.size, 7)
      assert.deepEqual(await left(expires + DAY), all)
      const rest = [`${laterChallenge}.open`, `${laterRequest}.open`, cut, 'notes.txt', `${now}.open.bak`]
      assert.deepEqual(await left(expires + DAY + 1n), new Set(rest))
      assert.deepEqual(await left(expires + 2n * DAY + 1n), new Set(rest.slice(2)))
      assert.deepEqual(await left(secondsOf(new Date()) + 30n * DAY), new Set(rest.slice(2)))
      assert.deepEqual(await left(secondsOf(new Date()) + 32n * DAY), new Set(rest.slice(3)))
    })

    it('knows nothing of another registrar’s challenges', async () => {
      const other = new ChallengeStore(join(rig.dir, 'elsewhere'))
      await assert.rejects(other.find(hash), { code: 'CHALLENGE_UNKNOWN' })
    })
  })

  describe('judgeRegistration', () => {
    const signed = async (host: HostDevices, checker = key) =>
      signRegistration(checker, ledger.domain('hostRegistry'), await proven(host))

    it('refuses a registration with any byte changed', async () => {
      const text = ENROL_REGISTRATION.encode(await signed(one))
      const codes = await codesOf(alterations(text, 11), (altered) =>
        judgeRegistration(registrar(), ENROL_REGISTRATION.parse(altered), key.address),
      )
      const expected = [...['ENROL_FILE_MALFORMED', 'REGISTRATION_ALTERED', 'REGISTRATION_OTHER_LEDGER']]
      assert.deepEqual(
        [...codes].filter((code) => !expected.includes(String(code))),
        [],
      )
      assert.ok(codes.has('REGISTRATION_ALTERED'))
    })

    it('refuses a registration that would count for more than 7 days', async () => {
      const host = await proven(one)
      const until = async (expires: bigint) => {
        const registration = await signRegistration(key, ledger.domain('hostRegistry'), { ...host, expires })
        return judgeRegistration(registrar(), registration, key.address)
      }
      await until(secondsOf(new Date()) + 7n * DAY)
      await assert.rejects(until(secondsOf(new Date()) + 7n * DAY + 2n * HOUR), { code: 'REGISTRATION_LIFE' })
    })

    it('refuses a registration that somebody else checked', async () => {
      const stranger = await rig.makeSigner('stranger')
      const registration = await signed(one, stranger)
      const judged = judgeRegistration(registrar(), registration, key.address)
      await assert.rejects(judged, { code: 'REGISTRATION_ALTERED' })
    })

    it('refuses a registration for another ledger', async () => {
      const here = ledger.domain('hostRegistry')
      const elsewhere = await signRegistration(key, { ...here, chainId: here.chainId + 1n }, await proven(one))
      const judged = judgeRegistration(registrar(), elsewhere, key.address)
      await assert.rejects(judged, { code: 'REGISTRATION_OTHER_LEDGER' })
    })

    it('refuses a registration that is too old, by its time and by its block', async () => {
      const registration = await signed(one)
      const late = registrar({ now: new Date(Date.now() + LATER) })
      const judge = (by: Registrar) => judgeRegistration(by, registration, key.address)
      const refused = { code: 'REGISTRATION_EXPIRED', message: /begin again with "attestry host request"/ }
      await assert.rejects(judge(late), refused)
      await mineBlocks(rig.rpc, 257)
      await assert.rejects(judge(registrar()), refused)
    })

    it('refuses what the checker should have refused', async () => {
      const given = await proven(one)
      const consent = await consentOf(two)
      const signing = signRegistration(key, ledger.domain('hostRegistry'), { ...given, consent })
      const judged = judgeRegistration(registrar(), await signing, key.address)
      await assert.rejects(judged, { code: 'CONSENT_WRONG' })
      const good = await signed(one)
      const distrusting = registrar({ trust: { trustAnchors: [] } })
      await assert.rejects(judgeRegistration(distrusting, good, key.address), { code: 'CHAIN_INCOMPLETE' })
    })

    it('is of no use to anybody but a registrar, and to him once', async () => {
      const registration = ENROL_REGISTRATION.parse(ENROL_REGISTRATION.encode(await signed(one)))
      const judge = () => judgeRegistration(registrar(), registration, key.address)
      const stranger = await rig.makeSigner('thief')
      await assert.rejects(registerHost(ledger, stranger, await judge()), { name: 'LedgerError' })
      const enrolled = await registerHost(ledger, key, await judge())
      assert.deepEqual([enrolled.registered, enrolled.assurance], [true, 'Software'])
      const head = async () => (await ledger.nonce(key.address)).toString()
      const before = await head()
      const again = await registerHost(ledger, key, await judge())
      assert.deepEqual([again.registered, again.hostId, await head()], [false, enrolled.hostId, before])
    })
  })

  describe('an enrolled host', () => {
    it('is recognised by its keys, and not challenged', async () => {
      const { known } = await challengeHost(registrar(), await request(one), inAnHour())
      assert.equal(known?.registered, false)
      assert.equal(known.ledgerAddress, (await one.hsm.ledgerKey()).address)
    })

    it('cannot be claimed by another TPM, nor by its own with another ledger key', async () => {
      await assert.rejects(challenged(await request({ tpm: two.tpm, hsm: one.hsm })), { code: 'ADDRESS_TAKEN' })
      await assert.rejects(challenged(await request({ tpm: one.tpm, hsm: two.hsm })), { code: 'HOST_EXISTS' })
    })

    it('cannot be claimed by another attestation key beside its EK', async () => {
      const tpm: HostDevices['tpm'] = {
        endorsementKey: () => one.tpm.endorsementKey(),
        attestationKey: () => two.tpm.attestationKey(),
        quote: (...args) => one.tpm.quote(...args),
        activateCredential: (challenge) => one.tpm.activateCredential(challenge),
      }
      await assert.rejects(challenged(await request({ tpm, hsm: one.hsm })), { code: 'HOST_EXISTS' })
    })
  })
})
