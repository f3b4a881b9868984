import { readFileSync } from 'node:fs'
import {
  ENROL_ANSWER,
  ENROL_CHALLENGE,
  ENROL_REGISTRATION,
  ENROL_REQUEST,
  OPEN_CHALLENGE,
  type EnrolRequest,
} from '../../src/agent/enrol-file.ts'
import { enrolFileKind } from '../../src/agent/enrol-format.ts'
import { concat, type Hex } from '../../src/core/bytes.ts'
import { parseAppraisalPolicy } from '../../src/evidence/appraisal-policy.ts'
import { parseCertificate } from '../../src/evidence/certificate.ts'
import { decodeEvidence, encodeEvidence } from '../../src/evidence/evidence-file.ts'
import { parseRevocationList } from '../../src/evidence/revocation-list.ts'
import { parseReceipt, parseRecord, parseSignedRequest } from '../../src/record/parse.ts'
import { decodeQuoteAttest, decodeQuoteInfo } from '../../src/tcg/attest.ts'
import { bootStateOf } from '../../src/tcg/boot-state.ts'
import { decodeCanonicalLog } from '../../src/tcg/canonical-event-log.ts'
import { coverageInAllBanks } from '../../src/tcg/event-coverage.ts'
import { decodeEventData } from '../../src/tcg/event-data.ts'
import { parseEventLog } from '../../src/tcg/event-log.ts'
import { decodeAsciiImaLog } from '../../src/tcg/ima-ascii.ts'
import { imaFindings } from '../../src/tcg/ima-findings.ts'
import { decodeImaLog, type ImaLog } from '../../src/tcg/ima-log.ts'
import { parsePcrFile } from '../../src/tcg/pcr-file.ts'
import { decodePcrSelections } from '../../src/tcg/pcr-selection.ts'
import { decodePublic } from '../../src/tcg/public.ts'
import { decodeSignature } from '../../src/tcg/signature.ts'
import { decodeTpmsQuote } from '../../src/tcg/tpms-attest.ts'

/** One decoder of untrusted bytes. */
export interface FuzzTarget {
  /** Decodes. Throws a CodedError where it refuses. */
  readonly decode: (bytes: Uint8Array) => unknown
  /** Inputs to begin with: those that are accepted say most. */
  readonly seeds: readonly Uint8Array[]
  /** Where the decoder is documented to throw any error, which its caller words. */
  readonly anyError?: true
}

const CAPTURES = ['01-ovmf-baseline', '02-ovmf-cmdline-vmm-changed', '04-ovmf-secureboot-shim-grub']

const vector = (name: string): Uint8Array =>
  Uint8Array.from(readFileSync(new URL(`../../test/vectors/${name}`, import.meta.url)))
const ofCaptures = (...names: readonly string[]): readonly Uint8Array[] =>
  CAPTURES.flatMap((capture) => names.map((name) => vector(`tpm/${capture}/${name}`)))

const formats = JSON.parse(new TextDecoder().decode(vector('formats.json'))) as {
  readonly request: { readonly request: object }
  readonly records: readonly { readonly record: object }[]
  readonly receipt: { readonly group: object; readonly path: readonly string[]; readonly signature: string }
  readonly eventLog: { readonly quoteInfo: string }
}
const { group, path, signature } = formats.receipt
const signed = { request: formats.request.request, requestSignature: signature, salt: `0x${'5a'.repeat(32)}` }

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
/** Bytes that are no JSON tell nothing of the parser behind it: they are taken for a text. */
const json = (parse: (value: unknown) => unknown) => (bytes: Uint8Array) => {
  const characters = new TextDecoder().decode(bytes)
  let value: unknown = characters
  try {
    value = JSON.parse(characters)
  } catch {
    // As above.
  }
  return parse(value)
}

const evidence = {
  quote: { akPublic: Uint8Array.of(1), attest: Uint8Array.of(2), signature: Uint8Array.of(3) },
  endorsement: { ekPublic: Uint8Array.of(4), ekCertificate: Uint8Array.of(5), intermediates: [Uint8Array.of(7)] },
  pcrs: new Map([['sha256', new Map([[0, new Uint8Array(32)]])]] as const),
  eventLog: Uint8Array.of(6),
}
const POLICY = `freshness = "none"
[[attestation_keys]]
name = "0x000b${'5a'.repeat(32)}"
ek = "0x${'5a'.repeat(32)}"
[tpm]
assurance = "none"
[quote]
pcrs = [0, 10]
[values]
0 = ["0x${'5a'.repeat(32)}"]
[[firmware.events]]
name = "a"
pcr = 4
digests = ["0x${'5a'.repeat(32)}"]
[ima.files]
"/a" = ["sha256:${'5a'.repeat(32)}"]
`

