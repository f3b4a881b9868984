import { constants, open, type FileHandle } from 'node:fs/promises'
import { SigningKey, computeAddress } from 'ethers'
import { toHex, type Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { LedgerError } from './error.ts'

/** Something that signs digests with one secp256k1 key: an HSM, or a key file. */
export interface DigestSigner {
  /** The key's address, in lower case. */
  readonly address: Hex
  /**
   * @param digest 32 bytes
   * @returns 65 bytes r ‖ s ‖ v, s at most half the group order, v 27 or 28
   */
  signDigest(digest: Uint8Array): Promise<Hex>
}

/** Something that signs transactions: an HSM that wants to see the whole of what it signs, or whatever signs digests. */
export type TransactionSigner =
  | DigestSigner
  | {
      /** The key's address, in lower case. */
      readonly address: Hex
      /**
       * @param unsigned the serialised transaction without a signature
       * @returns as `DigestSigner`'s
       */
      signTransaction(unsigned: Hex): Promise<Hex>
    }

const MAX_KEY_FILE = 128

/**
 * A signer with a key from a file: 32 bytes in hexadecimal, owned by this user and readable by nobody else. For owners,
 * approvers and registrars who have no HSM; a host's ledger key never lives in a file.
 *
 * @throws LedgerError KEY_FILE_UNSAFE, KEY_FILE_INVALID; the key itself never stands in an error
 */
export async function keyFileSigner(path: string): Promise<DigestSigner> {
  const key = signingKey(await readKeyFile(path), path)
  return {
    address: computeAddress(key.publicKey).toLowerCase() as Hex,
    signDigest: (digest) => Promise.resolve(key.sign(toHex(digest)).serialized as Hex),
  }
}

async function readKeyFile(path: string): Promise<string> {
  let file: FileHandle
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new LedgerError('KEY_FILE_INVALID', `the key file cannot be opened: ${messageOf(cause)}`, { cause })
  }
  try {
    const { mode, uid, size } = await file.stat()
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || size > MAX_KEY_FILE) throw noKey(path)
    if ((mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0')
      throw new LedgerError('KEY_FILE_UNSAFE', `${path}: expected mode 0600 or stricter, found ${found}: chmod 600 it`)
    }
    if (uid !== process.getuid?.()) {
      throw new LedgerError('KEY_FILE_UNSAFE', `${path}: expected a file of this user, found one of user ${uid}`)
    }
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

function signingKey(text: string, path: string): SigningKey {
  const digits = /^(?:0x)?([0-9a-fA-F]{64})\r?\n?$/.exec(text)?.[1]
  if (digits === undefined) throw noKey(path)
  try {
    const key = new SigningKey(`0x${digits}`)
    // Zero, or past the group order, is noticed only when the public key is made.
    if (key.publicKey.length > 0) return key
  } catch {
    // Told below: the cause could hold the key.
  }
  throw noKey(path)
}

function noKey(path: string): LedgerError {
  return new LedgerError('KEY_FILE_INVALID', `${path}: expected one secp256k1 key, 64 hexadecimal digits`)
}
