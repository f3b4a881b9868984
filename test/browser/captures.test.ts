import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { toHex } from '../../src/core/bytes.ts'
import { CAPTURES, hex, submittedSignature, tpmtPublic, tpmVector, tpmVectorText } from '../tcg/tpm-vectors.ts'
import { runCaptures, type CapturedFiles, type OwnFiles } from './run-captures.ts'

/** What is said of it here; all of it is compared. */
interface Expected {
  readonly logs: readonly { readonly firmware: { readonly agreed: { readonly agree: boolean } } }[]
  readonly appraised: { readonly results: readonly { readonly under: readonly { readonly ok: boolean }[] }[] }
  readonly own: { readonly authorised: { readonly ok: boolean }; readonly denied: { readonly ok: boolean } }
}

const CHROMIUM = '/usr/bin/chromium'

const captures: readonly CapturedFiles[] = CAPTURES.map((capture) => {
  const file = (name: string) => toHex(tpmVector(`${capture}/${name}`))
  return {
    eventLog: file('binary_bios_measurements'),
    imaBinary: file('ima_binary_runtime_measurements'),
    imaAscii: file('ima_ascii_runtime_measurements'),
    pcrs: file('pcrs.yaml'),
    ekPublic: toHex(tpmtPublic(`${capture}/ek.pub`)),
    ekCertificate: file('ek_cert_rsa.der'),
    trustAnchors: ['ca/issuercert.pem', 'ca/swtpm-localca-rootca-cert.pem'].map((name) =>
      toHex(new Uint8Array(new X509Certificate(tpmVector(name)).raw)),
    ),
    nonce: toHex(hex(tpmVectorText(`${capture}/quote_nonce.hex`).trim())),
    quotes: ['ecc', 'rsa'].map((kind) => ({
      akPublic: toHex(tpmtPublic(`${capture}/ak_${kind}.tpm2b_public`)),
      attest: file(`quote_${kind}.attest`),
      signature: file(`quote_${kind}.sig`),
      pcrs: file(`quote_${kind}.pcrs`),
    })),
  }
})
const own: OwnFiles = {
  akPublic: toHex(tpmtPublic('swtpm-primary-ak/ak.tpm2b_public')),
  attest: toHex(tpmVector('swtpm-primary-ak/quote.attest')),
  signature: toHex(submittedSignature(tpmVector('swtpm-primary-ak/quote.sig'))),
  nonce: toHex(hex(tpmVectorText('swtpm-primary-ak/quote_nonce.hex').trim())),
  log: toHex(tpmVector('swtpm-primary-ak/vmm.cel')),
}

describe('logs, quotes and appraisal in a browser', function () {
  this.timeout(120_000)

  it('come to what they come to in Node, on every capture', async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('run-captures.ts', import.meta.url))],
      bundle: true,
      write: false,
      format: 'iife',
      globalName: 'captures',
      platform: 'browser',
      logLevel: 'silent',
    })
    const [bundle] = outputFiles
    assert.ok(bundle !== undefined)
    // Chromium's own sandbox needs what containers and root do not have; the page is ours.
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    })
    try {
      const page = await browser.newPage()
      // A secure context, which crypto.subtle wants, without a network.
      await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }))
      await page.goto('https://captures.invalid/')
      await page.addScriptTag({ content: bundle.text })
      const found = await page.evaluate(`captures.runCaptures(${JSON.stringify(captures)}, ${JSON.stringify(own)})`)
      const text = await runCaptures(captures, own)
      const expected = JSON.parse(text) as Expected
      assert.deepEqual(JSON.parse(String(found)), expected)
      assert.deepEqual(
        expected.logs.map(({ firmware }) => firmware.agreed.agree),
        CAPTURES.map(() => true),
      )
      // Each quote is taken under the policy that was made of it, and under no other.
      const quotes = captures.flatMap((files) => files.quotes)
      assert.deepEqual(
        expected.appraised.results.map(({ under }) => under.map(({ ok }) => ok)),
        quotes.map((quote) => quotes.map((other) => other === quote)),
      )
      assert.deepEqual([expected.own.authorised.ok, expected.own.denied.ok], [true, false])
    } finally {
      await browser.close()
    }
  })
})
