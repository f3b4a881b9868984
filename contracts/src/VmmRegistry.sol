// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Decisions} from "./Decisions.sol";
import {History} from "./History.sol";
import {TpmQuote} from "./TpmQuote.sol";
import {IApprovers} from "./interfaces/IApprovers.sol";
import {IHostRegistry} from "./interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "./interfaces/IVmmRegistry.sol";
import {HostStatus, Quote, SignedApproval, Vmm, VmmStatus} from "./interfaces/Types.sol";

/// @title The measurements, and those who authorise them. See IVmmRegistry.
contract VmmRegistry is IVmmRegistry, Decisions {
    using History for Checkpoints.Trace208;

    /// @dev Two slots; the first answers `standingAt`.
    /// @param quotesFrom The block in which the last quote of this VMM was accepted or the epoch began: an older quote proves nothing.
    /// 48 bits hold any block, as in Checkpoints.
    struct Entry {
        VmmStatus status;
        bool isProven;
        uint32 epoch;
        uint64 since;
        uint64 validUntil;
        uint48 quotesFrom;
        bytes32 manifestHash;
    }

    bytes32 private constant PURPOSE = keccak256("attestry/quote/vmm");
    bytes32 private constant APPROVAL_TYPEHASH = keccak256(
        "VmmApproval(bytes32 vmmHash,uint32 epoch,bytes32 manifestHash,uint64 validUntil,address approver,uint32 term,"
        "uint64 deadline)"
    );
    bytes32 private constant CHANGE_TYPEHASH = keccak256(
        "ApproversChange(address[] approvers,uint32 threshold,address approver,uint32 term,uint64 deadline)"
    );

    uint256 private constant MAX_APPROVERS = 64;

    IHostRegistry private immutable HOSTS;

    /// @inheritdoc IApprovers
    uint32 public override term;
    /// @inheritdoc IApprovers
    uint32 public override threshold;
    address[] private _approvers;
    mapping(uint32 term => mapping(address account => bool)) private _isApprover;
    mapping(bytes32 vmmHash => Entry) private _vmms;
    mapping(bytes32 vmmHash => Checkpoints.Trace208 standings) private _standings;

    constructor(IHostRegistry hosts, address[] memory approvers_, uint32 threshold_) {
        HOSTS = hosts;
        _requireSound(approvers_, threshold_);
        _setApprovers(approvers_, threshold_);
    }

    modifier onlyApprover() {
        require(isApprover(msg.sender), NotApprover(msg.sender));
        _;
    }

    // -------------------------------------------------------------------------
    // Proposals
    // -------------------------------------------------------------------------

    /// @inheritdoc IVmmRegistry
    function propose(
        bytes32 hostId,
        bytes32 manifestHash,
        uint64 anchorBlock,
        Quote calldata quote
    ) external returns (bytes32 vmmHash) {
        (HostStatus status, bytes32 akQualifiedName, ) = HOSTS.attester(hostId, address(0));
        require(status == HostStatus.Active, HostNotActive(hostId));
        bytes32 qualifyingData = TpmQuote.qualifyingData(PURPOSE, hostId, manifestHash, anchorBlock);
        vmmHash = TpmQuote.verify(quote, akQualifiedName, qualifyingData).vmmHash;
        bytes calldata attested = TpmQuote.quoteInfo(quote.attest);
        TpmQuote.requireMeaningful(attested);

        Entry storage v = _vmms[vmmHash];
        bool vacant = _isVacant(v);
        require(vacant || !v.isProven, VmmStatusIs(vmmHash, v.status));
        require(vacant || v.manifestHash == manifestHash, ManifestIs(v.manifestHash));
        // A quote that was accepted before is anchored before the block that accepted it.
        require(anchorBlock >= v.quotesFrom, QuoteOutdated(v.quotesFrom));
        v.quotesFrom = uint48(block.number);
        if (vacant) {
            _propose(vmmHash, hostId, manifestHash, attested);
        } else {
            v.isProven = true;
            emit VmmProven(vmmHash, hostId, v.epoch);
        }
    }

    /// @inheritdoc IVmmRegistry
    function predict(bytes calldata attested, bytes32 manifestHash) external onlyApprover returns (bytes32 vmmHash) {
        TpmQuote.requireMeaningful(attested);
        vmmHash = keccak256(attested);
        Entry storage v = _vmms[vmmHash];
        require(_isVacant(v), VmmStatusIs(vmmHash, v.status));
        v.quotesFrom = uint48(block.number);
        _propose(vmmHash, 0, manifestHash, attested);
    }

    // -------------------------------------------------------------------------
    // Decisions
    // -------------------------------------------------------------------------

    /// @inheritdoc IVmmRegistry
    function approve(
        bytes32 vmmHash,
        uint32 epoch,
        bytes32 manifestHash,
        uint64 validUntil,
        SignedApproval[] calldata approvals
    ) external {
        Entry storage v = _vmms[vmmHash];
        require(v.epoch == epoch, EpochIs(vmmHash, v.epoch));
        require(v.status == VmmStatus.Proposed, VmmStatusIs(vmmHash, v.status));
        require(v.manifestHash == manifestHash, ManifestIs(v.manifestHash));
        require(validUntil >= block.timestamp, ValidityOver(validUntil));
        if (_decide(abi.encode(APPROVAL_TYPEHASH, vmmHash, epoch, manifestHash, validUntil), approvals)) {
            _setStatus(vmmHash, VmmStatus.Authorised);
            v.validUntil = validUntil;
            emit VmmAuthorised(vmmHash, epoch, validUntil);
        }
    }

    /// @inheritdoc IVmmRegistry
    function revoke(bytes32 vmmHash) external onlyApprover {
        Entry storage v = _vmms[vmmHash];
        require(v.status == VmmStatus.Proposed || v.status == VmmStatus.Authorised, VmmStatusIs(vmmHash, v.status));
        _setStatus(vmmHash, VmmStatus.Revoked);
        emit VmmRevoked(vmmHash, msg.sender, v.epoch);
    }

    /// @inheritdoc IVmmRegistry
    function changeApprovers(
        address[] calldata newApprovers,
        uint32 newThreshold,
        uint32 term_,
        SignedApproval[] calldata approvals
    ) external {
        require(term_ == term, TermIs(term));
        _requireSound(newApprovers, newThreshold);
        // Packed, the elements of an array are still words, which is how EIP-712 hashes arrays.
        bytes32 approversHash = keccak256(abi.encodePacked(newApprovers));
        if (_decide(abi.encode(CHANGE_TYPEHASH, approversHash, newThreshold), approvals)) {
            _setApprovers(newApprovers, newThreshold);
        }
    }

    // -------------------------------------------------------------------------
    // Views
    // -------------------------------------------------------------------------

    /// @inheritdoc IApprovers
    function isApprover(address account) public view returns (bool) {
        return _isApprover[term][account];
    }

    /// @inheritdoc IVmmRegistry
    function approvers() external view returns (address[] memory) {
        return _approvers;
    }

    /// @inheritdoc IVmmRegistry
    function vmm(bytes32 vmmHash) external view returns (Vmm memory) {
        Entry storage v = _vmms[vmmHash];
        return
            Vmm({
                status: v.status,
                isProven: v.isProven,
                epoch: v.epoch,
                since: v.since,
                validUntil: v.validUntil,
                manifestHash: v.manifestHash
            });
    }

    /// @inheritdoc IVmmRegistry
    function isAuthorised(bytes32 vmmHash) external view returns (bool) {
        Entry storage v = _vmms[vmmHash];
        return v.status == VmmStatus.Authorised && block.timestamp <= v.validUntil;
    }

    /// @inheritdoc IVmmRegistry
    function standingAt(bytes32 vmmHash, uint64 asOf) external view returns (VmmStatus status, uint64 validUntil) {
        Entry storage v = _vmms[vmmHash];
        if (v.since <= asOf) return (v.status, v.validUntil);
        uint208 standing = _standings[vmmHash].valueAt(asOf);
        return (VmmStatus(uint8(standing)), uint64(standing >> 8));
    }

    // -------------------------------------------------------------------------
    // Internals
    // -------------------------------------------------------------------------

    function _deciders() internal view override returns (IApprovers) {
        return this;
    }

    /// @dev Whether a new epoch may begin.
    function _isVacant(Entry storage v) private view returns (bool) {
        VmmStatus status = v.status;
        return
            status == VmmStatus.None ||
            status == VmmStatus.Revoked ||
            (status == VmmStatus.Authorised && block.timestamp > v.validUntil);
    }

    function _propose(bytes32 vmmHash, bytes32 hostId, bytes32 manifestHash, bytes calldata attested) private {
        Entry storage v = _vmms[vmmHash];
        _setStatus(vmmHash, VmmStatus.Proposed);
        v.validUntil = 0;
        v.isProven = hostId != 0;
        v.manifestHash = manifestHash;
        emit VmmProposed(vmmHash, hostId, ++v.epoch, manifestHash, attested);
    }

    function _setStatus(bytes32 vmmHash, VmmStatus status) private {
        Entry storage v = _vmms[vmmHash];
        _standings[vmmHash].archive((uint208(v.validUntil) << 8) | uint8(v.status), v.since);
        v.status = status;
        v.since = uint64(block.number);
    }

    function _setApprovers(address[] memory newApprovers, uint32 newThreshold) private {
        uint32 newTerm = ++term;
        threshold = newThreshold;
        _approvers = newApprovers;
        for (uint256 i = 0; i < newApprovers.length; ++i) _isApprover[newTerm][newApprovers[i]] = true;
        emit ApproversChanged(newTerm, newApprovers, newThreshold);
    }

    function _requireSound(address[] memory newApprovers, uint32 newThreshold) private pure {
        uint256 count = newApprovers.length;
        require(count <= MAX_APPROVERS, TooManyApprovers(count));
        require(newThreshold > 0 && newThreshold <= count, ThresholdInvalid(count, newThreshold));
        for (uint256 i = 0; i < count; ++i) {
            require(newApprovers[i] != address(0), ApproverZero());
            for (uint256 j = 0; j < i; ++j) {
                require(newApprovers[i] != newApprovers[j], ApproverDuplicate(newApprovers[i]));
            }
        }
    }
}
