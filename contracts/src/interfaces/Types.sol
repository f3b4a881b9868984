// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A TPM 2.0 quote as the TPM produced it, but for an ECDSA signature's s.
/// @param akPublic The attestation key's TPMT_PUBLIC. Its qualified name is what the registry keeps, so the key travels with
/// the quote instead of lying in storage. Untrusted until its qualified name is the host's.
/// @param attest The TPMS_ATTEST, byte for byte (TPM 2.0 Part 2, 10.12.12). Untrusted until verified.
/// @param signature ECDSA: r ‖ s, 64 bytes, s at most half the group order (whoever submits sends N − s where the TPM gave
/// more). RSASSA: 256 bytes.
struct Quote {
    bytes akPublic;
    bytes attest;
    bytes signature;
}

/// @notice What a host needs to be entered in the registry. The AK is the one of the quote.
/// @param ekPublic The EK's TPMT_PUBLIC. Its SHA-256 is the hostId.
/// @param ekCertificate The EK certificate, DER. Not parsed on chain: the registrar vouches for it and auditors check it.
/// @param ledgerAddress The address of the ledger key in the host's HSM.
/// @param assurance What the registrar found the TPM to be.
struct Registration {
    bytes ekPublic;
    bytes ekCertificate;
    address ledgerAddress;
    Assurance assurance;
}

enum HostStatus {
    None,
    Active,
    Suspended,
    Retired
}

/// @notice How much a host's TPM can be believed. Software: an emulator. Hardware: a chip with a vendor's certificate.
enum Assurance {
    None,
    Software,
    Hardware
}

/// @param since The block of the last change of status.
/// @param akQualifiedName SHA-256 part of the AK's qualified name (a primary key of the endorsement hierarchy).
/// @param previousAddress The address before the last rotation or replacement, 0 for none.
/// @param previousUntil The last block in which `previousAddress` may still submit; 0 after a replacement.
struct Host {
    HostStatus status;
    Assurance assurance;
    uint64 since;
    address ledgerAddress;
    bytes32 akQualifiedName;
    address previousAddress;
    uint64 previousUntil;
}

/// @notice An approver's EIP-712 signature of a decision. The message's last members are `approver`, `term` and `deadline`.
/// @param deadline Seconds since the epoch until which the signature may be submitted, inclusive.
struct SignedApproval {
    address approver;
    uint64 deadline;
    bytes signature;
}

enum VmmStatus {
    None,
    Proposed,
    Authorised,
    Revoked
}

/// @param isProven Whether a quote of a registered host showed it, made since this epoch began or beginning it; false for a
/// prediction.
/// @param epoch Counts the proposals of this vmmHash; approvals of an earlier epoch are worth nothing.
/// @param since The block of the last change of status.
/// @param validUntil Seconds since the epoch, inclusive; the type's maximum for no end. 0 before it is authorised.
/// @param manifestHash SHA-256 of the canonical event log that explains it.
struct Vmm {
    VmmStatus status;
    bool isProven;
    uint32 epoch;
    uint64 since;
    uint64 validUntil;
    bytes32 manifestHash;
}

/// @notice A permission; signed as EIP-712 by its grantor. Its id is the EIP-712 digest.
/// @param operationId 0 for any.
/// @param notBefore Seconds since the epoch, inclusive.
/// @param notAfter Seconds since the epoch, inclusive; the type's maximum for no end.
/// @param maxUses The type's maximum for no limit. Never 0.
/// @param vmmHash 0 for any authorised one.
/// @param hostId 0 for any active one.
/// @param minAssurance The lowest `Assurance` that will do.
/// @param delegationDepth How many further delegations may hang below this grant.
/// @param parent The grant delegated from, 0 where the data's owner grants.
/// @param salt Makes the id unique.
struct Grant {
    bytes32 dataId;
    address grantee;
    bytes32 operationId;
    uint64 notBefore;
    uint64 notAfter;
    uint64 maxUses;
    bytes32 vmmHash;
    bytes32 hostId;
    uint8 minAssurance;
    uint8 delegationDepth;
    bytes32 parent;
    bytes32 salt;
}

/// @param grantId 0 where the requester acts as the data's owner.
/// @param timestamp Seconds since the epoch at which the access takes place.
/// @param asOf The block whose state (after all its transactions) decides on status, ownership, revocation and authorisation.
struct AccessRequest {
    bytes32 dataId;
    bytes32 grantId;
    address requester;
    bytes32 operationId;
    bytes32 hostId;
    bytes32 vmmHash;
    uint64 timestamp;
    uint64 asOf;
}

/// @notice What several records of one batch have in common. Travels once a batch.
/// @param policyBlock The block at which access was checked; at most 256 before the batch's anchor, or nothing counts as a use.
struct RecordContext {
    bytes32 vmmHash;
    bytes32 operationId;
    address requester;
    bytes32 dataId;
    bytes32 grantId;
    uint64 policyBlock;
}

/// @notice What is a record's own. With its context, the batch's hostId and its place it is the EIP-712 struct `Record`
/// (docs/formats.md), whose hash is the leaf.
/// @param context Index into the batch's contexts.
/// @param status 0 for done, otherwise a reason code (docs/formats.md).
/// @param timestamp Seconds since the epoch, by the host's clock.
/// @param requestHash EIP-712 digest of the OperationRequest that the requester signed.
/// @param dataHash Salted hash of the input.
/// @param resultHash Salted hash of the result, 0 where there is none.
struct RecordBody {
    uint16 context;
    uint16 status;
    uint64 timestamp;
    bytes32 requestHash;
    bytes32 dataHash;
    bytes32 resultHash;
}

/// @notice Consecutive records of one host. Hashed as an EIP-712 struct.
/// @param root Root of the RFC 9162 tree over the records' leaves.
/// @param prevHead The host's head before this batch, 0 for the first.
/// @param anchorBlock The block whose hash the quote commits to; among the last 256.
/// @param nvCounter The TPM NV counter's value after this batch's increment.
struct BatchHeader {
    bytes32 hostId;
    uint64 firstSeq;
    uint32 count;
    bytes32 root;
    bytes32 prevHead;
    uint64 anchorBlock;
    uint64 nvCounter;
}

/// @notice Records: they travelled in the transaction. Anchored: their root alone did.
enum BatchMode {
    Records,
    Anchored
}

/// @notice A host's promise to commit a group of records by a block. Signed as EIP-712 by its ledger key.
/// @param includeBy The last block by which the host promises to commit.
struct ReceiptGroup {
    bytes32 hostId;
    bytes32 groupRoot;
    uint64 firstSeq;
    uint32 count;
    uint64 includeBy;
}

/// @param signature The ledger key's, r ‖ s ‖ v.
struct SignedReceiptGroup {
    ReceiptGroup group;
    bytes signature;
}

/// @notice A leaf of a tree with its inclusion path, siblings from the leaf up.
struct LeafProof {
    bytes32 leaf;
    bytes32[] path;
}

/// @notice Omission: a promised record was not there when its block had passed. Equivocation: two receipts contradict each
/// other. Contradiction: a receipt contradicts the log.
enum Fraud {
    None,
    Omission,
    Equivocation,
    Contradiction
}
