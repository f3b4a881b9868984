import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { keyFileSigner, type DigestSigner } from '../../src/ledger/signer.ts'
import type { StackLayout } from './layout.ts'

/** Who acts on a local stack. */
export const PEOPLE = [
  'deployer',
  'registrar',
  'approver1',
  'approver2',
  'approver3',
  'alice',
  'bob',
  'carol',
  'dave',
] as const

export type Person = (typeof PEOPLE)[number]

/** Everybody's signer; keys that are not there yet are made. */
export async function signersOf(layout: StackLayout): Promise<Readonly<Record<Person, DigestSigner>>> {
  const signers = await Promise.all(
    PEOPLE.map(async (person) => {
      const path = join(layout.keys, `${person}.key`)
      if (!existsSync(path)) await writeFile(path, newKey(), { mode: 0o600, flag: 'wx' })
      return [person, await keyFileSigner(path)] as const
    }),
  )
  return Object.fromEntries(signers) as Record<Person, DigestSigner>
}

function newKey(): string {
  return `0x${randomBytes(32).toString('hex')}\n`
}
