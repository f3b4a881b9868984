// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Record, Records} from "./Records.sol";
import {Rig} from "./Rig.sol";
import {Vm} from "./Vm.sol";
import {Reason} from "../../src/Reason.sol";
import {
    Assurance,
    BatchHeader,
    BatchMode,
    Grant,
    Quote,
    ReceiptGroup,
    RecordBody,
    RecordContext,
    SignedReceiptGroup
} from "../../src/interfaces/Types.sol";

/// @title One host with an authorised VMM, one owner's data and a grant of it, and what the host logs of them.
abstract contract LogRig is Rig {
    address internal constant OWNER = address(0xa);
    address internal constant B = address(0xb);
    bytes32 internal constant ENCRYPT = keccak256("attestry/op/encrypt/1");

    Tpm internal tpm;
    bytes32 internal vmmHash;
    bytes32 internal dataId;

    /// @notice Two uses by B.
    bytes32 internal grantId;

    function deployLog() internal {
        deployAll();
        tpm = makeTpm(1);
        enrol(tpm, Assurance.Software);
        vmmHash = authorise(tpm);
        VM.prank(OWNER);
        dataId = policy.registerData("salt");
        grantId = enterGrant(2);
        VM.roll(1010);
    }

    // -------------------------------------------------------------------------
    // Batches
    // -------------------------------------------------------------------------

    /// @notice The next records, against which nothing speaks: the owner's own operations.
    function makeRecords(uint256 count) internal view returns (Record[] memory records) {
        records = new Record[](count);
        uint64 first = log.nextSeq(tpm.hostId);
        for (uint256 i = 0; i < count; ++i) {
            records[i] = Record({
                hostId: tpm.hostId,
                seq: first + uint64(i),
                vmmHash: vmmHash,
                operationId: ENCRYPT,
                requester: OWNER,
                requestHash: keccak256(abi.encode("request", i)),
                dataId: dataId,
                grantId: 0,
                policyBlock: 1005,
                dataHash: keccak256("data"),
                resultHash: keccak256("result"),
                status: Reason.DONE,
                timestamp: uint64(block.timestamp)
            });
        }
    }

    function headerOver(Record[] memory records, uint64 nvCounter) internal view returns (BatchHeader memory) {
        return
            BatchHeader({
                hostId: tpm.hostId,
                firstSeq: log.nextSeq(tpm.hostId),
                count: uint32(records.length),
                root: Records.rootOf(records),
                prevHead: log.head(tpm.hostId),
                anchorBlock: uint64(block.number - 1),
                nvCounter: nvCounter
            });
    }

    function quoteOf(BatchHeader memory header) internal returns (Quote memory) {
        return makeQuote(tpm, COMMIT, address(log), Records.hashOf(header));
    }

    function commit(BatchHeader memory header, Record[] memory records) internal {
        Quote memory quote = quoteOf(header);
        (RecordContext[] memory contexts, RecordBody[] memory bodies) = Records.split(records);
        VM.prank(tpm.ledgerAddress);
        log.commit(header, contexts, bodies, quote);
    }

    function anchor(BatchHeader memory header) internal {
        Quote memory quote = quoteOf(header);
        VM.prank(tpm.ledgerAddress);
        log.anchor(header, quote);
    }

    /// @notice Commits the records, and gives what the log finds against each.
    function verdictsOf(BatchHeader memory header, Record[] memory records) internal returns (bytes memory verdicts) {
        VM.recordLogs();
        commit(header, records);
        verdicts = lastVerdicts(BatchMode.Records);
        equal(verdicts.length, records.length, "one verdict a record");
    }

    /// @notice The verdicts of the last event that was recorded.
    function lastVerdicts(BatchMode mode) internal returns (bytes memory verdicts) {
        Vm.Log[] memory logs = VM.getRecordedLogs();
        BatchMode found;
        (found, , , , , , verdicts) = abi.decode(
            logs[logs.length - 1].data,
            (BatchMode, uint32, bytes32, bytes32, bytes32, uint64, bytes)
        );
        equal(uint8(found), uint8(mode), "mode");
    }

    // -------------------------------------------------------------------------
    // Receipts
    // -------------------------------------------------------------------------

    /// @notice The host's promise to commit these records, which follow one another, by a block.
    function receiptOver(Record[] memory records, uint64 includeBy) internal pure returns (ReceiptGroup memory) {
        return
            ReceiptGroup({
                hostId: records[0].hostId,
                groupRoot: Records.rootOf(records),
                firstSeq: records[0].seq,
                count: uint32(records.length),
                includeBy: includeBy
            });
    }

    function receiptDigest(ReceiptGroup memory group) internal view returns (bytes32) {
        return typedDigest(address(log), Records.hashOf(group));
    }

    function signatureOf(ReceiptGroup memory group) internal view returns (bytes memory) {
        return signedBy(tpm.ledgerKey, receiptDigest(group));
    }

    function signedReceipt(ReceiptGroup memory group) internal view returns (SignedReceiptGroup memory) {
        return SignedReceiptGroup(group, signatureOf(group));
    }

    // -------------------------------------------------------------------------
    // Grants
    // -------------------------------------------------------------------------

    function anyGrant(uint64 maxUses) internal view returns (Grant memory) {
        return
            Grant({
                dataId: dataId,
                grantee: B,
                operationId: 0,
                notBefore: 0,
                notAfter: type(uint64).max,
                maxUses: maxUses,
                vmmHash: 0,
                hostId: 0,
                minAssurance: 0,
                delegationDepth: 0,
                parent: 0,
                salt: 0
            });
    }

    function enterGrant(uint64 maxUses) internal returns (bytes32) {
        Grant memory g = anyGrant(maxUses);
        VM.prank(OWNER);
        return policy.grant(g);
    }

    function usesOf(bytes32 id) internal view returns (uint64 uses) {
        (, , , , uses) = policy.grantOf(id);
    }
}
