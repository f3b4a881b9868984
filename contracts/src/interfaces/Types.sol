// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A TPM 2.0 quote as the TPM produced it, but for `s`.
/// @param attest The TPMS_ATTEST, byte for byte (TPM 2.0 Part 2, 10.12.12). Untrusted until verified.
/// @param r The ECDSA signature's r.
/// @param s The ECDSA signature's s, at most half the group order: whoever submits sends N − s where the TPM gave more.
struct Quote {
    bytes attest;
    bytes32 r;
    bytes32 s;
}

/// @notice What a host needs to be entered in the registry.
/// @param ekPublic The EK's TPMT_PUBLIC. Its SHA-256 is the hostId.
/// @param akPublic The AK's TPMT_PUBLIC: restricted, fixedTPM, ECDSA P-256 with SHA-256.
/// @param ekCertificate The EK certificate, DER. Not parsed on chain: the registrar vouches for it and auditors check it.
/// @param ledgerAddress The address of the ledger key in the host's HSM.
/// @param assurance What the registrar found the TPM to be.
struct Registration {
    bytes ekPublic;
    bytes akPublic;
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

/// @param akQualifiedName SHA-256 part of the AK's qualified name (a primary key of the endorsement hierarchy).
/// @param since The block of the last change of status.
struct Host {
    HostStatus status;
    Assurance assurance;
    uint64 since;
    address ledgerAddress;
    bytes32 akX;
    bytes32 akY;
    bytes32 akQualifiedName;
}

enum VmmStatus {
    None,
    Proposed,
    Authorised,
    Revoked
}

/// @param epoch Counts the proposals of this vmmHash; approvals of an earlier epoch are worth nothing.
/// @param authorisedAt Block from which it was authorised in this epoch, 0 before.
/// @param revokedAt Block of its revocation in this epoch, 0 before.
/// @param manifestHash SHA-256 of the canonical event log that explains it.
struct Vmm {
    VmmStatus status;
    uint32 epoch;
    uint32 approvals;
    uint64 authorisedAt;
    uint64 revokedAt;
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
/// @param asOf The block whose state (after all its transactions) decides on status, revocation and authorisation.
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

/// @notice One operation: done, denied or failed. Hashed as an EIP-712 struct.
/// @param requestHash EIP-712 digest of the OperationRequest that the requester signed.
/// @param policyBlock The block at which access was checked.
/// @param dataHash Salted hash of the input.
/// @param resultHash Salted hash of the result, 0 where there is none.
/// @param status 0 for done, otherwise a reason code (docs/formats.md).
/// @param timestamp Seconds since the epoch, by the host's clock.
struct Record {
    bytes32 hostId;
    uint64 seq;
    bytes32 vmmHash;
    bytes32 operationId;
    address requester;
    bytes32 requestHash;
    bytes32 dataId;
    bytes32 grantId;
    uint64 policyBlock;
    bytes32 dataHash;
    bytes32 resultHash;
    uint16 status;
    uint64 timestamp;
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