const hex = (length: number): Hex => `0x${'5a'.repeat(length)}`
const enrolLedger = { chainId: 31337n, verifyingContract: hex(20) }
const ek = { ekPublic: hex(2), ekCertificate: hex(3), intermediates: [hex(1)] }
const enrolRequest: EnrolRequest = {
  ...{ ledger: enrolLedger, nonce: hex(32), expires: 1n, ...ek },
  ...{ akPublic: hex(2), ledgerAddress: hex(20), signature: hex(65) },
}
const enrolFiles = {
  request: ENROL_REQUEST.encode(enrolRequest),
  challenge: ENROL_CHALLENGE.encode({
    ...{ ledger: enrolLedger, requestHash: hex(32), expires: 2n, hostId: hex(32), akName: hex(34) },
    ...{ ledgerAddress: hex(20), credentialBlob: hex(4), encryptedSecret: hex(4), seal: hex(32) },
  }),
  answer: ENROL_ANSWER.encode({
    ...{ requestHash: hex(32), challengeHash: hex(32), anchorBlock: 3n },
    ...{ attest: hex(2), quoteSignature: hex(2), consent: hex(65), seal: hex(32) },
  }),
  registration: ENROL_REGISTRATION.encode({
    ...{ ledger: enrolLedger, expires: 4n, ...ek, ledgerAddress: hex(20), anchorBlock: 5n },
    ...{ quote: { akPublic: hex(2), attest: hex(2), signature: hex(2) }, consent: hex(65) },
    ...{ checkedBy: hex(20), signature: hex(65) },
  }),
  state: OPEN_CHALLENGE.encode({ challengeHash: hex(32), answerKey: hex(32), expires: 6n, request: enrolRequest }),
}
/** A file of an enrolment, by the parser that its kind calls for, as the commands read them. */
const enrolFile = (bytes: Uint8Array): unknown => {
  const content = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const formats = {
    ...{ request: ENROL_REQUEST, challenge: ENROL_CHALLENGE, answer: ENROL_ANSWER },
    ...{ registration: ENROL_REGISTRATION, state: OPEN_CHALLENGE },
  }
  return formats[enrolFileKind(content)].parse(content)
}

const withFindings = (log: ImaLog) => ({ log, findings: imaFindings(log) })

