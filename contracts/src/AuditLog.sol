// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleTree} from "./MerkleTree.sol";
import {Reason} from "./Reason.sol";
import {TpmQuote} from "./TpmQuote.sol";
import {Verdict} from "./Verdict.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IAccessPolicy} from "./interfaces/IAccessPolicy.sol";
import {IAuditLog} from "./interfaces/IAuditLog.sol";
import {IHostRegistry} from "./interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "./interfaces/IVmmRegistry.sol";
import {AccessRequest, BatchHeader, Host, HostStatus, Quote, Record} from "./interfaces/Types.sol";

/// @title The log. See IAuditLog.
/// @dev The EIP-712 domain is the one under which customers sign requests and hosts sign receipts.
contract AuditLog is IAuditLog, EIP712 {
    /// @dev One slot: where a host's log ends, and the TPM's state in its last batch.
    struct Position {
        uint64 nextSeq;
        uint64 nvCounter;
        uint32 resetCount;
        uint32 restartCount;
        uint64 clockMs;
    }

    bytes32 private constant PURPOSE = keccak256("attestry/quote/commit");

    bytes32 private constant RECORD_TYPEHASH = keccak256(
        "Record(bytes32 hostId,uint64 seq,bytes32 vmmHash,bytes32 operationId,address requester,bytes32 requestHash,"
        "bytes32 dataId,bytes32 grantId,uint64 policyBlock,bytes32 dataHash,bytes32 resultHash,uint16 status,"
        "uint64 timestamp)"
    );

    bytes32 private constant HEADER_TYPEHASH = keccak256(
        "BatchHeader(bytes32 hostId,uint64 firstSeq,uint32 count,bytes32 root,bytes32 prevHead,uint64 anchorBlock,"
        "uint64 nvCounter)"
    );

    uint256 private constant TIMESTAMP_TOLERANCE_S = 3600;

    IHostRegistry private immutable HOSTS;
    IVmmRegistry private immutable VMMS;
    IAccessPolicy private immutable POLICY;

    mapping(bytes32 hostId => bytes32) public override head;
    mapping(bytes32 hostId => mapping(uint64 firstSeq => bytes32 root)) public override batchRoot;
    mapping(bytes32 hostId => Position) private _positions;

    constructor(IHostRegistry hosts, IVmmRegistry vmms, IAccessPolicy policy) EIP712("Attestry", "1") {
        HOSTS = hosts;
        VMMS = vmms;
        POLICY = policy;
    }

    // -------------------------------------------------------------------------
    // Commit
    // -------------------------------------------------------------------------

    /// @inheritdoc IAuditLog
    function commit(BatchHeader calldata header, Record[] calldata records, Quote calldata quote) external {
        bytes32 hostId = header.hostId;
        Host memory host = HOSTS.host(hostId);
        require(host.status != HostStatus.None, HostUnknown(hostId));
        require(msg.sender == host.ledgerAddress, NotHost(msg.sender));
        Position memory last = _positions[hostId];
        require(header.firstSeq == last.nextSeq, NotNext(last.nextSeq, header.firstSeq));
        require(header.prevHead == head[hostId], HeadIs(head[hostId]));
        _requireContent(header, records);

        bytes32 headerHash = keccak256(abi.encode(HEADER_TYPEHASH, header));
        TpmQuote.Attested memory attested = TpmQuote.verify(
            quote,
            TpmQuote.AttestationKey(host.akX, host.akY, host.akQualifiedName),
            TpmQuote.qualifyingData(PURPOSE, hostId, headerHash, header.anchorBlock)
        );

        bytes32 newHead = keccak256(abi.encodePacked(header.prevHead, headerHash));
        head[hostId] = newHead;
        batchRoot[hostId][header.firstSeq] = header.root;
        _positions[hostId] = Position({
            nextSeq: header.firstSeq + header.count,
            nvCounter: header.nvCounter,
            resetCount: attested.resetCount,
            restartCount: attested.restartCount,
            clockMs: attested.clockMs
        });
        emit BatchCommitted({
            hostId: hostId,
            firstSeq: header.firstSeq,
            count: header.count,
            root: header.root,
            head: newHead,
            vmmHash: attested.vmmHash,
            nvCounter: header.nvCounter,
            verdicts: _judge(records, attested.vmmHash, _judgeOrder(last, header, attested))
        });
    }

    // -------------------------------------------------------------------------
    // Views
    // -------------------------------------------------------------------------

    /// @inheritdoc IAuditLog
    function nextSeq(bytes32 hostId) external view returns (uint64) {
        return _positions[hostId].nextSeq;
    }

    /// @inheritdoc IAuditLog
    function clock(
        bytes32 hostId
    ) external view returns (uint64 nvCounter, uint32 resetCount, uint32 restartCount, uint64 clockMs) {
        Position memory last = _positions[hostId];
        return (last.nvCounter, last.resetCount, last.restartCount, last.clockMs);
    }

    // -------------------------------------------------------------------------
    // Internals
    // -------------------------------------------------------------------------

    /// @dev The records are those of the header: as many, each in its place, and under its root.
    function _requireContent(BatchHeader calldata header, Record[] calldata records) private pure {
        require(records.length > 0, BatchEmpty());
        require(records.length == header.count, CountIs(records.length));
        bytes32[] memory leaves = new bytes32[](records.length);
        for (uint256 i = 0; i < records.length; ++i) {
            Record calldata record = records[i];
            require(record.hostId == header.hostId && record.seq == header.firstSeq + i, RecordMisplaced(record.seq));
            leaves[i] = MerkleTree.leafOf(keccak256(abi.encode(RECORD_TYPEHASH, record)));
        }
        bytes32 root = MerkleTree.rootOf(leaves);
        require(root == header.root, RootIs(root));
    }

    /// @dev Verdict bits that all records of the batch share: whether the TPM's clock and counter went forward.
    function _judgeOrder(
        Position memory last,
        BatchHeader calldata header,
        TpmQuote.Attested memory attested
    ) private pure returns (uint8 verdict) {
        if (last.nextSeq == 0) return 0;
        if (
            _order(attested.resetCount, attested.restartCount, attested.clockMs) <=
            _order(last.resetCount, last.restartCount, last.clockMs)
        ) verdict |= Verdict.CLOCK_NOT_FORWARD;
        if (header.nvCounter <= last.nvCounter) verdict |= Verdict.NV_NOT_FORWARD;
    }

    /// @dev A number that compares as the triple does.
    function _order(uint32 resetCount, uint32 restartCount, uint64 clockMs) private pure returns (uint128) {
        return (uint128(resetCount) << 96) | (uint128(restartCount) << 64) | clockMs;
    }

    function _judge(
        Record[] calldata records,
        bytes32 provenVmmHash,
        uint8 shared
    ) private returns (bytes memory verdicts) {
        verdicts = new bytes(records.length);
        for (uint256 i = 0; i < records.length; ++i) {
            Record calldata record = records[i];
            uint8 verdict = shared | _judgeState(record);
            if (record.vmmHash != provenVmmHash) verdict |= Verdict.VMM_UNPROVEN;
            if (record.status == Reason.DONE) verdict |= _judgeAccess(record);
            verdicts[i] = bytes1(verdict);
        }
    }

    function _judgeState(Record calldata record) private view returns (uint8 verdict) {
        if (!VMMS.wasAuthorised(record.vmmHash, record.policyBlock)) verdict |= Verdict.VMM_UNKNOWN;
        if (!HOSTS.wasActive(record.hostId, record.policyBlock)) verdict |= Verdict.HOST_NOT_ACTIVE;
        uint256 distance =
            record.timestamp > block.timestamp
                ? record.timestamp - block.timestamp
                : block.timestamp - record.timestamp;
        if (distance > TIMESTAMP_TOLERANCE_S || record.policyBlock >= block.number) verdict |= Verdict.TIMESTAMP_FAR;
    }

    /// @dev Only an access that the grant allowed counts as a use of it: otherwise any host could use up anybody's grants.
    function _judgeAccess(Record calldata record) private returns (uint8) {
        uint16 reason = POLICY.checkAccess(
            AccessRequest({
                dataId: record.dataId,
                grantId: record.grantId,
                requester: record.requester,
                operationId: record.operationId,
                hostId: record.hostId,
                vmmHash: record.vmmHash,
                timestamp: record.timestamp,
                asOf: record.policyBlock
            })
        );
        if (reason == Reason.GRANT_EXHAUSTED) return Verdict.GRANT_OVERUSED;
        if (reason >= Reason.DATA_UNKNOWN) return Verdict.GRANT_INVALID;
        if (reason == Reason.DONE && record.grantId != 0 && !POLICY.consume(record.grantId)) {
            return Verdict.GRANT_OVERUSED;
        }
        return 0;
    }
}
