// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogModel} from "./LogModel.sol";
import {Record, Records} from "../support/Records.sol";
import {Vm} from "../support/Vm.sol";
import {MerkleTree} from "../../src/MerkleTree.sol";
import {IAuditLog} from "../../src/interfaces/IAuditLog.sol";
import {
    BatchHeader,
    BatchMode,
    Fraud,
    HostStatus,
    LeafProof,
    Quote,
    ReceiptGroup,
    RecordBody,
    RecordContext,
    SignedReceiptGroup
} from "../../src/interfaces/Types.sol";

/// @title What the fuzzer does to the log and its model.
/// @notice Each action makes one call, right or wrong as its seed has it, and foretells whether it is taken.
contract LogActions is LogModel {
    /// @dev A batch on its way.
    struct Draft {
        uint256 n;
        Record[] records;
        BatchHeader header;
        State state;
        bytes32 quoted;
        Quote quote;
        address sender;
        bool isTaken;
    }

    function pass(uint256 seed) external {
        _block += 1 + uint64(seed % 20);
        _time += uint64(seed >> 64) % 200;
    }

    // -------------------------------------------------------------------------
    // Batches
    // -------------------------------------------------------------------------

    function commit(uint256 seed) external inTime {
        Draft memory draft = _draft(uint256(keccak256(abi.encode(seed))));
        (RecordContext[] memory contexts, RecordBody[] memory bodies) = Records.split(draft.records);
        uint256 flaw = (seed >> 200) % 24;
        if (flaw == 0) bodies[0].dataHash = keccak256("altered");
        else if (flaw == 1) bodies[0].context = uint16(contexts.length);
        else if (flaw == 2) bodies = new RecordBody[](bodies.length + 1);
        bool isTaken = draft.isTaken && flaw > 2;
        bytes memory data = abi.encodeCall(log.commit, (draft.header, contexts, bodies, draft.quote));
        VM.recordLogs();
        if (!calls("commit", draft.sender, address(log), data, isTaken)) return;
        _taken.push(Taken(draft.sender, data));
        uint8 shared = _sharedVerdict(draft.n, draft.state);
        bytes memory verdicts = _verdicts(draft.records, draft.quoted, draft.header.anchorBlock, shared);
        for (uint256 i = 0; i < verdicts.length; ++i) if (verdicts[i] == 0) reached["clean"]++;
        _append(draft, BatchMode.Records, verdicts);
    }

    function anchor(uint256 seed) external inTime {
        Draft memory draft = _draft(uint256(keccak256(abi.encode(seed))));
        bytes memory data = abi.encodeCall(log.anchor, (draft.header, draft.quote));
        VM.recordLogs();
        if (!calls("anchor", draft.sender, address(log), data, draft.isTaken)) return;
        _taken.push(Taken(draft.sender, data));
        uint8 verdict = _sharedVerdict(draft.n, draft.state) | _anchoredVerdict(draft.header, draft.quoted);
        _append(draft, BatchMode.Anchored, abi.encodePacked(verdict));
    }

    /// @notice The very same call again, at any time later.
    function replay(uint256 seed) external inTime {
        if (_taken.length == 0) return;
        Taken memory again = _taken[seed % _taken.length];
        calls("replayed", again.sender, address(log), again.data, false);
        reached["replay"]++;
    }

    // -------------------------------------------------------------------------
    // What changes the verdicts
    // -------------------------------------------------------------------------

    function suspendOrReinstate(uint256 seed) external inTime {
        bytes32 hostId = _tpms[seed % HOSTS].hostId;
        bool isActive = hosts.host(hostId).status == HostStatus.Active;
        VM.prank(REGISTRAR);
        if (isActive) hosts.suspend(hostId);
        else hosts.reinstate(hostId);
        reached["suspend"]++;
    }

    function revoke(uint256 seed) external inTime {
        if (seed % 4 != 0) return; // or little would stay allowed
        bytes32 id = _grants[1 + ((seed >> 8) % GRANTS)].id;
        (, , , uint64 revokedAt, ) = policy.grantOf(id);
        if (revokedAt != 0) return;
        VM.prank(OWNER);
        policy.revoke(id);
        reached["revoke"]++;
    }

    // -------------------------------------------------------------------------
    // Fraud: receipts for what the host logged, as it logged it or not
    // -------------------------------------------------------------------------

    function proveOmission(uint256 seed) external inTime {
        uint256 n = seed % HOSTS;
        uint64 next = uint64(_logs[n].leaves.length);
        uint64 first = next + (uint64(seed >> 8) % 4) - (next < 2 ? 0 : 2);
        uint64 includeBy = _block - 1 + (uint64(seed >> 16) % 3);
        ReceiptGroup memory group = ReceiptGroup(_tpms[n].hostId, 0, first, uint32(seed >> 24) % 4, includeBy);
        SignedReceiptGroup memory receipt = _signed(n, group);
        uint64 seq = first > next ? first : next;
        bytes32 proof = _proofHash(Fraud.Omission, n, seq, _digest(group), 0);
        bool isTaken = _block > includeBy && seq < first + group.count && !_proven[proof];
        bytes memory data = abi.encodeCall(log.proveOmission, (group, receipt.signature));
        if (calls("proveOmission", address(this), address(log), data, isTaken)) _marks(n, proof);
    }

    function proveEquivocation(uint256 seed) external inTime {
        uint256 n = seed % HOSTS;
        if (_logs[n].leaves.length == 0) return;
        uint64 seq = uint64(seed >> 8) % uint64(_logs[n].leaves.length);
        (SignedReceiptGroup memory a, LeafProof memory inA) = _receipt(n, seq, 0, seed >> 32);
        (SignedReceiptGroup memory b, LeafProof memory inB) = _receipt(n, seq, (seed >> 72) % 3, seed >> 80);
        (bytes32 low, bytes32 high) = (_digest(a.group), _digest(b.group));
        if (low > high) (low, high) = (high, low);
        bytes32 proof = _proofHash(Fraud.Equivocation, n, seq, low, high);
        bytes memory data = abi.encodeCall(log.proveEquivocation, (a, b, seq, inA, inB));
        bool isTaken = inA.leaf != inB.leaf && !_proven[proof];
        if (calls("proveEquivocation", address(this), address(log), data, isTaken)) _marks(n, proof);
    }

    function proveContradiction(uint256 seed) external inTime {
        uint256 n = seed % HOSTS;
        if (_logs[n].headers.length == 0) return;
        uint32 batch = uint32((seed >> 8) % _logs[n].headers.length);
        BatchHeader memory header = _logs[n].headers[batch];
        uint64 seq = header.firstSeq + (uint64(seed >> 40) % header.count);
        (SignedReceiptGroup memory receipt, LeafProof memory proof) = _receipt(n, seq, (seed >> 72) % 3, seed >> 80);
        bytes32 hash = _proofHash(Fraud.Contradiction, n, seq, _digest(receipt.group), Records.hashOf(header));
        bool isTaken = proof.leaf != _logs[n].leaves[seq] && !_proven[hash];
        bytes memory data = _contradiction(n, batch, seq, receipt, proof);
        if (calls("proveContradiction", address(this), address(log), data, isTaken)) _marks(n, hash);
    }

    function _contradiction(
        uint256 n,
        uint32 batch,
        uint64 seq,
        SignedReceiptGroup memory receipt,
        LeafProof memory inReceipt
    ) private view returns (bytes memory) {
        BatchHeader memory header = _logs[n].headers[batch];
        (LeafProof memory inBatch, ) = _proofAndRoot(n, header.firstSeq, header.firstSeq + header.count, seq, 0);
        bytes32[] memory batchPath = _batchPath(n, batch);
        return abi.encodeCall(log.proveContradiction, (receipt, seq, inReceipt, header, batch, batchPath, inBatch));
    }

    // -------------------------------------------------------------------------
    // Drawing batches
    // -------------------------------------------------------------------------

    function _draft(uint256 dice) private returns (Draft memory draft) {
        uint256 n = dice % HOSTS;
        draft.n = n;
        draft.records = _records(n, dice >> 8);
        draft.state = State({
            nvCounter: _logs[n].last.nvCounter + 1 - ((dice >> 40) % 8 == 0 ? 1 : 0),
            resetCount: tpmState.resetCount,
            restartCount: tpmState.restartCount,
            clockMs: 0
        });
        draft.header = BatchHeader({
            hostId: _tpms[n].hostId,
            firstSeq: uint64(_logs[n].leaves.length),
            count: uint32(draft.records.length),
            root: Records.rootOf(draft.records),
            prevHead: _logs[n].head,
            anchorBlock: _block - 1 - (uint64(dice >> 48) % 3),
            nvCounter: draft.state.nvCounter
        });
        draft.sender = _tpms[n].ledgerAddress;
        draft.isTaken = true;
        _spoilHeader(draft, (dice >> 56) % 32);
        _quote(draft, dice >> 64);
    }

    function _spoilHeader(Draft memory draft, uint256 flaw) private view {
        if (flaw > 4) return;
        draft.isTaken = false;
        if (flaw == 0) draft.sender = _tpms[1 - draft.n].ledgerAddress;
        else if (flaw == 1) draft.header.firstSeq += 1;
        else if (flaw == 2) draft.header.prevHead = keccak256("another");
        else if (flaw == 3) draft.header.anchorBlock = _block;
        else draft.header.anchorBlock = _block - 257;
    }

    /// @dev Mostly for this header; otherwise for another purpose, contract, host, chain or payload, or by another key.
    function _quote(Draft memory draft, uint256 dice) private {
        uint256 vmm =
            dice % 8 < 5
                ? 0
                : dice % 8 < 7
                    ? 1
                    : 2;
        tpmState.pcrDigest = bytes32(vmm);
        if ((dice >> 8) % 8 == 0) tpmState.clockMs -= 150;
        if ((dice >> 16) % 16 == 0) (tpmState.restartCount, tpmState.clockMs) = (tpmState.restartCount + 1, 5000);
        if ((dice >> 24) % 16 == 0) (tpmState.resetCount, tpmState.restartCount) = (tpmState.resetCount + 1, 0);
        Tpm memory tpm = _tpms[draft.n];
        uint256 flaw = (dice >> 32) % 48;
        if (flaw < 6) draft.isTaken = false;
        bytes32 purpose = flaw == 0 ? VMM : COMMIT;
        address contract_ = flaw == 1 ? address(vmms) : address(log);
        bytes32 payload = flaw == 2 ? keccak256("another") : Records.hashOf(draft.header);
        if (flaw == 3) tpm.hostId = _tpms[1 - draft.n].hostId;
        if (flaw == 4) tpm.akKey = 666;
        if (flaw == 5) VM.chainId(1);
        draft.quote = makeQuoteAt(tpm, purpose, contract_, payload, draft.header.anchorBlock);
        if (flaw == 5) VM.chainId(31337);
        draft.quoted = vmmHashNow();
        draft.state.resetCount = tpmState.resetCount;
        draft.state.restartCount = tpmState.restartCount;
        draft.state.clockMs = tpmState.clockMs;
    }

    /// @dev Half of the batches are of one grant.
    function _records(uint256 n, uint256 dice) private view returns (Record[] memory records) {
        records = new Record[](1 + (dice % 4));
        for (uint256 i = 0; i < records.length; ++i) {
            uint256 throw_ = uint256(keccak256(abi.encode(dice, i)));
            uint256 grant_ = (dice >> 8) % 2 == 0 ? (dice >> 16) % (GRANTS + 1) : throw_ % (GRANTS + 1);
            records[i] = Record({
                hostId: _tpms[n].hostId,
                seq: uint64(_logs[n].leaves.length + i),
                vmmHash: _vmmHashes[
                    (throw_ >> 8) % 16 < 12
                        ? 0
                        : ((throw_ >> 8) % 16) - 12 < 3
                            ? 1
                            : 2
                ],
                operationId: "operation",
                requester: (throw_ >> 16) % 16 == 0
                    ? address(0xbad)
                    : grant_ == 0
                        ? OWNER
                        : _grants[grant_].grantee,
                requestHash: bytes32(throw_),
                dataId: (throw_ >> 24) % 32 == 0 ? keccak256("unknown") : _dataId,
                grantId: _grants[grant_].id,
                policyBlock: _policyBlock(throw_ >> 32),
                dataHash: "data",
                resultHash: "result",
                status: (throw_ >> 48) % 8 == 0 ? 12 : 0,
                timestamp: (throw_ >> 56) % 16 == 0 ? _time - 3700 + (uint64(throw_ >> 64) % 7400) : _time
            });
        }
    }

    /// @dev Mostly the last block; now and then this one, one around the oldest that count, or any since long before the hosts.
    function _policyBlock(uint256 dice) private view returns (uint64) {
        uint256 choice = dice % 32;
        if (choice < 2) return _block;
        if (choice < 4) return _block - 255 - uint64((dice >> 8) % 8);
        if (choice < 6) return uint64((dice >> 8) % _block);
        return _block - 1 - (choice < 10 ? 2 : 0);
    }

    // -------------------------------------------------------------------------
    // Appending to the model
    // -------------------------------------------------------------------------

    function _append(Draft memory draft, BatchMode mode, bytes memory verdicts) private {
        LogState storage model = _logs[draft.n];
        model.headers.push(draft.header);
        model.head = Records.headAfter(draft.header);
        model.last = draft.state;
        for (uint256 i = 0; i < draft.records.length; ++i) model.leaves.push(Records.leafOf(draft.records[i]));
        bytes memory data = abi.encode(
            mode,
            draft.header.count,
            draft.header.root,
            model.head,
            draft.quoted,
            draft.header.nvCounter,
            verdicts
        );
        Vm.Log[] memory logs = VM.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        if (last.topics[0] != IAuditLog.BatchCommitted.selector || last.topics[1] != draft.header.hostId) {
            differs("another event");
        } else if (uint256(last.topics[2]) != draft.header.firstSeq || keccak256(last.data) != keccak256(data)) {
            differs("another verdict");
        }
    }

    // -------------------------------------------------------------------------
    // Receipts
    // -------------------------------------------------------------------------

    /// @dev Over up to three logged records around one, which is not as it was logged where `change` is 1.
    function _receipt(
        uint256 n,
        uint64 seq,
        uint256 change,
        uint256 dice
    ) private view returns (SignedReceiptGroup memory receipt, LeafProof memory proof) {
        uint64 first = seq == 0 ? 0 : seq - uint64(dice % 2);
        uint64 end = seq + 1 < _logs[n].leaves.length ? seq + 1 + uint64((dice >> 8) % 2) : seq + 1;
        bytes32 altered = change == 1 ? keccak256(abi.encode("altered", dice)) : bytes32(0);
        bytes32 root;
        (proof, root) = _proofAndRoot(n, first, end, seq, altered);
        ReceiptGroup memory group = ReceiptGroup(_tpms[n].hostId, root, first, uint32(end - first), _block);
        return (_signed(n, group), proof);
    }

    function _proofAndRoot(
        uint256 n,
        uint64 first,
        uint64 end,
        uint64 seq,
        bytes32 altered
    ) private view returns (LeafProof memory, bytes32 root) {
        bytes32[] memory leaves = new bytes32[](end - first);
        for (uint64 i = first; i < end; ++i) leaves[i - first] = _logs[n].leaves[i];
        if (altered != 0) leaves[seq - first] = altered;
        bytes32[] memory path = Records.path(leaves, seq - first);
        // The root of a tree is built in place of its leaves.
        bytes32 leaf = leaves[seq - first];
        return (LeafProof(leaf, path), MerkleTree.rootOf(leaves));
    }

    function _batchPath(uint256 n, uint32 batch) private view returns (bytes32[] memory) {
        BatchHeader[] storage headers = _logs[n].headers;
        bytes32[] memory leaves = new bytes32[](headers.length);
        for (uint256 i = 0; i < headers.length; ++i) leaves[i] = Records.batchLeafOf(headers[i]);
        return Records.pathToPeak(leaves, batch);
    }

    function _signed(uint256 n, ReceiptGroup memory group) private view returns (SignedReceiptGroup memory) {
        return SignedReceiptGroup(group, signedBy(_tpms[n].ledgerKey, _digest(group)));
    }

    function _digest(ReceiptGroup memory group) private view returns (bytes32) {
        return typedDigest(address(log), Records.hashOf(group));
    }

    function _proofHash(Fraud fraud, uint256 n, uint64 seq, bytes32 a, bytes32 b) private view returns (bytes32) {
        return keccak256(abi.encode(fraud, _tpms[n].hostId, seq, a, b));
    }

    function _marks(uint256 n, bytes32 proof) private {
        _proven[proof] = true;
        _logs[n].lastProof = proof;
    }
}
