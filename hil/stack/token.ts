import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StackLayout } from './layout.ts'
import { createSoftHsm, softHsmIn, type SoftHsm } from './softhsm.ts'

const LABEL = 'attestry'

/** The stack's HSM token, made with PINs of its own where there is none. Nobody keeps the security officer's. */
export async function ensureToken({ softhsm }: StackLayout): Promise<SoftHsm> {
  const complete = join(softhsm, 'complete')
  if (existsSync(complete)) return softHsmIn(softhsm, LABEL)
  // What an interrupted start left has no keys yet.
  await rm(softhsm, { recursive: true, force: true })
  const [pin, soPin] = [randomPin(), randomPin()]
  const token = await createSoftHsm(softhsm, { label: LABEL, pin, soPin })
  await writeFile(complete, '')
  return token
}

function randomPin(): string {
  return randomBytes(16).toString('hex')
}
