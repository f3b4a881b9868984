import koffi from 'koffi'

/** The process at the other end of a Unix socket, as the kernel knew it when the socket was connected. */
export interface PeerCredentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

const SOL_SOCKET = 1
const SO_PEERCRED = 17
/** struct ucred: pid, uid, gid, each of 32 bits. */
const UCRED_BYTES = 12

/**
 * Who is at the other end of a connected Unix socket (unix(7), SO_PEERCRED).
 *
 * @throws Error when the descriptor is no such socket
 */
export function peerCredentials(fd: number): PeerCredentials {
  const credentials = Buffer.alloc(UCRED_BYTES)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(UCRED_BYTES)
  const result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length)
  if (result !== 0 || length.readUInt32LE() !== UCRED_BYTES) {
    throw new Error(`no peer credentials for descriptor ${fd} (errno ${koffi.errno()})`)
  }
  const peer = { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4), gid: credentials.readUInt32LE(8) }
  // What the kernel gives for a socket that is not connected.
  if (peer.pid === 0) throw new Error(`descriptor ${fd} has no peer`)
  return peer
}

const getsockopt = koffi.load('libc.so.6').func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']) as (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  length: Buffer,
) => number
