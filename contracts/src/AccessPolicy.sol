// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {History} from "./History.sol";
import {Reason} from "./Reason.sol";
import {SignerCheck} from "./SignerCheck.sol";
import {IAccessPolicy} from "./interfaces/IAccessPolicy.sol";
import {IHostRegistry} from "./interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "./interfaces/IVmmRegistry.sol";
import {AccessRequest, Assurance, Grant, HostStatus, VmmStatus} from "./interfaces/Types.sol";

/// @title The permissions. See IAccessPolicy.
/// @dev A chain of delegation only narrows, and what a grant says never changes. So where an access is checked the leaf's limits
/// stand for those of all its ancestors, and of an ancestor only what happened to it is looked at: two slots.
contract AccessPolicy is IAccessPolicy, EIP712 {
    using History for Checkpoints.Trace208;

    /// @param since The block from which `owner` is.
    struct Data {
        address owner;
        uint64 since;
        address candidate;
    }

    /// @param grantedAt Block in which it was entered; 0 means that there is no such grant.
    /// @param level How many grants stand above it.
    /// @param bound Which of operation, VMM and host it names: bits.
    /// @param scope Hash of the data, and of those that it names: one slot tells whether an access is within all four.
    struct Entry {
        // What happens to it, and what of it an ancestor is asked for: one slot.
        uint48 grantedAt;
        uint48 revokedAt;
        uint64 uses;
        uint64 maxUses;
        uint8 minAssurance;
        uint8 delegationDepth;
        uint8 level;
        uint8 bound;
        bytes32 scope;
        bytes32 parent;
        address grantee;
        uint64 notBefore;
        address grantor;
        uint64 notAfter;
        bytes32 dataId;
        bytes32 operationId;
        bytes32 vmmHash;
        bytes32 hostId;
        bytes32 salt;
    }

    bytes32 private constant GRANT_TYPEHASH = keccak256(
        "Grant(bytes32 dataId,address grantee,bytes32 operationId,uint64 notBefore,uint64 notAfter,uint64 maxUses,"
        "bytes32 vmmHash,bytes32 hostId,uint8 minAssurance,uint8 delegationDepth,bytes32 parent,bytes32 salt)"
    );

    uint8 private constant OPERATION = 1 << 0;
    uint8 private constant VMM = 1 << 1;
    uint8 private constant HOST = 1 << 2;

    /// @dev Bounds every walk along a chain of delegation: each link's depth is below its parent's.
    uint8 private constant MAX_DELEGATION_DEPTH = 8;

    IHostRegistry private immutable HOSTS;
    IVmmRegistry private immutable VMMS;
    address private immutable AUDIT_LOG;

    mapping(bytes32 dataId => Data) private _data;
    mapping(bytes32 dataId => Checkpoints.Trace208 owners) private _pastOwners;
    mapping(bytes32 grantId => Entry) private _grants;
    mapping(address grantor => mapping(bytes32 grantId => bool)) private _cancelled;

    constructor(IHostRegistry hosts, IVmmRegistry vmms, address auditLog) EIP712("Attestry", "1") {
        HOSTS = hosts;
        VMMS = vmms;
        AUDIT_LOG = auditLog;
    }

    // -------------------------------------------------------------------------
    // Owners
    // -------------------------------------------------------------------------

    /// @inheritdoc IAccessPolicy
    function registerData(bytes32 salt) external returns (bytes32 dataId) {
        dataId = keccak256(abi.encode(msg.sender, salt));
        require(_data[dataId].owner == address(0), DataExists(dataId));
        _data[dataId] = Data({owner: msg.sender, since: uint64(block.number), candidate: address(0)});
        emit DataRegistered(dataId, msg.sender);
    }

    /// @inheritdoc IAccessPolicy
    function offerOwnership(bytes32 dataId, address candidate) external {
        Data storage data = _data[dataId];
        require(data.owner != address(0), DataUnknown(dataId));
        require(msg.sender == data.owner, NotOwner(msg.sender));
        data.candidate = candidate;
        emit OwnershipOffered(dataId, msg.sender, candidate);
    }

    /// @inheritdoc IAccessPolicy
    function acceptOwnership(bytes32 dataId) external {
        Data memory before = _data[dataId];
        require(before.owner != address(0), DataUnknown(dataId));
        require(msg.sender == before.candidate, NotCandidate(msg.sender));
        _pastOwners[dataId].archive(uint160(before.owner), before.since);
        _data[dataId] = Data({owner: msg.sender, since: uint64(block.number), candidate: address(0)});
        emit OwnershipAccepted(dataId, before.owner, msg.sender);
    }

    // -------------------------------------------------------------------------
    // Grants
    // -------------------------------------------------------------------------

    /// @inheritdoc IAccessPolicy
    function grant(Grant calldata g) external returns (bytes32 id) {
        id = grantId(g);
        _enter(id, g, msg.sender);
    }

    /// @inheritdoc IAccessPolicy
    function grantBySignature(
        Grant calldata g,
        address grantor,
        bytes calldata signature
    ) external returns (bytes32 id) {
        id = grantId(g);
        require(SignerCheck.isSignedBy(grantor, id, signature), SignatureInvalid());
        _enter(id, g, grantor);
    }

    /// @inheritdoc IAccessPolicy
    function cancel(bytes32 id) external {
        require(_grants[id].grantedAt == 0, GrantExists(id));
        require(!_cancelled[msg.sender][id], GrantIsCancelled(id));
        _cancelled[msg.sender][id] = true;
        emit GrantCancelled(id, msg.sender);
    }

    /// @inheritdoc IAccessPolicy
    function revoke(bytes32 id) external {
        Entry storage entry = _known(id);
        require(msg.sender == entry.grantor || msg.sender == _data[entry.dataId].owner, NotGrantor(msg.sender));
        require(entry.revokedAt == 0, GrantIsRevoked(id));
        entry.revokedAt = uint48(block.number);
        emit GrantRevoked(id, msg.sender);
    }

    // -------------------------------------------------------------------------
    // Use
    // -------------------------------------------------------------------------

    /// @inheritdoc IAccessPolicy
    function consume(bytes32 id, uint64 wanted) external returns (uint64 within) {
        require(msg.sender == AUDIT_LOG, NotAuditLog(msg.sender));
        within = uint64(Math.min(wanted, _usesLeft(id, _known(id))));
        if (within == 0) return 0;
        bytes32 link = id;
        while (true) {
            Entry storage entry = _grants[link];
            uint64 uses = entry.uses + within;
            entry.uses = uses;
            emit GrantUsed(link, uses);
            if (entry.level == 0) return within;
            link = entry.parent;
        }
    }

    /// @inheritdoc IAccessPolicy
    function checkAccess(AccessRequest calldata request) external view returns (uint16 reason) {
        (HostStatus status, Assurance assurance) = HOSTS.standingAt(request.hostId, request.asOf);
        if (status == HostStatus.None) return Reason.HOST_UNKNOWN;
        if (status != HostStatus.Active) return Reason.HOST_NOT_ACTIVE;
        (VmmStatus vmm, uint64 validUntil) = VMMS.standingAt(request.vmmHash, request.asOf);
        if (vmm != VmmStatus.Authorised || request.timestamp > validUntil) return Reason.VMM_NOT_AUTHORISED;

        uint64 notBefore;
        uint64 notAfter;
        uint64 usesLeft;
        (reason, notBefore, notAfter, usesLeft) = _window(request, assurance);
        if (reason != Reason.DONE && reason < Reason.GRANT_NOT_YET_VALID) return reason;
        if (request.timestamp < notBefore) return Reason.GRANT_NOT_YET_VALID;
        if (request.timestamp > notAfter) return Reason.GRANT_EXPIRED;
        if (usesLeft == 0) return Reason.GRANT_EXHAUSTED;
    }

    /// @inheritdoc IAccessPolicy
    function grantWindow(
        AccessRequest calldata request,
        Assurance assurance
    ) external view returns (uint16 reason, uint64 notBefore, uint64 notAfter) {
        (reason, notBefore, notAfter, ) = _window(request, assurance);
    }

    // -------------------------------------------------------------------------
    // Views
    // -------------------------------------------------------------------------

    /// @inheritdoc IAccessPolicy
    function grantId(Grant calldata g) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(GRANT_TYPEHASH, g)));
    }

    /// @inheritdoc IAccessPolicy
    function ownerOf(bytes32 dataId) external view returns (address) {
        return _data[dataId].owner;
    }

    /// @inheritdoc IAccessPolicy
    function candidateOf(bytes32 dataId) external view returns (address) {
        return _data[dataId].candidate;
    }

    /// @inheritdoc IAccessPolicy
    function isCancelled(bytes32 id, address grantor) external view returns (bool) {
        return _cancelled[grantor][id];
    }

    /// @inheritdoc IAccessPolicy
    function grantOf(
        bytes32 id
    ) external view returns (Grant memory g, address grantor, uint64 grantedAt, uint64 revokedAt, uint64 uses) {
        Entry storage entry = _grants[id];
        g = Grant({
            dataId: entry.dataId,
            grantee: entry.grantee,
            operationId: entry.operationId,
            notBefore: entry.notBefore,
            notAfter: entry.notAfter,
            maxUses: entry.maxUses,
            vmmHash: entry.vmmHash,
            hostId: entry.hostId,
            minAssurance: entry.minAssurance,
            delegationDepth: entry.delegationDepth,
            parent: entry.parent,
            salt: entry.salt
        });
        return (g, entry.grantor, entry.grantedAt, entry.revokedAt, entry.uses);
    }

    // -------------------------------------------------------------------------
    // Entering grants
    // -------------------------------------------------------------------------

    function _enter(bytes32 id, Grant calldata g, address grantor) private {
        address owner = _data[g.dataId].owner;
        require(owner != address(0), DataUnknown(g.dataId));
        require(_grants[id].grantedAt == 0, GrantExists(id));
        require(!_cancelled[grantor][id], GrantIsCancelled(id));
        require(
            g.grantee != address(0) &&
                g.maxUses > 0 &&
                g.notBefore <= g.notAfter &&
                g.minAssurance <= uint8(type(Assurance).max),
            GrantEmpty()
        );
        require(g.delegationDepth <= MAX_DELEGATION_DEPTH, DelegationTooDeep(g.delegationDepth));
        uint8 level = 0;
        if (g.parent == 0) require(grantor == owner, NotGrantor(grantor));
        else level = _requireNarrower(g, grantor) + 1;
        uint8 bound = (g.operationId == 0 ? 0 : OPERATION) | (g.vmmHash == 0 ? 0 : VMM) | (g.hostId == 0 ? 0 : HOST);

        _grants[id] = Entry({
            grantedAt: uint48(block.number),
            revokedAt: 0,
            uses: 0,
            maxUses: g.maxUses,
            minAssurance: g.minAssurance,
            delegationDepth: g.delegationDepth,
            level: level,
            bound: bound,
            scope: _scopeOf(bound, g.dataId, g.operationId, g.vmmHash, g.hostId),
            parent: g.parent,
            grantee: g.grantee,
            notBefore: g.notBefore,
            grantor: grantor,
            notAfter: g.notAfter,
            dataId: g.dataId,
            operationId: g.operationId,
            vmmHash: g.vmmHash,
            hostId: g.hostId,
            salt: g.salt
        });
        emit Granted(id, g.dataId, grantor, g);
    }

    /// @dev The parent's limits stand for all of its ancestors'; revocations are looked for in each.
    /// @return The parent's level.
    function _requireNarrower(Grant calldata g, address grantor) private view returns (uint8) {
        Entry storage p = _known(g.parent);
        require(grantor == p.grantee, NotGrantor(grantor));
        for (bytes32 link = g.parent; link != 0; link = _grants[link].parent) {
            require(_grants[link].revokedAt == 0, GrantIsRevoked(link));
        }
        require(p.notAfter >= block.timestamp, GrantIsExpired(g.parent));
        require(g.delegationDepth < p.delegationDepth, DelegationTooDeep(g.delegationDepth));
        require(
            g.dataId == p.dataId &&
                g.notBefore >= p.notBefore &&
                g.notAfter <= p.notAfter &&
                g.maxUses <= p.maxUses &&
                g.minAssurance >= p.minAssurance &&
                _within(g.operationId, p.operationId) &&
                _within(g.vmmHash, p.vmmHash) &&
                _within(g.hostId, p.hostId),
            DelegationWidens(g.parent)
        );
        return p.level;
    }

    // -------------------------------------------------------------------------
    // Checking access
    // -------------------------------------------------------------------------

    /// @dev The lowest of the reasons that neither host's and VMM's standing nor time nor uses give, and these limits.
    function _window(
        AccessRequest calldata request,
        Assurance assurance
    ) private view returns (uint16 reason, uint64 notBefore, uint64 notAfter, uint64 usesLeft) {
        if (request.grantId == 0) {
            address owner = _ownerAt(request.dataId, request.asOf);
            if (owner == address(0)) reason = Reason.DATA_UNKNOWN;
            else if (owner != request.requester) reason = Reason.GRANT_MISSING;
            return (reason, 0, type(uint64).max, type(uint64).max);
        }
        Entry storage entry = _grants[request.grantId];
        uint48 grantedAt = entry.grantedAt;
        bool isKnown = grantedAt != 0 && grantedAt <= request.asOf;
        bool isWithin =
            _scopeOf(entry.bound, request.dataId, request.operationId, request.vmmHash, request.hostId) == entry.scope;
        // A grant is only ever entered for data that is registered, so the data is looked up where the grant says nothing of it.
        if (!isKnown || (!isWithin && entry.dataId != request.dataId)) {
            if (_ownerAt(request.dataId, request.asOf) == address(0)) reason = Reason.DATA_UNKNOWN;
            else reason = isKnown ? Reason.GRANT_OTHER_DATA : Reason.GRANT_UNKNOWN;
            return (reason, 0, 0, 0);
        }
        if (entry.grantee != request.requester) return (Reason.GRANT_OTHER_GRANTEE, 0, 0, 0);
        if (_isRevoked(request.grantId, request.asOf)) return (Reason.GRANT_REVOKED, 0, 0, 0);
        (notBefore, notAfter) = (entry.notBefore, entry.notAfter);
        usesLeft = _usesLeft(request.grantId, entry);
        if (!isWithin) {
            if (!_within(request.operationId, entry.operationId)) reason = Reason.GRANT_OTHER_OPERATION;
            else if (!_within(request.hostId, entry.hostId)) reason = Reason.GRANT_OTHER_HOST;
            else reason = Reason.GRANT_OTHER_VMM;
        } else if (uint8(assurance) < entry.minAssurance) {
            reason = Reason.GRANT_ASSURANCE;
        }
    }

    /// @dev What a grant does not name counts as 0.
    function _scopeOf(
        uint8 bound,
        bytes32 dataId,
        bytes32 operationId,
        bytes32 vmmHash,
        bytes32 hostId
    ) private pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    dataId,
                    bound & OPERATION == 0 ? bytes32(0) : operationId,
                    bound & VMM == 0 ? bytes32(0) : vmmHash,
                    bound & HOST == 0 ? bytes32(0) : hostId
                )
            );
    }

    /// @dev Whether the grant or any that it was delegated from was revoked by the end of block `asOf`.
    function _isRevoked(bytes32 id, uint64 asOf) private view returns (bool isRevoked) {
        while (true) {
            Entry storage entry = _grants[id];
            (uint48 revokedAt, uint8 level) = (entry.revokedAt, entry.level);
            isRevoked = revokedAt != 0 && revokedAt <= asOf;
            if (isRevoked || level == 0) return isRevoked;
            id = entry.parent;
        }
    }

    /// @dev The fewest uses left in the grant or in any that it was delegated from.
    function _usesLeft(bytes32 id, Entry storage entry) private view returns (uint64 left) {
        left = type(uint64).max;
        while (true) {
            left = uint64(Math.min(left, entry.maxUses - entry.uses));
            if (entry.level == 0) return left;
            id = entry.parent;
            entry = _grants[id];
        }
    }

    function _within(bytes32 child, bytes32 parent) private pure returns (bool) {
        return parent == 0 || child == parent;
    }

    function _ownerAt(bytes32 dataId, uint64 asOf) private view returns (address) {
        Data storage data = _data[dataId];
        (address owner, uint64 since) = (data.owner, data.since);
        if (since <= asOf) return owner;
        return address(uint160(_pastOwners[dataId].valueAt(asOf)));
    }

    function _known(bytes32 id) private view returns (Entry storage entry) {
        entry = _grants[id];
        require(entry.grantedAt != 0, GrantUnknown(id));
    }
}
