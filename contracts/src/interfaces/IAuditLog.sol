// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    BatchHeader,
    BatchMode,
    Fraud,
    LeafProof,
    Quote,
    ReceiptGroup,
    RecordBody,
    RecordContext,
    SignedReceiptGroup
} from "./Types.sol";

/// @title The append-only log of every host's operations.
/// @notice Authentic evidence is never refused: what fails appraisal is logged with that verdict. What is not authentic, or
/// not next, always reverts.
interface IAuditLog {
    /// @param vmmHash What the batch's quote shows.
    /// @param verdicts Bits in docs/formats.md, 0 where nothing speaks against it. Records: one byte a record. Anchored: one
    /// byte for the batch.
    event BatchCommitted(
        bytes32 indexed hostId,
        uint64 indexed firstSeq,
        BatchMode mode,
        uint32 count,
        bytes32 root,
        bytes32 head,
        bytes32 vmmHash,
        uint64 nvCounter,
        bytes verdicts
    );

    /// @param seq The record that the proof is about.
    /// @param proofHash docs/formats.md, "Fraud proofs".
    event FraudProven(bytes32 indexed hostId, Fraud indexed fraud, uint64 seq, bytes32 proofHash, address by);

    error HostUnknown(bytes32 hostId);
    error NotHost(address caller);
    error NotNext(uint64 expected, uint64 found);
    error HeadIs(bytes32 head);
    error BatchEmpty();
    error CountIs(uint256 records);
    error ContextMissing(uint256 context);
    error RootIs(bytes32 root);
    error SeqTooLarge(uint64 seq);
    error ReceiptSignatureInvalid();
    error DeadlineAhead(uint64 includeBy);
    error NothingOmitted(uint64 nextSeq);
    error OtherHost(bytes32 hostId);
    error SeqOutside(uint64 seq);
    error LeafNotInGroup();
    error LeafNotInBatch();
    error BatchNotInLog();
    error NoContradiction();
    error AlreadyProven(bytes32 proofHash);

    /// @notice Appends a batch with its records. The sender speaks for the host; the quote's payload is the header's EIP-712 struct
    /// hash, its purpose `keccak256("attestry/quote/commit")`, the contract this one.
    function commit(
        BatchHeader calldata header,
        RecordContext[] calldata contexts,
        RecordBody[] calldata bodies,
        Quote calldata quote
    ) external;

    /// @notice Appends a batch by its root alone; the host keeps the records. No use is counted, and the verdict is the batch's.
    function anchor(BatchHeader calldata header, Quote calldata quote) external;

    /// @notice Marks a host that promised to commit records by a block that has passed, and has not. Anybody may.
    function proveOmission(ReceiptGroup calldata group, bytes calldata signature) external;

    /// @notice Marks a host whose two receipts have different records at one place. Anybody may.
    function proveEquivocation(
        SignedReceiptGroup calldata a,
        SignedReceiptGroup calldata b,
        uint64 seq,
        LeafProof calldata inA,
        LeafProof calldata inB
    ) external;

    /// @notice Marks a host whose receipt has another record than the log at one place. Anybody may.
    /// @param batchIndex Which of the host's batches it is, from 0.
    /// @param batchPath From the header's leaf to its peak (docs/formats.md, "Batches of a host").
    function proveContradiction(
        SignedReceiptGroup calldata receipt,
        uint64 seq,
        LeafProof calldata inReceipt,
        BatchHeader calldata header,
        uint32 batchIndex,
        bytes32[] calldata batchPath,
        LeafProof calldata inBatch
    ) external;

    /// @notice The sequence number that the host's next record must have.
    function nextSeq(bytes32 hostId) external view returns (uint64);

    /// @notice How many batches the host has committed.
    function batches(bytes32 hostId) external view returns (uint32);

    /// @notice Hash chain over all headers: `keccak256(prevHead ‖ headerHash)`, 0 before the first batch.
    function head(bytes32 hostId) external view returns (bytes32);

    /// @notice The root of the last complete subtree of 2^height batches; part of the log where that bit of `batches` is set.
    function peak(bytes32 hostId, uint8 height) external view returns (bytes32);

    /// @notice The TPM's state in the last batch.
    function clock(
        bytes32 hostId
    ) external view returns (uint64 nvCounter, uint32 resetCount, uint32 restartCount, uint64 clockMs);

    /// @notice The hash of the last proof of fraud against a host, 0 for none.
    function fraudOf(bytes32 hostId) external view returns (bytes32 proofHash);

    function isProven(bytes32 proofHash) external view returns (bool);
}
