import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { StackError, partFailure } from './error.ts'
import { isRunning, startProcess, untilReady, type StackProcess } from './process.ts'

/** What a development ledger can be told. */
export interface AnvilOptions {
  /** By default one that is free. */
  readonly port?: number
  readonly chainId?: number
  /** By default 1. Below 1 the blocks' timestamps run ahead of the clock, since each must be later than the last. */
  readonly blockTimeS?: number
  /** The rules of its EVM, by default the newest. Berlin's are those of a GoQuorum network: no precompile for P-256, gas at price 0. */
  readonly hardfork?: Hardfork
  /**
   * Seconds since the epoch from which its own clock runs: each transaction gets a block at once, a second after the one before. What
   * is done on such a chain has the same hashes every time.
   */
  readonly startsAt?: number
}

export type Hardfork = 'osaka' | 'berlin'

/**
 * Starts an anvil that listens on 127.0.0.1 alone and keeps its chain in `DIR/anvil.json`, from which it goes on when it
 * is started again: blocks, transactions, receipts, logs and the newest state. Ended with SIGTERM it loses nothing, with
 * SIGKILL the last second.
 *
 * After a restart two things are gone: the state at older blocks (a call at one is refused), and `BLOCKHASH` of the blocks
 * before the restart, which gives something else. `--preserve-historical-states` would keep the first, not the second, and
 * lets the file grow with the square of the chain's length (714 MB after 3000 blocks), so it is not used.
 *
 * There are no accounts: `setBalance` gives one its funds.
 *
 * @throws StackError `PROGRAM_MISSING`, `LEDGER_FAILED`
 */
export async function startAnvil(
  dir: string,
  options: AnvilOptions = {},
): Promise<{ readonly process: StackProcess; readonly rpc: string }> {
  const port = options.port === undefined ? await anyPort() : await freePort(options.port)
  const rpc = `http://127.0.0.1:${port}`
  try {
    const process = await startProcess('anvil', dir, binary(), [
      ...(options.startsAt === undefined
        ? // Without a block time, pipelined transactions get stuck.
          ['--block-time', String(options.blockTimeS ?? 1)]
        : ['--timestamp', String(options.startsAt)]),
      ...(options.hardfork === 'berlin' ? ['--gas-price', '0'] : []),
      ...['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(options.chainId ?? 31337)],
      ...['--hardfork', options.hardfork ?? 'osaka', '--accounts', '0', '--quiet', '--no-cors'],
      ...['--state', join(dir, 'anvil.json'), '--state-interval', '1'],
      // Old states stay in memory, and not as files in the home directory.
      ...['--prune-history', '128'],
    ])
    await untilReady(process, async () => isRunning(process) && (await answers(rpc)))
    if (options.startsAt !== undefined) await request(rpc, 'anvil_setBlockTimestampInterval', [1])
    return { process, rpc }
  } catch (error) {
    throw partFailure('LEDGER_FAILED', error)
  }
}

/** Gives an account funds. @param wei by default a thousand ether */
export async function setBalance(rpc: string, address: string, wei = 10n ** 21n): Promise<void> {
  await request(rpc, 'anvil_setBalance', [address, `0x${wei.toString(16)}`])
}

/** Adds empty blocks. */
export async function mineBlocks(rpc: string, blocks: number): Promise<void> {
  await request(rpc, 'anvil_mine', [`0x${blocks.toString(16)}`])
}

/** The program itself and not a link or script that starts it, so that its process id is the ledger's. */
function binary(): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('@foundry-rs/anvil-linux-amd64/package.json')
    return join(dirname(manifest), 'bin/anvil')
  } catch (cause) {
    throw new StackError('PROGRAM_MISSING', 'anvil is not installed: run "npm ci" in the clone', { cause })
  }
}

/**
 * Ports for ledgers lie below those that the kernel gives to outgoing connections (ip_local_port_range): one of these could
 * hold the port of a node that is down, so that it could not come back.
 */
const FIRST_PORT = 20_000
const LAST_PORT = 32_767
const ATTEMPTS = 50

/** A port that nobody listens on now. @throws StackError LEDGER_FAILED */
async function anyPort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await freePort(randomInt(FIRST_PORT, LAST_PORT + 1))
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
    }
  }
}

/** Fails where another process listens on the port: its answers would be taken for those of the anvil that is started. */
async function freePort(port: number): Promise<number> {
  const server = createServer()
  try {
    return await new Promise((resolve, reject) => {
      server.once('error', (cause) => reject(new StackError('LEDGER_FAILED', `port ${port} cannot be used`, { cause })))
      server.listen({ port, host: '127.0.0.1' }, () => resolve(port))
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

async function answers(rpc: string): Promise<boolean> {
  try {
    await request(rpc, 'eth_chainId', [])
    return true
  } catch {
    return false
  }
}

async function request(rpc: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(rpc, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(5000),
  })
  const { error, result } = (await response.json()) as { error?: { message: string }; result?: unknown }
  if (error !== undefined) throw new StackError('LEDGER_FAILED', `${method}: ${error.message}`)
  return result
}
