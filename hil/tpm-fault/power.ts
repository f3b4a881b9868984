import { once } from 'node:events'
import { connect } from 'node:net'

/** swtpm's control channel: its command for a power cycle, with flags, and the command TPM2_Startup(CLEAR). */
const CMD_INIT = Buffer.from('0000000200000000', 'hex')
const STARTUP_CLEAR = Buffer.from('80010000000c000001440000', 'hex')

/** Takes a software TPM's power away and gives it back (swtpm_ioctl(8), -i). @param startup whether it is started too */
export async function powerCycle(swtpm: string, startup: boolean): Promise<void> {
  const result = await ask(`${swtpm}.ctrl`, CMD_INIT, 4)
  if (result.readUInt32BE() !== 0) throw new Error(`swtpm refused the power cycle with ${result.readUInt32BE()}`)
  if (startup) await startUp(swtpm)
}

/** TPM2_Startup(CLEAR), as firmware sends it. */
export async function startUp(swtpm: string): Promise<void> {
  await ask(swtpm, STARTUP_CLEAR, 10)
}

async function ask(path: string, message: Buffer, length: number): Promise<Buffer> {
  const socket = connect(path)
  try {
    socket.write(message)
    let answer = Buffer.alloc(0)
    while (answer.length < length) {
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      answer = Buffer.concat([answer, chunk])
    }
    return answer
  } finally {
    const closed = socket.closed ? undefined : once(socket, 'close')
    socket.destroy()
    await closed
  }
}
