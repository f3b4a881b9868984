import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import type { AppraisalContext } from '../../src/evidence/appraise-tpm.ts'
import type { Evidence } from '../../src/evidence/evidence.ts'
import { parsePcrFile } from '../../src/tcg/pcr-file.ts'
import { decodeSignature } from '../../src/tcg/signature.ts'
import { hex, tpmtPublic, tpmVector, tpmVectorText } from '../tcg/tpm-vectors.ts'

/** Everything that a capture has, as a host would have collected it. */
export function capturedEvidence(capture: string, kind: 'ecc' | 'rsa' = 'ecc') {
  return {
    quote: {
      akPublic: tpmtPublic(`${capture}/ak_${kind}.tpm2b_public`),
      attest: tpmVector(`${capture}/quote_${kind}.attest`),
      signature: decodeSignature(tpmVector(`${capture}/quote_${kind}.sig`)),
    },
    endorsement: { ekPublic: tpmtPublic(`${capture}/ek.pub`), ekCertificate: tpmVector(`${capture}/ek_cert_rsa.der`) },
    pcrs: parsePcrFile(tpmVector(`${capture}/quote_${kind}.pcrs`)),
    eventLog: tpmVector(`${capture}/binary_bios_measurements`),
    imaLog: tpmVector(`${capture}/ima_binary_runtime_measurements`),
  } satisfies Evidence
}

/** What whoever asked for a capture's quote knows. */
export function capturedContext(capture: string): AppraisalContext {
  return {
    nonce: hex(tpmVectorText(`${capture}/quote_nonce.hex`).trim()),
    at: new Date('2026-11-24T00:00:00Z'),
    trustAnchors: ['ca/issuercert.pem', 'ca/swtpm-localca-rootca-cert.pem'].map(
      (name) => new Uint8Array(new x509.X509Certificate(tpmVectorText(name)).rawData),
    ),
    hardwareRoots: new Set(),
  }
}
