import type { LedgerReader } from '../../src/auditor/ledger-reader.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'

/** A ledger that is asked each thing once: many audits of the same history, without its node. */
export function remembered(ledger: LedgerReader): LedgerReader {
  const answers = new Map<string, Promise<unknown>>()
  const once = <T>(question: string, ask: () => Promise<T>): Promise<T> => {
    const answer = answers.get(question) ?? ask()
    answers.set(question, answer)
    return answer as Promise<T>
  }
  return {
    deployment: ledger.deployment,
    domain: (contract) => ledger.domain(contract),
    latestBlock: () => once('latest', () => ledger.latestBlock()),
    blockAt: (number) => once(`block ${number}`, () => ledger.blockAt(number)),
    logs: (contract, from, to) => once(`logs ${contract} ${from} ${to}`, () => ledger.logs(contract, from, to)),
    transaction: (hash) => once(`transaction ${hash}`, () => ledger.transaction(hash)),
    code: (address, block) => once(`code ${address}`, () => ledger.code(address, block)),
    host: (hostId, block) => once(`host ${hostId}`, () => ledger.host(hostId, block)),
    vmm: (vmmHash, block) => once(`vmm ${vmmHash}`, () => ledger.vmm(vmmHash, block)),
    grantOf: (grantId, block) => once(`grant ${grantId}`, () => ledger.grantOf(grantId, block)),
    ownerOf: (dataId, block) => once(`owner ${dataId}`, () => ledger.ownerOf(dataId, block)),
    candidateOf: (dataId, block) => once(`candidate ${dataId}`, () => ledger.candidateOf(dataId, block)),
    isRegistrar: (account, block) => once(`registrar ${account}`, () => ledger.isRegistrar(account, block)),
    registrarNonce: (account, block) => once(`nonce ${account}`, () => ledger.registrarNonce(account, block)),
    approvers: (block) => once('approvers', () => ledger.approvers(block)),
    batches: (hostId, block) => once(`batches ${hostId}`, () => ledger.batches(hostId, block)),
    peak: (hostId, height, block) => once(`peak ${hostId} ${height}`, () => ledger.peak(hostId, height, block)),
    fraudOf: (hostId, block) => once(`fraud ${hostId}`, () => ledger.fraudOf(hostId, block)),
    nextSeq: (hostId, block) => once(`nextSeq ${hostId}`, () => ledger.nextSeq(hostId, block)),
    head: (hostId, block) => once(`head ${hostId}`, () => ledger.head(hostId, block)),
  }
}

/** A ledger of which some answers are altered: what a node that lies would give. */
export function altered(ledger: LedgerReader, changes: Partial<LedgerReader>): LedgerReader {
  return {
    deployment: ledger.deployment,
    domain: (contract) => ledger.domain(contract),
    latestBlock: () => ledger.latestBlock(),
    blockAt: (number) => ledger.blockAt(number),
    logs: (contract, from, to) => ledger.logs(contract, from, to),
    transaction: (hash) => ledger.transaction(hash),
    code: (address, block) => ledger.code(address, block),
    host: (hostId, block) => ledger.host(hostId, block),
    vmm: (vmmHash, block) => ledger.vmm(vmmHash, block),
    grantOf: (grantId, block) => ledger.grantOf(grantId, block),
    ownerOf: (dataId, block) => ledger.ownerOf(dataId, block),
    candidateOf: (dataId, block) => ledger.candidateOf(dataId, block),
    isRegistrar: (account, block) => ledger.isRegistrar(account, block),
    registrarNonce: (account, block) => ledger.registrarNonce(account, block),
    approvers: (block) => ledger.approvers(block),
    batches: (hostId, block) => ledger.batches(hostId, block),
    peak: (hostId, height, block) => ledger.peak(hostId, height, block),
    fraudOf: (hostId, block) => ledger.fraudOf(hostId, block),
    nextSeq: (hostId, block) => ledger.nextSeq(hostId, block),
    head: (hostId, block) => ledger.head(hostId, block),
    ...changes,
  }
}

/** A ledger whose events go through `change`; those for which it gives nothing are left out. */
export function withEvents(
  ledger: LedgerReader,
  change: (event: LedgerEvent) => LedgerEvent | undefined,
): LedgerReader {
  return altered(ledger, {
    logs: async (contract, from, to) => (await ledger.logs(contract, from, to)).flatMap((event) => change(event) ?? []),
  })
}

/** A ledger that gives one argument of each event of a name another value. */
export function withArgument(
  ledger: LedgerReader,
  name: LedgerEvent['name'],
  argument: string,
  value: unknown,
): LedgerReader {
  return withEvents(ledger, (event) =>
    event.name === name ? ({ ...event, args: { ...event.args, [argument]: value } } as LedgerEvent) : event,
  )
}
