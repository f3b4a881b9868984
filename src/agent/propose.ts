import type { Hex } from '../core/bytes.ts'
import { vmmHash } from '../evidence/vmm-hash.ts'
import { VMM_REGISTRY } from '../ledger/abi.ts'
import { quoteOnLedger } from '../ledger/commit.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { DigestSigner } from '../ledger/signer.ts'
import { sha256 } from '../record/hash.ts'
import { akQualifiedNameOf } from '../tcg/name.ts'
import type { Tpm } from '../tpm/tpm.ts'
import { ciProfile } from '../vmm/ci-profile.ts'
import { readMeasurement } from '../vmm/measurement.ts'
import type { VmmProfile } from '../vmm/profile.ts'
import { qemuKvmProfile } from '../vmm/qemu-kvm-profile.ts'
import { anchoredQuote } from './anchored-quote.ts'
import type { AgentConfig } from './config.ts'
import { EnrolError } from './enrol-error.ts'

/** How often a VMM is measured again that changes while it is proposed. */
const ATTEMPTS = 3

/** A VMM that the ledger knows, as proposed or already authorised. */
export interface Proposal {
  readonly hostId: Hex
  readonly vmmHash: Hex
  /** What approvals must name. */
  readonly epoch: number
  readonly status: string
  /** SHA-256 of the event log that explains it. */
  readonly manifestHash: Hex
  /** Whether it was proposed now. */
  readonly proposed: boolean
  /** Whether a quote of this host showed now that it runs: of what was proposed, or was predicted before. */
  readonly proven: boolean
}

/** What there is to do about a host that is not active. */
const REMEDIES: Readonly<Record<string, string>> = {
  None: ': enrol it first ("attestry host enrol")',
  Suspended: ': a registrar can put it back ("attestry host reinstate")',
  Retired:
    ', and that is for good: another TPM has to be enrolled (for a local stack: "attestry dev down", remove its directory, "attestry dev up")',
}

/**
 * The profile that a configuration names.
 *
 * @param kernelRelease whose modules are measured; the running kernel's unless it is said
 * @throws VmmError
 */
export function profileOf({ hsm, vmm }: Pick<AgentConfig, 'hsm' | 'vmm'>, kernelRelease?: string): VmmProfile {
  const { directory, selection, pcr } = vmm
  const common = { pkcs11Module: hsm.module, selection, pcr }
  return directory === undefined
    ? qemuKvmProfile({ ...common, ...(kernelRelease === undefined ? {} : { kernelRelease }) })
    : ciProfile({ ...common, vmmDirectory: directory })
}

/**
 * Proposes the VMM that this host runs, with a quote, which also proves a predicted one. Where it is proven already,
 * nothing is submitted.
 *
 * @param signer only pays: what is believed is the quote
 * @throws VmmError `LOG_MISMATCH` when the event log does not explain the PCR; EnrolError `HOST_NOT_ACTIVE`, `PCR_MOVED`;
 * EvidenceError, TpmError, LedgerError
 */
export async function proposeVmm(options: {
  readonly tpm: Pick<Tpm, 'endorsementKey' | 'attestationKey' | 'readPcrs' | 'quote'>
  readonly ledger: Ledger
  readonly config: Pick<AgentConfig['vmm'], 'pcr' | 'selection' | 'log'>
  readonly signer: DigestSigner
}): Promise<Proposal> {
  const { tpm, ledger, config, signer } = options
  const hostId = sha256((await tpm.endorsementKey()).public)
  const host = await ledger.host(hostId)
  if (host.status !== 'Active') {
    const found = `expected an active host, ${hostId} has the status ${host.status}`
    throw new EnrolError('HOST_NOT_ACTIVE', `${found}${REMEDIES[host.status] ?? ''}`)
  }
  const { public: akPublic } = await tpm.attestationKey()
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const { values, log } = await readMeasurement(tpm, config, config.log)
    const [measured, manifestHash] = [vmmHash(config.selection, values), sha256(log.bytes)]
    const found = await ledger.vmm(measured)
    const known = found.status === 'Proposed' || (await ledger.isAuthorised(measured))
    if (known && found.isProven) {
      const { epoch, status } = found
      return {
        hostId,
        vmmHash: measured,
        epoch,
        status,
        manifestHash: found.manifestHash,
        proposed: false,
        proven: false,
      }
    }
    const { quote, verified, anchorBlock } = await anchoredQuote(tpm, ledger, {
      purpose: 'vmm',
      contract: 'vmmRegistry',
      hostId,
      payloadHash: manifestHash,
      selection: config.selection,
      akQualifiedName: akQualifiedNameOf(akPublic),
    })
    if (verified.vmmHash !== measured) continue
    const args = [hostId, manifestHash, anchorBlock, quoteOnLedger(quote)]
    const data = VMM_REGISTRY.encodeFunctionData('propose', args) as Hex
    await ledger.submit(signer, { to: 'vmmRegistry', data })
    const { epoch, status } = await ledger.vmm(measured)
    return { hostId, vmmHash: measured, epoch, status, manifestHash, proposed: !known, proven: true }
  }
  throw new EnrolError('PCR_MOVED', `the PCRs moved while they were quoted, ${ATTEMPTS} times`)
}