/** Every decoder of untrusted bytes, by name. */
export const TARGETS: Readonly<Record<string, FuzzTarget>> = {
  'quote-attest': {
    decode: decodeQuoteAttest,
    seeds: [...ofCaptures('quote_ecc.attest', 'quote_rsa.attest'), vector('tpm/swtpm-primary-ak/quote.attest')],
  },
  'quote-info': {
    decode: decodeQuoteInfo,
    seeds: [Uint8Array.from(Buffer.from(formats.eventLog.quoteInfo.slice(2), 'hex'))],
  },
  'tpms-quote': {
    decode: decodeTpmsQuote,
    seeds: ofCaptures('quote_ecc.attest', 'quote_rsa.attest'),
  },
  signature: { decode: decodeSignature, seeds: ofCaptures('quote_ecc.sig', 'quote_rsa.sig') },
  'tpmt-public': {
    decode: decodePublic,
    seeds: [
      ...ofCaptures('ak_ecc.tpm2b_public', 'ak_rsa.tpm2b_public', 'ek.pub').map((tpm2b) => tpm2b.slice(2)),
      ...['ak.tpm2b_public', 'ek_p256.pub', 'ek_p384.pub'].map((name) =>
        vector(`tpm/swtpm-primary-ak/${name}`).slice(2),
      ),
    ],
  },
  'pcr-selection': {
    decode: decodePcrSelections,
    seeds: [
      Uint8Array.of(0, 0, 0, 1, 0, 11, 3, 255, 127, 0),
      Uint8Array.of(0, 0, 0, 2, 0, 11, 3, 1, 0, 0, 0, 12, 3, 0, 32, 0),
    ],
  },
  'canonical-log': { decode: decodeCanonicalLog, seeds: [vector('tpm/swtpm-primary-ak/vmm.cel')] },
  'firmware-log': {
    decode: firmwareLog,
    seeds: [...ofCaptures('binary_bios_measurements'), ...firmwareBeginnings()],
  },
  'ima-log': {
    decode: (bytes) => withFindings(decodeImaLog(bytes)),
    seeds: [...ofCaptures('ima_binary_runtime_measurements'), ...imaEntries()],
  },
  'ima-ascii': {
    decode: (bytes) => withFindings(decodeAsciiImaLog(bytes)),
    seeds: ofCaptures('ima_ascii_runtime_measurements'),
  },
  'pcr-file': {
    decode: parsePcrFile,
    seeds: [
      ...ofCaptures('pcrs.yaml', 'pcrs_sysfs.txt', 'quote_ecc.pcrs'),
      text({ pcrs: { sha256: { 0: `0x${'00'.repeat(32)}` }, sha1: { 23: `0x${'ff'.repeat(20)}` } } }),
    ],
  },
  certificate: {
    decode: parseCertificate,
    seeds: [...ofCaptures('ek_cert_rsa.der'), vector('tpm/swtpm-primary-ak/ek_cert_ecc_p384.der')],
    anyError: true,
  },
  'revocation-list': { decode: parseRevocationList, seeds: [vector('revocation-list.der')], anyError: true },
  'evidence-file': {
    decode: (bytes) => decodeEvidence(new TextDecoder().decode(bytes)),
    seeds: [new TextEncoder().encode(encodeEvidence(evidence))],
  },
  'appraisal-policy': {
    decode: (bytes) => parseAppraisalPolicy(new TextDecoder().decode(bytes)),
    seeds: [new TextEncoder().encode(POLICY)],
  },
  'enrol-file': {
    decode: enrolFile,
    seeds: Object.values(enrolFiles).map((content) => new TextEncoder().encode(content)),
  },
  'record-json': { decode: json(parseRecord), seeds: formats.records.map(({ record }) => text(record)) },
  'receipt-json': {
    decode: json(parseReceipt),
    seeds: formats.records.map(({ record }) => text({ record, group, path, signature, ...signed })),
  },
  'request-json': {
    decode: json(parseSignedRequest),
    seeds: [text({ request: signed.request, signature, salt: signed.salt })],
  },
}

/** All that is read of a log: data, coverage, the boot's state. */
function firmwareLog(bytes: Uint8Array): unknown {
  const log = parseEventLog(bytes)
  const events = log.events.map((event) => [decodeEventData(event), coverageInAllBanks(log, event)])
  return { log, events, state: bootStateOf(log, 'sha256') }
}

/** The first events of each capture: short inputs are changed more often. */
function firmwareBeginnings(): readonly Uint8Array[] {
  return ofCaptures('binary_bios_measurements').map((log) => log.subarray(0, endOfEvents(log, 4)))
}

function endOfEvents(log: Uint8Array, count: number): number {
  const { events } = parseEventLog(log)
  const last = events[count]?.data
  return last === undefined ? log.length : last.byteOffset + last.length - log.byteOffset
}

/** Entries of the templates that no capture has. */
function imaEntries(): readonly Uint8Array[] {
  const u32 = (value: number) => Uint8Array.of(value & 0xff, value >> 8, 0, 0)
  const field = (...characters: readonly string[]) => {
    const bytes = Uint8Array.from(characters.join(''), (character) => character.charCodeAt(0))
    return concat(u32(bytes.length), bytes)
  }
  const digest = '\u0007'.repeat(32)
  const data: Readonly<Record<string, Uint8Array>> = {
    'ima-ng': concat(field('sha256:\0', digest), field('/a\0')),
    'ima-ngv2': concat(field('verity:sha256:\0', digest), field('/a\0')),
    'ima-buf': concat(field('sha256:\0', digest), field('buffer\0'), field('content')),
    'ima-modsig': concat(field('sha256:\0', digest), field('/a\0'), field(), field('sha256:\0', digest), field('0')),
    'evm-sig': concat(
      ...[
        ['sha256:\0', digest],
        ['/a\0'],
        ['5'],
        ['security.ima\0'],
        ['\u0001\0\0\0'],
        ['1'],
        ['0000'],
        ['0000'],
        ['00'],
      ].map((parts) => field(...parts)),
    ),
  }
  const named = Object.entries(data).map(([name, bytes]) =>
    concat(u32(10), new Uint8Array(20).fill(1), field(name), u32(bytes.length), bytes),
  )
  return [...named, concat(u32(10), new Uint8Array(20).fill(1), field('ima'), new Uint8Array(20), field('/old'))]
}
