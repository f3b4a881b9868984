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
  const told = new Promise<undefined>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(undefined))
  })
  const failure = await Promise.race([told, agent.failed])
  await agent.close()
  if (failure !== undefined) throw failure
}
