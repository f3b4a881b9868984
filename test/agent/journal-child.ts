import { Journal } from '../../src/agent/journal.ts'
import { batchOver, identity, intent, outcome } from './journal-sample.ts'

/**
 * Carries a journal as far as the second argument says, tells its parent, and waits to be killed: what it leaves is what a
 * crash after that step leaves.
 */
const [directory = '', step] = process.argv.slice(2)
const journal = Journal.open(directory, identity)
journal.intend(intent(1))
if (step !== 'intent') {
  const record = journal.record(intent(1), outcome)
  if (step !== 'record') journal.addBatch(batchOver([record]))
}
process.send?.('there')
// Never closed: only SIGKILL ends this.
setInterval(() => journal.nextSeq, 1000)
