import { endWithParent, undumpable } from '../../native/process.ts'

undumpable()
endWithParent()
console.log(process.pid)
setInterval(() => undefined, 60_000)
