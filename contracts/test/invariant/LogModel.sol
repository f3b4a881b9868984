// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Model} from "./Model.sol";
import {Record, Records} from "../support/Records.sol";
import {MerkleTree} from "../../src/MerkleTree.sol";
import {Reason} from "../../src/Reason.sol";
import {Verdict} from "../../src/Verdict.sol";
import {
    AccessRequest,
    Assurance,
    BatchHeader,
    Grant,
    HostStatus,
    RecordContext,
    VmmStatus
} from "../../src/interfaces/Types.sol";

/// @title AuditLog beside a model that keeps every header and every leaf; what is done to both is in LogActions.
/// @notice Statuses, grants' limits and what they answer are taken from the other contracts, which have models of their own; uses
/// are counted here.
abstract contract LogModel is Model {
    /// @dev The TPM's state in a batch, as its header and its quote have it.
    struct State {
        uint64 nvCounter;
        uint32 resetCount;
        uint32 restartCount;
        uint64 clockMs;
    }

    /// @param leaves Of every record that was logged, by its number.
    struct LogState {
        BatchHeader[] headers;
        bytes32[] leaves;
        bytes32 head;
        State last;
        bytes32 lastProof;
    }

    /// @param parent Counted from 1, 0 for none.
    struct UsesModel {
        bytes32 id;
        address grantee;
        uint64 maxUses;
        uint64 uses;
        uint256 parent;
    }

    /// @dev A call that was taken.
    struct Taken {
        address sender;
        bytes data;
    }

    uint256 internal constant HOSTS = 2;
    uint256 internal constant GRANTS = 5;
    address internal constant OWNER = address(0xa);

    bytes32 internal _dataId;

    // Counted from 0.
    bytes32[] internal _vmmHashes;
    Tpm[] internal _tpms;
    LogState[] internal _logs;
    Taken[] internal _taken;

    // Counted from 1.
    UsesModel[] internal _grants;
    mapping(bytes32 grantId => uint256) internal _indexOf;
    mapping(bytes32 proofHash => bool) internal _proven;

    constructor() {
        deployAll();
        for (uint256 n = 0; n < HOSTS; ++n) {
            _tpms.push(makeTpm(n));
            enrol(_tpms[n], Assurance.Software);
            _logs.push();
        }
        for (uint256 i = 0; i < 3; ++i) {
            tpmState.pcrDigest = bytes32(i);
            _vmmHashes.push(vmmHashNow());
            if (i < 2) authorise(_tpms[0], i == 0 ? NO_END : uint64(block.timestamp + 3000));
        }
        VM.prank(OWNER);
        _dataId = policy.registerData("salt");
        // A tree, of which the leaves together may do more than their parents.
        _grants.push();
        _grant(0, address(0xb), 9);
        _grant(1, address(0xc), 6);
        _grant(1, address(0xd), 5);
        _grant(2, address(0xe), 4);
        _grant(0, address(0xf), NO_END);
        // So far that a run can reach back further than what counts.
        VM.roll(block.number + 300);
        startClock();
    }

    // -------------------------------------------------------------------------
    // Comparison
    // -------------------------------------------------------------------------

    function compareNow() internal view override {
        for (uint256 n = 0; n < HOSTS; ++n) {
            bytes32 hostId = _tpms[n].hostId;
            equal(log.nextSeq(hostId), _logs[n].leaves.length, "nextSeq");
            equal(log.batches(hostId), _logs[n].headers.length, "batches");
            equal(log.head(hostId), _logs[n].head, "head");
            equal(log.fraudOf(hostId), _logs[n].lastProof, "mark");
        }
        for (uint256 i = 1; i <= GRANTS; ++i) {
            (, , , , uint64 uses) = policy.grantOf(_grants[i].id);
            equal(uses, _grants[i].uses, "uses");
            isTrue(uses <= _grants[i].maxUses, "no more uses than allowed");
            uint256 below = 0;
            for (uint256 j = 1; j <= GRANTS; ++j) if (_grants[j].parent == i) below += _grants[j].uses;
            isTrue(below <= uses, "uses of what hangs below are its own");
        }
    }

    /// @dev The head is the fold of all headers, and the peaks are the roots over all of their leaves.
    function compareAtEnd() external view override {
        for (uint256 n = 0; n < HOSTS; ++n) {
            BatchHeader[] storage headers = _logs[n].headers;
            bytes32[] memory leaves = new bytes32[](headers.length);
            bytes32 head = 0;
            uint64 next = 0;
            for (uint256 i = 0; i < headers.length; ++i) {
                BatchHeader memory header = headers[i];
                equal(header.prevHead, head, "chained");
                equal(header.firstSeq, next, "numbered");
                (head, next) = (keccak256(bytes.concat(head, Records.hashOf(header))), next + header.count);
                leaves[i] = Records.batchLeafOf(header);
            }
            equal(log.head(_tpms[n].hostId), head, "fold");
            equal(log.nextSeq(_tpms[n].hostId), next, "count");
            _comparePeaks(_tpms[n].hostId, leaves);
        }
    }

    function _comparePeaks(bytes32 hostId, bytes32[] memory leaves) private view {
        uint256 covered = 0;
        for (uint8 height = 8; height > 0; --height) {
            uint256 width = uint256(1) << (height - 1);
            if (leaves.length & width == 0) continue;
            bytes32 root = MerkleTree.rootOf(Records.slice(leaves, covered, covered + width));
            equal(log.peak(hostId, height - 1), root, "peak");
            covered += width;
        }
        equal(covered, leaves.length, "every batch under a peak");
    }

    // -------------------------------------------------------------------------
    // What the log must find: docs/formats.md, "Verdict bits"
    // -------------------------------------------------------------------------

    /// @dev Against the batch as a whole.
    function _sharedVerdict(uint256 n, State memory state) internal view returns (uint8 verdict) {
        if (_logs[n].headers.length == 0) return 0;
        State memory last = _logs[n].last;
        bool isForward =
            state.resetCount != last.resetCount
                ? state.resetCount > last.resetCount
                : state.restartCount != last.restartCount
                    ? state.restartCount > last.restartCount
                    : state.clockMs > last.clockMs;
        if (!isForward) verdict |= Verdict.CLOCK_NOT_FORWARD;
        if (state.nvCounter <= last.nvCounter) verdict |= Verdict.NV_NOT_FORWARD;
    }

    /// @dev Against a batch whose records the log does not see.
    function _anchoredVerdict(BatchHeader memory header, bytes32 quoted) internal view returns (uint8 verdict) {
        (HostStatus status, ) = hosts.standingAt(header.hostId, header.anchorBlock);
        if (status != HostStatus.Active) verdict |= Verdict.HOST_NOT_ACTIVE;
        if (!_isAuthorised(quoted, header.anchorBlock, _time)) verdict |= Verdict.VMM_UNKNOWN;
    }

    /// @dev Against each record; counts the uses.
    function _verdicts(
        Record[] memory records,
        bytes32 quoted,
        uint64 anchorBlock,
        uint8 shared
    ) internal returns (bytes memory found) {
        found = new bytes(records.length);
        bool[] memory isUse = new bool[](records.length);
        for (uint256 i = 0; i < records.length; ++i) {
            uint8 verdict = shared | _standingVerdict(records[i], quoted, anchorBlock);
            bool isSound = verdict & (Verdict.HOST_NOT_ACTIVE | Verdict.VMM_UNKNOWN) == 0;
            if (isSound && records[i].status == Reason.DONE) {
                if (!_isAllowed(records[i])) verdict |= Verdict.GRANT_INVALID;
                else isUse[i] = records[i].grantId != 0 && _isCounted(records[i], quoted, anchorBlock);
            }
            found[i] = bytes1(verdict);
        }
        (RecordContext[] memory contexts, ) = Records.split(records);
        for (uint256 c = 0; c < contexts.length; ++c) _countUses(records, contexts[c], isUse, found);
    }

    /// @dev One context after the other, each its records in their order.
    function _countUses(
        Record[] memory records,
        RecordContext memory context,
        bool[] memory isUse,
        bytes memory found
    ) private {
        bytes32 wanted = keccak256(abi.encode(context));
        uint256 grant_ = _indexOf[context.grantId];
        for (uint256 i = 0; i < records.length; ++i) {
            Record memory r = records[i];
            bytes32 own = keccak256(
                abi.encode(r.vmmHash, r.operationId, r.requester, r.dataId, r.grantId, r.policyBlock)
            );
            if (!isUse[i] || own != wanted) continue;
            bool isLeft = true;
            for (uint256 g = grant_; g != 0; g = _grants[g].parent) {
                if (_grants[g].uses >= _grants[g].maxUses) isLeft = false;
            }
            if (!isLeft) {
                found[i] |= bytes1(Verdict.GRANT_OVERUSED);
                reached["overuse"]++;
                continue;
            }
            reached["use"]++;
            for (uint256 g = grant_; g != 0; g = _grants[g].parent) _grants[g].uses++;
        }
    }

    /// @dev Not where access was checked too long ago, nor under a claimed VMM where the quote shows one that nobody authorised.
    function _isCounted(Record memory r, bytes32 quoted, uint64 anchorBlock) private returns (bool) {
        bool isOld = _isOld(r, anchorBlock);
        bool isForeign = r.vmmHash != quoted && !_isAuthorised(quoted, anchorBlock, _time);
        if (isOld) reached["old"]++;
        else if (isForeign) reached["foreign"]++;
        else if (r.vmmHash != quoted) reached["updated"]++;
        return !isOld && !isForeign;
    }

    function _isOld(Record memory r, uint64 anchorBlock) private pure returns (bool) {
        return r.policyBlock < anchorBlock && anchorBlock - r.policyBlock > 256;
    }

    function _standingVerdict(
        Record memory r,
        bytes32 quoted,
        uint64 anchorBlock
    ) private view returns (uint8 verdict) {
        (HostStatus status, ) = hosts.standingAt(r.hostId, r.policyBlock);
        if (status != HostStatus.Active) verdict |= Verdict.HOST_NOT_ACTIVE;
        if (!_isAuthorised(r.vmmHash, r.policyBlock, r.timestamp)) verdict |= Verdict.VMM_UNKNOWN;
        if (r.vmmHash != quoted) verdict |= Verdict.VMM_UNPROVEN;
        bool isFar = r.timestamp + 3600 < _time || r.timestamp > _time + 3600 || r.policyBlock >= _block;
        if (isFar || _isOld(r, anchorBlock)) verdict |= Verdict.TIMESTAMP_FAR;
    }

    function _isAuthorised(bytes32 vmmHash, uint64 asOf, uint64 time) private view returns (bool) {
        (VmmStatus status, uint64 validUntil) = vmms.standingAt(vmmHash, asOf);
        return status == VmmStatus.Authorised && time <= validUntil;
    }

    /// @dev But for the uses.
    function _isAllowed(Record memory r) private view returns (bool) {
        uint16 reason = policy.checkAccess(
            AccessRequest({
                dataId: r.dataId,
                grantId: r.grantId,
                requester: r.requester,
                operationId: r.operationId,
                hostId: r.hostId,
                vmmHash: r.vmmHash,
                timestamp: r.timestamp,
                asOf: r.policyBlock
            })
        );
        return reason == Reason.DONE || reason == Reason.GRANT_EXHAUSTED;
    }

    // -------------------------------------------------------------------------

    function _grant(uint256 parent, address grantee, uint64 maxUses) private {
        Grant memory g = Grant({
            dataId: _dataId,
            grantee: grantee,
            operationId: 0,
            notBefore: 0,
            notAfter: parent == 0 ? uint64(block.timestamp + 5000) : uint64(block.timestamp + 4000),
            maxUses: maxUses,
            vmmHash: 0,
            hostId: 0,
            minAssurance: 0,
            delegationDepth: parent == 0
                ? 2
                : parent == 1
                    ? 1
                    : 0,
            parent: _grants[parent].id,
            salt: 0
        });
        VM.prank(parent == 0 ? OWNER : _grants[parent].grantee);
        bytes32 id = policy.grant(g);
        _indexOf[id] = _grants.length;
        _grants.push(UsesModel(id, grantee, maxUses, 0, parent));
    }
}
