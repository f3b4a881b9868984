#!/usr/bin/env node
const [major] = process.versions.node.split('.')
if (Number(major) < 24) {
  process.stderr.write(
    `attestry needs Node 24 or newer; this is ${process.version}. In a clone, "npm run attestry -- …" brings its own.\n`,
  )
  process.exit(2)
}
const { main } = await import('../src/cli/main.ts')
await main(process.argv.slice(2))
