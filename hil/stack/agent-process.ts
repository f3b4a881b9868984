import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { StackLayout } from './layout.ts'
import { startProcess, untilReady, type StackProcess } from './process.ts'

const ATTESTRY = fileURLToPath(new URL('../../bin/attestry.js', import.meta.url))
const READY_TIMEOUT_MS = 60_000

/** Starts the agent of a stack and waits until it is ready for operations. Where it is not, it is ended again. */
export async function startAgent(layout: StackLayout): Promise<StackProcess> {
  const args = [ATTESTRY, 'agent', '--config', layout.configuration]
  const agent = await startProcess('agent', layout.dir, process.execPath, args)
  await untilReady(agent, () => isReady(layout.agentSocket), READY_TIMEOUT_MS)
  return agent
}

function isReady(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/readyz', timeout: 5000 }, (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode === 200))
      response.once('error', () => resolve(false))
    })
    asked.once('timeout', () => asked.destroy())
    asked.once('error', () => resolve(false))
    asked.end()
  })
}
