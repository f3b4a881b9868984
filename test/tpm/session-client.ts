import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'
import { codeOf } from '../../src/core/error.ts'
import { ENDORSEMENT, NO_HANDLE, OWNER, PASSWORD } from '../../src/tpm/commands.ts'
import { DEFAULT_EK_ORDER } from '../../src/tpm/ek-place.ts'
import { withEk } from '../../src/tpm/endorsement-key.ts'
import { withTransient } from '../../src/tpm/objects.ts'
import { requireEk, withSecureSession } from '../../src/tpm/secure-session.ts'
import { DEFAULT_AK_HANDLE } from '../../src/tpm/tpm.ts'
import { withTss } from './tss.ts'

// A TPM client of its own process, for tests whose own process runs the proxy between: TCTI, what to do, and hex for it.

/** A storage key (ECC P-256, AES-128-CFB) and data with a password, as TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.4). */
const STORAGE_TEMPLATE = fromHex('0x0023000b0003047200000006008000430010000300100000' + '0000')
const SEALED_TEMPLATE = fromHex('0x0008000b00000452000000100000')
const EMPTY_SENSITIVE = Uint8Array.of(0, 4, 0, 0, 0, 0)
const EMPTY = Uint8Array.of(0, 0)
const NO_PCRS = new Uint8Array(4)

const [tcti = '', what, ...hex] = process.argv.slice(2)
const [first = new Uint8Array(), second = new Uint8Array()] = hex.map((one) => fromHex(one as Hex))

try {
  console.log(toHex(withTss(tcti, work)))
} catch (error) {
  console.log(codeOf(error) ?? String(error))
}

type Tss = Parameters<Parameters<typeof withTss>[1]>[0]

function work(tss: Tss): Uint8Array {
  if (what === 'activate in clear') return activateInClear(tss)
  if (what === 'seal in clear') return seal(tss, first, [])
  if (what === 'salt to another key') return saltToAnotherKey(tss)
  return withEk(tss, DEFAULT_EK_ORDER, (ek) => {
    requireEk(ek.public, ek.certificate ?? EMPTY)
    return withSecureSession(tss, ek, 'hmac', 'both', (session) => seal(tss, first, [session]))
  })
}

/** Seals data and unseals it again; `beside` the password come sessions that encrypt. */
function seal({ commands }: Tss, secret: Uint8Array, beside: readonly number[]): Uint8Array {
  const sensitive = new Writer().sized16(new Writer().u16(0).sized16(secret).finish()).finish()
  const template = (bytes: Uint8Array) => new Writer().sized16(bytes).finish()
  const [parent] = commands.CreatePrimary(
    OWNER,
    [PASSWORD],
    EMPTY_SENSITIVE,
    template(STORAGE_TEMPLATE),
    EMPTY,
    NO_PCRS,
  )
  return withTransient(commands, parent, () => {
    const sealed = commands.Create(parent, [PASSWORD, ...beside], sensitive, template(SEALED_TEMPLATE), EMPTY, NO_PCRS)
    const [object] = commands.Load(parent, [PASSWORD], ...sealed)
    return withTransient(commands, object, () => commands.Unseal(object, [PASSWORD, ...beside])[0].subarray(2))
  })
}

function activateInClear({ commands }: Tss): Uint8Array {
  const [ak] = commands.TR_FromTPMPublic(DEFAULT_AK_HANDLE, [])
  const [ek] = commands.TR_FromTPMPublic(0x81010001, [])
  const [session] = commands.StartAuthSession(NO_HANDLE, NO_HANDLE, [], null, 1, Uint8Array.of(0, 0x10), 0x0b)
  return withTransient(commands, session, () => {
    commands.PolicySecret(ENDORSEMENT, session, [PASSWORD], null, null, null, 0)
    const [blob, secret] = [first, second].map((bytes) => new Writer().sized16(bytes).finish())
    const [info] = commands.ActivateCredential(ak, ek, [PASSWORD, session], blob ?? EMPTY, secret ?? EMPTY)
    return info.subarray(2)
  })
}

/** What a man in the middle brings about who answers for the EK with a key of his own when its handle is made. */
function saltToAnotherKey(tss: Tss): Uint8Array {
  const [ak] = tss.commands.TR_FromTPMPublic(DEFAULT_AK_HANDLE, [])
  return withEk(tss, DEFAULT_EK_ORDER, (ek) =>
    withSecureSession(tss, { handle: ak, public: ek.public }, 'hmac', 'both', () => new Uint8Array()),
  )
}
