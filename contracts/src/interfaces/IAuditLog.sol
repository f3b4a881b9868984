// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchHeader, Quote, Record} from "./Types.sol";

/// @title The append-only log of every host's operations.
/// @notice Authentic evidence is never refused: what fails appraisal is logged with that verdict. What is not authentic, or
/// not next, always reverts.
interface IAuditLog {
    /// @param vmmHash What the batch's quote shows.
    /// @param verdicts One byte a record; bits in docs/formats.md. 0 where nothing speaks against it.
    event BatchCommitted(
        bytes32 indexed hostId,
        uint64 indexed firstSeq,
        uint32 count,
        bytes32 root,
        bytes32 head,
        bytes32 vmmHash,
        uint64 nvCounter,
        bytes verdicts
    );

    error HostUnknown(bytes32 hostId);
    error NotHost(address caller);
    error NotNext(uint64 expected, uint64 found);
    error HeadIs(bytes32 head);
    error BatchEmpty();
    error CountIs(uint256 records);
    error RecordMisplaced(uint64 seq);
    error RootIs(bytes32 root);

    /// @notice Appends a batch. The sender is the host's ledger address; the quote's payload is the header's EIP-712 struct
    /// hash, its purpose `keccak256("attestry/quote/commit")`, the contract this one.
    function commit(BatchHeader calldata header, Record[] calldata records, Quote calldata quote) external;

    /// @notice The sequence number that the host's next record must have.
    function nextSeq(bytes32 hostId) external view returns (uint64);

    /// @notice Hash chain over all headers: `keccak256(prevHead ‖ headerHash)`, 0 before the first batch.
    function head(bytes32 hostId) external view returns (bytes32);

    /// @notice The root of the batch that starts at `firstSeq`, 0 where none does.
    function batchRoot(bytes32 hostId, uint64 firstSeq) external view returns (bytes32);

    /// @notice The TPM's state in the last batch.
    function clock(
        bytes32 hostId
    ) external view returns (uint64 nvCounter, uint32 resetCount, uint32 restartCount, uint64 clockMs);
}
