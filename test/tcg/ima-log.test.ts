import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat, toHex } from '../../src/core/bytes.ts'
import { isAsciiImaLog, decodeAsciiImaLog } from '../../src/tcg/ima-ascii.ts'
import { ImaError, type ImaErrorCode } from '../../src/tcg/ima-error.ts'
import { imaFindings } from '../../src/tcg/ima-findings.ts'
import { decodeImaLog, MAX_IMA_LOG, type ImaLog } from '../../src/tcg/ima-log.ts'
import { readMeasurement } from '../../src/tcg/ima-measurement.ts'
import { pathText } from '../../src/tcg/path-text.ts'
import { replayIma } from '../../src/tcg/ima-replay.ts'
import { digestField, ENTRY_OF_EACH, field, imaEntry, nameField, text, u32 } from './ima-bytes.ts'
import { CAPTURES, tpmVector } from './tpm-vectors.ts'

const binary = (capture: string) => tpmVector(`${capture}/ima_binary_runtime_measurements`)
const ascii = (capture: string) => tpmVector(`${capture}/ima_ascii_runtime_measurements`)

/** What two logs must agree in, whatever memory they share. */
const plain = ({ bank, entries }: ImaLog) => ({
  bank,
  entries: entries.map(({ pcr, digest, template, data }) => ({
    pcr,
    template,
    digest: toHex(digest),
    data: toHex(data),
  })),
})

function refuses(code: ImaErrorCode, bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown = decodeImaLog): void {
  assert.throws(
    () => decode(bytes),
    (error) => error instanceof ImaError && error.code === code,
    `expected ${code}`,
  )
}

/** The log's text, undefined where it is refused. */
function outcome(bytes: Uint8Array, decode: (bytes: Uint8Array) => ImaLog = decodeImaLog): ImaLog | undefined {
  try {
    return decode(bytes)
  } catch (error) {
    if (error instanceof ImaError) return undefined
    throw error
  }
}

const ng = (name: string) => imaEntry(concat(digestField(1), nameField(name)))

