import { openSecretRegion, type SecretMemoryKind } from '../../native/secret-memory.ts'

// Holds a region with a text in it that stands nowhere else in this process, says its kind, and stays.
const region = openSecretRegion(8192, process.argv[2] as SecretMemoryKind)
for (let i = 0; i < 64; i++) region.buffer[4096 + i] = 0xa5 ^ i
console.log(region.kind)
process.stdin.resume().on('end', () => region.close())
