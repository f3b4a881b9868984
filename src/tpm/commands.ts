/** A structure as its wire bytes (TPM 2.0 Part 2); a TPM2B with its length in front. */
export type Wire = Uint8Array

/** An object, session or hierarchy as the TPM software stack knows it (ESYS_TR), not a TPM handle. */
export type Handle = number

/** Who authorises a command: at most three. */
export type Sessions = readonly Handle[]

/** Handles that are always there (tss2_esys.h). PCRs are 0 to 31. */
export const NO_HANDLE: Handle = 0xfff
/** Authorisation with the object's plain value, which is empty for all that Attestry makes. */
export const PASSWORD: Handle = 0x0ff
export const OWNER: Handle = 0x101
export const ENDORSEMENT: Handle = 0x10b

/**
 * The TPM commands that Attestry uses, as functions (TPM 2.0 Part 3). Synchronous and one at a time.
 *
 * Each throws an error whose `rc` is the return code. Transient objects and sessions that they make are the caller's to
 * flush, also on error.
 */
export interface TpmCommands {
  ActivateCredential(activate: Handle, key: Handle, sessions: Sessions, blob: Wire, secret: Wire): readonly [info: Wire]
  Create(
    parent: Handle,
    sessions: Sessions,
    sensitive: Wire,
    template: Wire,
    outsideInfo: Wire,
    creationPcrs: Wire,
  ): readonly [tpm2bPrivate: Wire, tpm2bPublic: Wire]
  CreatePrimary(
    hierarchy: Handle,
    sessions: Sessions,
    sensitive: Wire,
    template: Wire,
    outsideInfo: Wire,
    creationPcrs: Wire,
  ): readonly [object: Handle, tpm2bPublic: Wire]
  EvictControl(hierarchy: Handle, object: Handle, sessions: Sessions, tpmHandle: number): readonly [persistent: Handle]
  FlushContext(object: Handle): readonly []
  GetCapability(
    sessions: Sessions,
    capability: number,
    property: number,
    count: number,
  ): readonly [more: number, data: Wire]
  Load(parent: Handle, sessions: Sessions, tpm2bPrivate: Wire, tpm2bPublic: Wire): readonly [object: Handle]
  LoadExternal(
    sessions: Sessions,
    sensitive: Wire | null,
    tpm2bPublic: Wire,
    hierarchy: Handle,
  ): readonly [object: Handle]
  NV_DefineSpace(hierarchy: Handle, sessions: Sessions, auth: Wire | null, nvPublic: Wire): readonly [index: Handle]
  NV_Increment(authorising: Handle, index: Handle, sessions: Sessions): readonly []
  NV_Read(
    authorising: Handle,
    index: Handle,
    sessions: Sessions,
    size: number,
    offset: number,
  ): readonly [tpm2bData: Wire]
  NV_ReadPublic(index: Handle, sessions: Sessions): readonly [tpm2bNvPublic: Wire]
  PCR_Extend(pcr: Handle, sessions: Sessions, digestValues: Wire): readonly []
  PolicyAuthorize(
    policySession: Handle,
    sessions: Sessions,
    approvedPolicy: Wire,
    policyRef: Wire,
    keyName: Wire,
    ticket: Wire,
  ): readonly []
  PolicyPCR(policySession: Handle, sessions: Sessions, pcrDigest: Wire, selection: Wire): readonly []
  PolicySecret(
    authorising: Handle,
    policySession: Handle,
    sessions: Sessions,
    nonce: Wire | null,
    cpHash: Wire | null,
    policyRef: Wire | null,
    expiration: number,
  ): readonly []
  Quote(
    key: Handle,
    sessions: Sessions,
    qualifyingData: Wire,
    scheme: Wire,
    selection: Wire,
  ): readonly [tpm2bAttest: Wire, signature: Wire]
  ReadClock(sessions: Sessions): readonly [timeInfo: Wire]
  ReadPublic(
    object: Handle,
    sessions: Sessions,
  ): readonly [tpm2bPublic: Wire, tpm2bName: Wire, tpm2bQualifiedName: Wire]
  StartAuthSession(
    salt: Handle,
    bind: Handle,
    sessions: Sessions,
    nonce: Wire | null,
    type: number,
    symmetric: Wire,
    hash: number,
  ): readonly [session: Handle]
  Unseal(object: Handle, sessions: Sessions): readonly [tpm2bData: Wire]
  VerifySignature(key: Handle, sessions: Sessions, digest: Wire, signature: Wire): readonly [ticket: Wire]
  /** Not a TPM command: sets the TPMA_SESSION of a session for the commands that follow. */
  TRSess_SetAttributes(session: Handle, flags: number, mask: number): readonly []
  /** Not a TPM command: the name of what the software stack has kept for a handle. */
  TR_GetName(object: Handle): readonly [tpm2bName: Wire]
  /** Not a TPM command: the handle for something that is in the TPM already. */
  TR_FromTPMPublic(tpmHandle: number, sessions: Sessions): readonly [object: Handle]
}

/** An open connection to one TPM. */
export interface TpmConnection {
  readonly commands: TpmCommands
  /**
   * Sends a command without handles and sessions as its parameters' wire bytes, past the software stack, which would
   * only take longer. Throws as the commands do.
   *
   * @param name for errors
   * @param code TPM_CC (TPM 2.0 Part 2, 6.5.2)
   * @returns the parameters of the answer, untrusted
   */
  send(name: string, code: number, parameters: Wire): Wire
  /** Gives up a handle of something that stays in the TPM. */
  forget(object: Handle): void
  /** Flushes what lies at a TPM handle, 0x80…… or 0x02……, whoever has put it there. */
  flush(tpmHandle: number): void
  /** Ends the connection. Flushes nothing. Idempotent. */
  close(): void
}