describe('decodeImaLog', () => {
  for (const capture of CAPTURES) {
    it(`reads the whole log of ${capture}, which says what the ascii form says`, () => {
      const log = decodeImaLog(binary(capture))
      assert.ok(log.entries.length >= 6)
      assert.deepEqual(plain(log), plain(decodeAsciiImaLog(ascii(capture))))
      assert.deepEqual(
        imaFindings(log).filter(({ code }) => code !== 'VIOLATION'),
        [],
      )
    })
  }

  it('takes a log apart at its entries and nowhere else', () => {
    const bytes = binary('02-ovmf-cmdline-vmm-changed')
    const ends = Array.from(bytes, (_, i) => i + 1).filter((i) => outcome(bytes.subarray(0, i)) !== undefined)
    assert.equal(ends.length, 8)
    assert.equal(ends.at(-1), bytes.length)
    assert.equal(decodeImaLog(new Uint8Array()).entries.length, 0)
  })

  it('lets no flipped bit of what is covered pass', () => {
    const bytes = binary('02-ovmf-cmdline-vmm-changed')
    const expected = JSON.stringify(replayed(bytes))
    // The name of a template and the data of the violation are covered by nothing.
    const uncovered = new Set<number>()
    let offset = 0
    for (const { digest, template, data } of decodeImaLog(bytes).entries) {
      for (let i = 0; i < template.length; i++) uncovered.add(offset + 28 + i)
      const start = offset + 32 + template.length
      if (digest.every((byte) => byte === 0)) for (let i = 0; i < data.length; i++) uncovered.add(start + i)
      offset = start + data.length
    }
    const passed: number[] = []
    for (let i = 0; i < bytes.length; i++) {
      const changed = Uint8Array.from(bytes)
      changed[i] = (changed[i] ?? 0) ^ (1 << (i & 7))
      const log = outcome(changed)
      if (log === undefined || uncovered.has(i)) continue
      const marked = imaFindings(log).some(({ code }) => code === 'TEMPLATE_DIGEST')
      if (!marked && JSON.stringify(replayed(changed)) === expected) passed.push(i)
    }
    assert.deepEqual(passed, [])
  })

  it('reads every template that it knows', () => {
    const { entries } = decodeImaLog(concat(...ENTRY_OF_EACH))
    const said = entries.map(({ template, data }) => {
      const { digestType, algorithm, path, rest } = readMeasurement(template, data) ?? assert.fail(template)
      return [
        template,
        digestType ?? '',
        algorithm,
        pathText(path),
        Object.fromEntries(Array.from(rest, ([name, value]) => [name, toHex(value)])),
      ]
    })
    assert.deepEqual(said, [
      ['ima', '', 'sha1', 'boot_aggregate', {}],
      ['ima-ng', '', 'sha256', '/bin/one', {}],
      ['ima-ngv2', 'verity', 'sha256', '/bin/two', {}],
      ['ima-sig', '', 'sha256', '/bin/three', { sig: '0x030204' }],
      ['ima-sigv2', 'ima', 'sha256', '/bin/four', { sig: '0x' }],
      ['ima-buf', '', 'sha256', 'kexec-cmdline', { buf: toHex(text('root=none')) }],
      [
        'ima-modsig',
        '',
        'sha256',
        '/lib/six.ko',
        { sig: '0x', 'd-modsig': toHex(concat(text('sha256:\0'), new Uint8Array(32).fill(6))), modsig: '0x3082' },
      ],
      [
        'evm-sig',
        '',
        'sha256',
        '/bin/seven',
        {
          evmsig: '0x0502',
          xattrnames: toHex(text('security.ima|security.selinux')),
          xattrlengths: '0x0100000002000000',
          xattrvalues: '0x010203',
          iuid: '0xe8030000',
          igid: '0x64000000',
          imode: '0xed81',
        },
      ],
    ])
  })

  it('keeps a template that it does not know', () => {
    const [entry] = decodeImaLog(imaEntry(text('anything'), { template: 'd-new|n-ng' })).entries
    assert.equal(entry?.template, 'd-new|n-ng')
    assert.equal(readMeasurement('d-new|n-ng', entry.data), undefined)
  })

  it('tells whose digests the logs of newer kernels hold', () => {
    const data = concat(digestField(1), nameField('boot_aggregate'))
    for (const bank of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
      const log = decodeImaLog(concat(imaEntry(data, { bank }), imaEntry(data, { bank, violation: true })))
      assert.deepEqual([log.bank, log.entries.length], [bank, 2])
      const part = decodeImaLog(concat(imaEntry(data, { bank, violation: true }), imaEntry(data, { bank })))
      assert.equal(part.bank, bank)
    }
  })

  it('refuses lengths and numbers out of their bounds', () => {
    const entry = ng('/bin/x')
    refuses('IMA_MALFORMED', concat(u32(24), entry.subarray(4)))
    refuses('IMA_MALFORMED', concat(entry.subarray(0, 24), u32(0), entry.subarray(28)))
    refuses('IMA_MALFORMED', concat(entry.subarray(0, 24), u32(256), new Uint8Array(4096).fill(97)))
    refuses('IMA_MALFORMED', imaEntry(new Uint8Array(), { template: 'two words' }))
    refuses(
      'IMA_MALFORMED',
      imaEntry(concat(new Uint8Array(20), u32(256), new Uint8Array(256).fill(97)), {
        template: 'ima',
        digest: new Uint8Array(20),
      }),
    )
    refuses('IMA_MALFORMED', concat(entry.subarray(0, 34), u32(0xffffffff), entry.subarray(38)))
    refuses('IMA_TOO_LARGE', new Uint8Array(MAX_IMA_LOG + 1))
  })

  it('refuses data that a template cannot have made', () => {
    const wrong: readonly (readonly [string, Uint8Array])[] = [
      ['ima-ng', concat(digestField(1), nameField('x'), Uint8Array.of(0))],
      ['ima-ng', concat(digestField(1), u32(3), text('x\0'))],
      ['ima-ng', digestField(1)],
      ['ima-ng', concat(digestField(1), field(text('x')))],
      ['ima-ng', concat(digestField(1), field(text('x\0y\0')))],
      ['ima-ng', concat(digestField(1), field())],
      ['ima-ng', concat(digestField(1, 'sha256\0'), nameField('x'))],
      ['ima-ng', concat(digestField(1, 'sha257:\0'), nameField('x'))],
      ['ima-ng', concat(digestField(1, 'sha1:\0'), nameField('x'))],
      ['ima-ng', concat(digestField(1, 'ima:sha256:\0'), nameField('x'))],
      ['ima-ng', concat(digestField(1, 'constructor:\0'), nameField('x'))],
      ['ima-ngv2', concat(digestField(1), nameField('x'))],
      ['ima-ngv2', concat(digestField(1, 'evm:sha256:\0'), nameField('x'))],
      ['ima', concat(new Uint8Array(20), u32(2), text('x\0'))],
      ['ima-modsig', concat(digestField(1), nameField('x'), field(), field(text('sha256:')), field())],
    ]
    for (const [template, data] of wrong)
      refuses('IMA_FIELD', imaEntry(data, { template, digest: new Uint8Array(20).fill(1) }))
    const evm = (names: Uint8Array, lengths: Uint8Array, uid: Uint8Array) =>
      imaEntry(
        concat(
          digestField(1),
          nameField('x'),
          field(),
          names,
          lengths,
          field(),
          uid,
          field(u32(0)),
          field(Uint8Array.of(0, 0)),
        ),
        { template: 'evm-sig' },
      )
    assert.ok(outcome(evm(field(), field(), field(u32(0)))))
    refuses('IMA_FIELD', evm(field(text('security.ima')), field(), field(u32(0))))
    refuses('IMA_FIELD', evm(field(), field(Uint8Array.of(1)), field(u32(0))))
    refuses('IMA_FIELD', evm(field(), field(), field(Uint8Array.of(0))))
  })

  it('throws nothing but its own error, and leaves its input as it is', () => {
    const seeds = [...CAPTURES.map(binary), concat(...ENTRY_OF_EACH)]
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.option(fc.nat()),
        (seed, changes, cut) => {
          const bytes = Uint8Array.from(cut === null ? seed : seed.subarray(0, cut % seed.length))
          for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value
          const before = toHex(bytes)
          outcome(bytes)
          outcome(bytes, decodeAsciiImaLog)
          assert.equal(toHex(bytes), before)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('decodeAsciiImaLog', () => {
  const digest = '2d1b76fc409d2510289d1e77a22dd4fd35ba0319'
  const file = `sha256:${'01'.repeat(32)}`

  it('makes every template’s data again', () => {
    const entries = decodeImaLog(concat(...ENTRY_OF_EACH)).entries
    const words = [
      `${'07'.repeat(20)} boot_aggregate`,
      `${file} /bin/one`,
      `verity:sha256:${'02'.repeat(32)} /bin/two`,
      `sha256:${'03'.repeat(32)} /bin/three 030204`,
      `ima:sha256:${'04'.repeat(32)} /bin/four `,
      `sha256:${'05'.repeat(32)} kexec-cmdline ${Buffer.from('root=none').toString('hex')}`,
      `sha256:${'06'.repeat(32)} /lib/six.ko  sha256:${'06'.repeat(32)} 3082`,
      `sha256:${'07'.repeat(32)} /bin/seven 0502 security.ima|security.selinux 0100000002000000 010203 1000 100 33261`,
    ]
    const lines = entries.map((entry, i) => `10 ${toHex(entry.digest).slice(2)} ${entry.template} ${words[i] ?? ''}\n`)
    assert.deepEqual(plain(decodeAsciiImaLog(text(lines.join('')))), plain({ bank: 'sha1', entries }))
  })

  it('takes a name with spaces whole, and one with a line end not at all', () => {
    const spaced = decodeAsciiImaLog(text(`10 ${digest} ima-sig ${file} /a b  c \n`))
    const [entry] = spaced.entries
    assert.equal(pathText(readMeasurement('ima-sig', entry?.data ?? text(''))?.path ?? text('')), '/a b  c')
    refuses('IMA_MALFORMED', text(`10 ${digest} ima-ng ${file} /a\nb\n`), decodeAsciiImaLog)
  })

  it('refuses lines that no kernel prints', () => {
    const lines = [
      `10 ${digest} ima-ng ${file} /a`,
      `9 ${digest} ima-ng ${file} /a\n`,
      `24 ${digest} ima-ng ${file} /a\n`,
      `10 ${digest.toUpperCase()} ima-ng ${file} /a\n`,
      `10 ${digest}00 ima-ng ${file} /a\n`,
      `10 ${digest} ima-new ${file} /a\n`,
      `10 ${digest} ima-ng ${file}\n`,
      `10 ${digest} ima-ng ${file} /a\n10 ${'01'.repeat(32)} ima-ng ${file} /a\n`,
      `10 ${digest} evm-sig ${file} /a     65536x 0 0\n`,
      `10 ${digest} evm-sig ${file} /a     0 0 65536\n`,
      '\n',
    ]
    for (const line of lines) refuses('IMA_MALFORMED', text(line), decodeAsciiImaLog)
    refuses('IMA_FIELD', text(`10 ${digest} ima-ng sha1:${'01'.repeat(32)} /a\n`), decodeAsciiImaLog)
    refuses('IMA_TOO_LARGE', new Uint8Array(MAX_IMA_LOG + 1), decodeAsciiImaLog)
    assert.ok(outcome(text(` 9 ${digest} ima-ng ${file} /a\n`), decodeAsciiImaLog))
  })

  it('is told from the binary form', () => {
    assert.deepEqual(
      CAPTURES.map((capture) => [isAsciiImaLog(ascii(capture)), isAsciiImaLog(binary(capture))]),
      CAPTURES.map(() => [true, false]),
    )
  })
})

describe('pathText', () => {
  it('shows what can be shown and escapes the rest', () => {
    const shown = (...bytes: readonly number[]) => pathText(Uint8Array.from(bytes))
    assert.equal(pathText(new TextEncoder().encode('/usr/lib/größe')), '/usr/lib/größe')
    assert.equal(pathText(text('a b\n\x1b[2J\\')), 'a b\\x0a\\x1b[2J\\\\')
    assert.equal(shown(0x2f, 0xff, 0x61, 0xc3, 0xb6), '/\\xffa\\xc3\\xb6')
    assert.equal(pathText(new TextEncoder().encode('\u202egpj.exe')), '\\xe2\\x80\\xaegpj.exe')
  })
})

function replayed(bytes: Uint8Array): unknown {
  return replayIma(decodeImaLog(bytes).entries).series.map(({ pcrs }) =>
    Array.from(pcrs, ([pcr, value]) => [pcr, toHex(value)]),
  )
}
