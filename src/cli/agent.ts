import { Command } from 'commander'
import { configOf, withConfig, type PlaceOptions } from './context.ts'

/** `attestry agent`: the daemon. */
export function agentCommand(): Command {
  return withConfig(new Command('agent'))
    .addHelpText('after', '\nExample:\n  attestry agent --config /etc/attestry/agent.toml')
    .action(serve)
}

async function serve(options: PlaceOptions): Promise<void> {
  const config = await configOf(options)
  const { runAgent } = await import('../agent/agent.ts')
  const agent = await runAgent(config)
  await new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
  await agent.close()
}
