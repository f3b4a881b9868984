import { fromHex, type Hex } from '../core/bytes.ts'
import { HOST_REGISTRY } from '../ledger/abi.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { DigestSigner } from '../ledger/signer.ts'
import type { JudgedHost, ProvenHost } from './judge-answer.ts'
import type { EnrolledHost } from './known-host.ts'

/**
 * Enters a host that proved itself on the ledger: the end of the fourth step. Writes nothing where it is there already.
 *
 * @throws LedgerError, also where the signer is no registrar
 */
export async function registerHost(ledger: Ledger, registrar: DigestSigner, judged: JudgedHost): Promise<EnrolledHost> {
  if (judged.known !== undefined) return judged.known
  const { hostId, ledgerAddress, assurance } = judged.proven
  await ledger.submit(registrar, { to: 'hostRegistry', data: calldataOf(judged.proven) })
  return { hostId, ledgerAddress, assurance, registered: true }
}

function calldataOf(proven: ProvenHost): Hex {
  const { ekPublic, ekCertificate, ledgerAddress, assurance, anchorBlock, quote, consent } = proven
  const registration = {
    ekPublic: fromHex(ekPublic),
    ekCertificate: fromHex(ekCertificate),
    ledgerAddress,
    assurance: ASSURANCE[assurance],
  }
  return HOST_REGISTRY.encodeFunctionData('register', [registration, anchorBlock, quote, consent]) as Hex
}

/** The numbers of the contract's enum. */
const ASSURANCE: Readonly<Record<EnrolledHost['assurance'], number>> = { Software: 1, Hardware: 2 }
