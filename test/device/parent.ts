import { Device } from '../../src/device/device.ts'
import type { EchoCalls } from './echo-child.ts'

// Starts a device, prints its process's number, and stays.
const device = new Device<EchoCalls>({
  name: 'echo',
  module: new URL('echo-child.ts', import.meta.url),
  config: undefined,
  deadlineMs: 10_000,
  revive: (_code, message) => new Error(message),
})
await device.call('echo', 1)
console.log(device.pid)
