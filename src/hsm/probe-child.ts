import { endWithParent, undumpable } from '../../native/process.ts'
import { serveDevice } from '../device/serve.ts'
import { probe } from './probe/probe.ts'
import type { ProbeCalls } from './probe/report.ts'
import type { TokenConfig } from './token.ts'

/** A process of its own, for a module may crash over what is tried. */
serveDevice<ProbeCalls>((config, secret) => {
  undumpable()
  endWithParent()
  const pin = Buffer.from(secret)
  return {
    probe: () => {
      try {
        return probe(config as TokenConfig, () => pin.toString('utf8'))
      } finally {
        pin.fill(0)
      }
    },
  }
})
