// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {MountainRange} from "./MountainRange.sol";
import {Reason} from "./Reason.sol";
import {TpmQuote} from "./TpmQuote.sol";
import {Verdict} from "./Verdict.sol";
import {IAccessPolicy} from "./interfaces/IAccessPolicy.sol";
import {IAuditLog} from "./interfaces/IAuditLog.sol";
import {IHostRegistry} from "./interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "./interfaces/IVmmRegistry.sol";
import {
    AccessRequest,
    Assurance,
    BatchHeader,
    BatchMode,
    Fraud,
    HostStatus,
    LeafProof,
    Quote,
    ReceiptGroup,
    RecordBody,
    RecordContext,
    SignedReceiptGroup,
    VmmStatus
} from "./interfaces/Types.sol";

/// @title The log. See IAuditLog.
/// @dev The EIP-712 domain is the one under which customers sign requests and hosts sign receipts.
contract AuditLog is IAuditLog, EIP712 {
    using MountainRange for mapping(uint8 height => bytes32);

    /// @dev One slot: where a host's log ends, and the TPM's state in its last batch.
    struct Position {
        uint48 nextSeq;
        uint32 batches;
        uint64 nvCounter;
        uint32 resetCount;
        uint32 restartCount;
        uint48 clockMs;
    }

    /// @dev What the registries and the policy say of a context. The policy is asked at the first record that says done.
    /// @param words What is hashed of a record, in EIP-712's order, with what all of the context's records share filled in.
    /// @param verdict What speaks against all of its records.
    /// @param validUntil The VMM's end of validity.
    /// @param isCounted Whether what its records do are uses of their grant.
    /// @param isAsked Whether the policy was; the three below are its answer.
    /// @param wanted How many uses its records claim; when they are counted, how many of them are too many.
    struct Standing {
        bytes32[14] words;
        uint8 verdict;
        Assurance assurance;
        uint64 validUntil;
        bool isCounted;
        bool isAsked;
        bool isGranted;
        uint64 notBefore;
        uint64 notAfter;
        uint64 wanted;
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

    bytes32 private constant GROUP_TYPEHASH = keccak256(
        "ReceiptGroup(bytes32 hostId,bytes32 groupRoot,uint64 firstSeq,uint32 count,uint64 includeBy)"
    );

    uint256 private constant TIMESTAMP_TOLERANCE_S = 3600;

    /// @dev In blocks before the batch's anchor, and as far as an anchor reaches. Without an end to it a host would choose the block at
    /// which it was still active, its VMM authorised and the grant not revoked.
    uint256 private constant MAX_POLICY_AGE = 256;

    IHostRegistry private immutable HOSTS;
    IVmmRegistry private immutable VMMS;
    IAccessPolicy private immutable POLICY;

    // What light clients prove stands in these slots, in this order (docs/formats.md, "Storage").
    mapping(bytes32 hostId => bytes32) public override head;
    mapping(bytes32 hostId => Position) private _positions;
    mapping(bytes32 hostId => mapping(uint8 height => bytes32)) private _peaks;
    mapping(bytes32 hostId => bytes32 proofHash) public override fraudOf;
    mapping(bytes32 proofHash => bool) public override isProven;

    constructor(IHostRegistry hosts, IVmmRegistry vmms, IAccessPolicy policy) EIP712("Attestry", "1") {
        HOSTS = hosts;
        VMMS = vmms;
        POLICY = policy;
    }

    // -------------------------------------------------------------------------
    // Commit
    // -------------------------------------------------------------------------

    /// @inheritdoc IAuditLog
    function commit(
        BatchHeader calldata header,
        RecordContext[] calldata contexts,
        RecordBody[] calldata bodies,
        Quote calldata quote
    ) external {
        (bytes32 vmmHash, uint8 shared) = _append(header, quote);
        require(bodies.length == header.count, CountIs(bodies.length));
        Standing[] memory standings = new Standing[](contexts.length);
        for (uint256 c = 0; c < contexts.length; ++c) {
            _stand(standings[c], header, contexts[c], vmmHash, shared);
        }
        bytes memory verdicts = _judge(header, contexts, bodies, standings);
        _countUses(contexts, bodies, standings, verdicts);
        _announce(header, BatchMode.Records, vmmHash, verdicts);
    }

    /// @inheritdoc IAuditLog
    function anchor(BatchHeader calldata header, Quote calldata quote) external {
        (bytes32 vmmHash, uint8 verdict) = _append(header, quote);
        (HostStatus status, ) = HOSTS.standingAt(header.hostId, header.anchorBlock);
        if (status != HostStatus.Active) verdict |= Verdict.HOST_NOT_ACTIVE;
        if (!_isAuthorised(vmmHash, header.anchorBlock)) verdict |= Verdict.VMM_UNKNOWN;
        _announce(header, BatchMode.Anchored, vmmHash, abi.encodePacked(verdict));
    }

    // -------------------------------------------------------------------------
    // Fraud proofs
    // -------------------------------------------------------------------------

    /// @inheritdoc IAuditLog
    function proveOmission(ReceiptGroup calldata group, bytes calldata signature) external {
        bytes32 digest = _requireSigned(group, signature);
        require(block.number > group.includeBy, DeadlineAhead(group.includeBy));
        uint64 next = _positions[group.hostId].nextSeq;
        uint64 seq = uint64(Math.max(next, group.firstSeq));
        require(seq < uint256(group.firstSeq) + group.count, NothingOmitted(next));
        _mark(group.hostId, Fraud.Omission, seq, digest, 0);
    }

    /// @inheritdoc IAuditLog
    function proveEquivocation(
        SignedReceiptGroup calldata a,
        SignedReceiptGroup calldata b,
        uint64 seq,
        LeafProof calldata inA,
        LeafProof calldata inB
    ) external {
        bytes32 hostId = a.group.hostId;
        require(b.group.hostId == hostId, OtherHost(b.group.hostId));
        bytes32 digestA = _requireSigned(a.group, a.signature);
        bytes32 digestB = _requireSigned(b.group, b.signature);
        _requireInGroup(a.group, seq, inA);
        _requireInGroup(b.group, seq, inB);
        require(inA.leaf != inB.leaf, NoContradiction());
        if (digestA > digestB) (digestA, digestB) = (digestB, digestA);
        _mark(hostId, Fraud.Equivocation, seq, digestA, digestB);
    }

    /// @inheritdoc IAuditLog
    function proveContradiction(
        SignedReceiptGroup calldata receipt,
        uint64 seq,
        LeafProof calldata inReceipt,
        BatchHeader calldata header,
        uint32 batchIndex,
        bytes32[] calldata batchPath,
        LeafProof calldata inBatch
    ) external {
        bytes32 hostId = receipt.group.hostId;
        require(header.hostId == hostId, OtherHost(header.hostId));
        bytes32 digest = _requireSigned(receipt.group, receipt.signature);
        _requireInGroup(receipt.group, seq, inReceipt);
        bytes32 headerHash = _hashOf(header);
        require(
            _peaks[hostId].isIncluded(_positions[hostId].batches, batchIndex, MerkleTree.leafOf(headerHash), batchPath),
            BatchNotInLog()
        );
        require(seq >= header.firstSeq, SeqOutside(seq));
        require(
            MerkleTree.isIncluded(header.root, inBatch.leaf, seq - header.firstSeq, header.count, inBatch.path),
            LeafNotInBatch()
        );
        require(inReceipt.leaf != inBatch.leaf, NoContradiction());
        _mark(hostId, Fraud.Contradiction, seq, digest, headerHash);
    }

    // -------------------------------------------------------------------------
    // Views
    // -------------------------------------------------------------------------

    /// @inheritdoc IAuditLog
    function nextSeq(bytes32 hostId) external view returns (uint64) {
        return _positions[hostId].nextSeq;
    }

    /// @inheritdoc IAuditLog
    function batches(bytes32 hostId) external view returns (uint32) {
        return _positions[hostId].batches;
    }

    /// @inheritdoc IAuditLog
    function peak(bytes32 hostId, uint8 height) external view returns (bytes32) {
        return _peaks[hostId][height];
    }

    /// @inheritdoc IAuditLog
    function clock(
        bytes32 hostId
    ) external view returns (uint64 nvCounter, uint32 resetCount, uint32 restartCount, uint64 clockMs) {
        Position memory last = _positions[hostId];
        return (last.nvCounter, last.resetCount, last.restartCount, last.clockMs);
    }

    // -------------------------------------------------------------------------
    // Appending
    // -------------------------------------------------------------------------

    /// @dev The batch is authentic and next, or nothing happens.
    /// @return vmmHash What the quote shows.
    /// @return verdict What speaks against the whole batch: whether the TPM's clock and counter went forward.
    function _append(BatchHeader calldata header, Quote calldata quote) private returns (bytes32, uint8 verdict) {
        bytes32 hostId = header.hostId;
        (HostStatus status, bytes32 akQualifiedName, bool maySpeak) = HOSTS.attester(hostId, msg.sender);
        require(status != HostStatus.None, HostUnknown(hostId));
        require(maySpeak, NotHost(msg.sender));
        Position memory last = _positions[hostId];
        require(header.firstSeq == last.nextSeq, NotNext(last.nextSeq, header.firstSeq));
        bytes32 prevHead = head[hostId];
        require(header.prevHead == prevHead, HeadIs(prevHead));
        require(header.count > 0, BatchEmpty());
        uint256 next = uint256(header.firstSeq) + header.count;
        require(next <= type(uint48).max, SeqTooLarge(header.firstSeq));

        bytes32 headerHash = _hashOf(header);
        TpmQuote.Attested memory attested = TpmQuote.verify(
            quote,
            akQualifiedName,
            TpmQuote.qualifyingData(PURPOSE, hostId, headerHash, header.anchorBlock)
        );
        Position memory position = Position({
            nextSeq: uint48(next),
            batches: last.batches + 1,
            nvCounter: header.nvCounter,
            resetCount: attested.resetCount,
            restartCount: attested.restartCount,
            clockMs: uint48(Math.min(attested.clockMs, type(uint48).max))
        });
        _positions[hostId] = position;
        head[hostId] = keccak256(abi.encodePacked(prevHead, headerHash));
        _peaks[hostId].append(last.batches, MerkleTree.leafOf(headerHash));
        if (last.batches > 0) {
            if (_order(position) <= _order(last)) verdict |= Verdict.CLOCK_NOT_FORWARD;
            if (position.nvCounter <= last.nvCounter) verdict |= Verdict.NV_NOT_FORWARD;
        }
        return (attested.vmmHash, verdict);
    }

    /// @dev A number that compares as (resetCount, restartCount, clock) does.
    function _order(Position memory p) private pure returns (uint256) {
        return (uint256(p.resetCount) << 96) | (uint256(p.restartCount) << 64) | p.clockMs;
    }

    function _announce(BatchHeader calldata header, BatchMode mode, bytes32 vmmHash, bytes memory verdicts) private {
        emit BatchCommitted({
            hostId: header.hostId,
            firstSeq: header.firstSeq,
            mode: mode,
            count: header.count,
            root: header.root,
            head: head[header.hostId],
            vmmHash: vmmHash,
            nvCounter: header.nvCounter,
            verdicts: verdicts
        });
    }

    function _hashOf(BatchHeader calldata header) private pure returns (bytes32) {
        return keccak256(abi.encode(HEADER_TYPEHASH, header));
    }

    // -------------------------------------------------------------------------
    // Judging
    // -------------------------------------------------------------------------

    /// @dev What a context has for all of its records. It only names a VMM: where the quote shows another, as after an honest update,
    /// its uses count if that one is authorised too. Otherwise any code could use up anybody's grants.
    function _stand(
        Standing memory standing,
        BatchHeader calldata header,
        RecordContext calldata context,
        bytes32 provenVmmHash,
        uint8 verdict
    ) private view {
        bytes32 hostId = header.hostId;
        bool isProven_ = context.vmmHash == provenVmmHash;
        bool isStale = uint256(context.policyBlock) + MAX_POLICY_AGE < header.anchorBlock;
        standing.isCounted = !isStale && (isProven_ || _isAuthorised(provenVmmHash, header.anchorBlock));
        HostStatus status;
        (status, standing.assurance) = HOSTS.standingAt(hostId, context.policyBlock);
        VmmStatus vmm;
        (vmm, standing.validUntil) = VMMS.standingAt(context.vmmHash, context.policyBlock);
        if (status != HostStatus.Active) verdict |= Verdict.HOST_NOT_ACTIVE;
        if (vmm != VmmStatus.Authorised) verdict |= Verdict.VMM_UNKNOWN;
        if (!isProven_) verdict |= Verdict.VMM_UNPROVEN;
        if (isStale || context.policyBlock >= block.number) verdict |= Verdict.TIMESTAMP_FAR;
        standing.verdict = verdict;
        bytes32[14] memory words = standing.words;
        words[0] = RECORD_TYPEHASH;
        words[1] = hostId;
        words[3] = context.vmmHash;
        words[4] = context.operationId;
        words[5] = bytes32(uint256(uint160(context.requester)));
        words[7] = context.dataId;
        words[8] = context.grantId;
        words[9] = bytes32(uint256(context.policyBlock));
    }

    /// @dev Whether what a batch's quote shows was authorised at its anchor, and its validity is not over.
    function _isAuthorised(bytes32 provenVmmHash, uint64 anchorBlock) private view returns (bool) {
        (VmmStatus status, uint64 validUntil) = VMMS.standingAt(provenVmmHash, anchorBlock);
        return status == VmmStatus.Authorised && block.timestamp <= validUntil;
    }

    /// @dev Goes over the records once: hashes each as the EIP-712 struct `Record`, and judges it. Requires the header's root of them.
    function _judge(
        BatchHeader calldata header,
        RecordContext[] calldata contexts,
        RecordBody[] calldata bodies,
        Standing[] memory standings
    ) private view returns (bytes memory verdicts) {
        bytes32[] memory leaves = new bytes32[](bodies.length);
        verdicts = new bytes(bodies.length);
        for (uint256 i = 0; i < bodies.length; ++i) {
            RecordBody calldata body = bodies[i];
            uint256 c = body.context;
            require(c < standings.length, ContextMissing(c));
            Standing memory standing = standings[c];
            leaves[i] = _leafOf(standing.words, header.firstSeq + i, body);
            verdicts[i] = bytes1(_judgeRecord(header.hostId, contexts[c], body, standing));
        }
        bytes32 root = MerkleTree.rootOf(leaves);
        require(root == header.root, RootIs(root));
    }

    function _leafOf(bytes32[14] memory words, uint256 seq, RecordBody calldata body) private pure returns (bytes32) {
        words[2] = bytes32(seq);
        words[6] = body.requestHash;
        words[10] = body.dataHash;
        words[11] = body.resultHash;
        words[12] = bytes32(uint256(body.status));
        words[13] = bytes32(uint256(body.timestamp));
        bytes32 structHash;
        // abi.encode would leave 480 bytes behind for each record, and memory costs by its square.
        assembly ("memory-safe") {
            structHash := keccak256(words, 448)
        }
        return MerkleTree.leafOf(structHash);
    }

    /// @dev Has the policy count each context's uses, in their order; those that are too many are its last records.
    function _countUses(
        RecordContext[] calldata contexts,
        RecordBody[] calldata bodies,
        Standing[] memory standings,
        bytes memory verdicts
    ) private {
        uint256 excess = 0;
        for (uint256 c = 0; c < contexts.length; ++c) {
            Standing memory standing = standings[c];
            if (standing.wanted == 0) continue;
            standing.wanted -= POLICY.consume(contexts[c].grantId, standing.wanted);
            excess += standing.wanted;
        }
        // Once over the records for all contexts together: a host may make as many contexts as records.
        for (uint256 i = bodies.length; excess > 0; --i) {
            RecordBody calldata body = bodies[i - 1];
            Standing memory standing = standings[body.context];
            if (standing.wanted == 0 || !_isUse(body.status, uint8(verdicts[i - 1]))) continue;
            verdicts[i - 1] |= bytes1(Verdict.GRANT_OVERUSED);
            --standing.wanted;
            --excess;
        }
    }

    function _judgeRecord(
        bytes32 hostId,
        RecordContext calldata context,
        RecordBody calldata body,
        Standing memory standing
    ) private view returns (uint8 verdict) {
        verdict = standing.verdict;
        uint256 timestamp = body.timestamp;
        if (timestamp > standing.validUntil) verdict |= Verdict.VMM_UNKNOWN;
        if (
            timestamp + TIMESTAMP_TOLERANCE_S < block.timestamp || timestamp > block.timestamp + TIMESTAMP_TOLERANCE_S
        ) {
            verdict |= Verdict.TIMESTAMP_FAR;
        }
        if (!_isUse(body.status, verdict)) return verdict;
        if (!standing.isAsked) _ask(hostId, context, standing);
        if (!standing.isGranted || timestamp < standing.notBefore || timestamp > standing.notAfter) {
            return verdict | Verdict.GRANT_INVALID;
        }
        if (standing.isCounted && context.grantId != 0) ++standing.wanted;
    }

    function _ask(bytes32 hostId, RecordContext calldata context, Standing memory standing) private view {
        standing.isAsked = true;
        uint16 reason;
        (reason, standing.notBefore, standing.notAfter) = POLICY.grantWindow(
            AccessRequest({
                dataId: context.dataId,
                grantId: context.grantId,
                requester: context.requester,
                operationId: context.operationId,
                hostId: hostId,
                vmmHash: context.vmmHash,
                timestamp: 0,
                asOf: context.policyBlock
            }),
            standing.assurance
        );
        standing.isGranted = reason == Reason.DONE;
    }

    /// @dev Only an access that everything allowed counts as a use of a grant: otherwise any host could use up anybody's grants.
    function _isUse(uint16 status, uint8 verdict) private pure returns (bool) {
        uint8 against = Verdict.HOST_NOT_ACTIVE | Verdict.VMM_UNKNOWN | Verdict.GRANT_INVALID;
        return status == Reason.DONE && verdict & against == 0;
    }

    // -------------------------------------------------------------------------
    // Fraud
    // -------------------------------------------------------------------------

    /// @dev Signed by an address that speaks, or once spoke, for the group's host: a key stays answerable for what it signed.
    /// @return digest The group's EIP-712 digest.
    function _requireSigned(
        ReceiptGroup calldata group,
        bytes calldata signature
    ) private view returns (bytes32 digest) {
        digest = _hashTypedDataV4(keccak256(abi.encode(GROUP_TYPEHASH, group)));
        (address signer, ECDSA.RecoverError fault, ) = ECDSA.tryRecover(digest, signature);
        require(
            fault == ECDSA.RecoverError.NoError && group.hostId != 0 && HOSTS.hostOf(signer) == group.hostId,
            ReceiptSignatureInvalid()
        );
    }

    function _requireInGroup(ReceiptGroup calldata group, uint64 seq, LeafProof calldata proof) private pure {
        require(seq >= group.firstSeq, SeqOutside(seq));
        require(
            MerkleTree.isIncluded(group.groupRoot, proof.leaf, seq - group.firstSeq, group.count, proof.path),
            LeafNotInGroup()
        );
    }

    function _mark(bytes32 hostId, Fraud fraud, uint64 seq, bytes32 digestA, bytes32 digestB) private {
        bytes32 proofHash = keccak256(abi.encode(fraud, hostId, seq, digestA, digestB));
        require(!isProven[proofHash], AlreadyProven(proofHash));
        isProven[proofHash] = true;
        fraudOf[hostId] = proofHash;
        emit FraudProven(hostId, fraud, seq, proofHash, msg.sender);
    }
}
