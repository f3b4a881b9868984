#!/usr/bin/env node
const [major] = process.versions.node.split('.')
if (Number(major) < 24) {
  process.stderr.write(
    `attestry needs Node 24 or newer; this is ${process.version}. In a clone, "npm run attestry -- …" brings its own.\n`,
  )
  process.exit(2)
}
// npm runs its scripts in the clone's root; file names are meant from where the user is.
const from = process.env.INIT_CWD
if (from !== undefined && ['attestry', 'demo'].includes(process.env.npm_lifecycle_event ?? '')) process.chdir(from)
const { main } = await import('../src/cli/main.ts')
await main(process.argv.slice(2))
