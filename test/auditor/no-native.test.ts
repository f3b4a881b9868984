import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { stringify } from '../../src/record/json.ts'
import { startRig, type Rig } from './rig.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** What the auditor may import (docs/architecture.md), and the packages that these need. */
const PARTS = ['auditor', 'evidence', 'tcg', 'record', 'ledger', 'core']
const PACKAGES = ['@noble/hashes', 'ethers', '@peculiar/x509', 'reflect-metadata']
const NATIVE = ['koffi', 'pkcs11js']

/** An auditor's own program: nothing but an endpoint, the deployment file and a trust store. */
const PROGRAM = `
import { auditLedger } from './src/auditor/verify.ts'
import { readTrustStore } from './src/auditor/trust-store.ts'
import { readDeployment } from './src/ledger/deployment.ts'
import { Ledger } from './src/ledger/ledger.ts'

const [rpc, deployment, trust] = process.argv.slice(2)
const missing = []
for (const name of ${JSON.stringify(NATIVE)}) await import(name).catch(({ code }) => missing.push(code))
const ledger = await Ledger.connect(rpc, await readDeployment(deployment))
const { ok, operations, verified } = await auditLedger({ ledger, trustAnchors: readTrustStore(trust) })
process.stdout.write(JSON.stringify({ missing, ok, operations, verified }))
`

describe('the auditor where no native module is installed', function () {
  this.timeout(120_000)
  let rig: Rig

  before(async () => {
    rig = await startRig()
    await rig.commit([{}, {}])
  })
  after(() => rig.stop())

  it('audits', async () => {
    const place = join(rig.dir, 'auditor')
    await mkdir(place)
    for (const part of PARTS) await cp(join(ROOT, 'src', part), join(place, 'src', part), { recursive: true })
    for (const name of PACKAGES) {
      const link = join(place, 'node_modules', name)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(ROOT, 'node_modules', name), link)
    }
    await writeFile(join(place, 'package.json'), '{ "type": "module" }')
    await writeFile(join(place, 'audit.ts'), PROGRAM)
    await writeFile(join(place, 'deployment.json'), stringify(rig.local.deployment))

    const args = [join(place, 'audit.ts'), rig.local.rpc, join(place, 'deployment.json'), rig.trustDir]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: place })
    const missing = NATIVE.map(() => 'ERR_MODULE_NOT_FOUND')
    assert.deepEqual(JSON.parse(stdout), { missing, ok: true, operations: 2, verified: 2 })
  })
})
