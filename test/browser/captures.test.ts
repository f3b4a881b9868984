import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { toHex } from '../../src/core/bytes.ts'
import { CAPTURES, hex, submittedSignature, tpmtPublic, tpmVector, tpmVectorText } from '../tcg/tpm-vectors.ts'
import { runCaptures, type CapturedFiles, type OwnFiles } from './run-captures.ts'

const CHROMIUM = '/usr/bin/chromium'

const captures: readonly CapturedFiles[] = CAPTURES.map((capture) => {
  const file = (name: string) => toHex(tpmVector(`${capture}/${name}`))
  return {
    imaBinary: file('ima_binary_runtime_measurements'),
    imaAscii: file('ima_ascii_runtime_measurements'),
    pcrs: file('pcrs.yaml'),
    akPublic: toHex(tpmtPublic(`${capture}/ak_ecc.tpm2b_public`)),
    attest: file('quote_ecc.attest'),
    signature: toHex(submittedSignature(tpmVector(`${capture}/quote_ecc.sig`))),
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
      const expected = JSON.parse(await runCaptures(captures, own)) as readonly [
        readonly unknown[],
        { authorised: { ok: boolean }; denied: { ok: boolean } },
      ]
      assert.deepEqual(JSON.parse(String(found)), expected)
      assert.equal(expected[0].length, CAPTURES.length)
      assert.deepEqual([expected[1].authorised.ok, expected[1].denied.ok], [true, false])
    } finally {
      await browser.close()
    }
  })
})
