// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Reason} from "./Reason.sol";
import {SignerCheck} from "./SignerCheck.sol";
import {IAccessPolicy} from "./interfaces/IAccessPolicy.sol";
import {IHostRegistry} from "./interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "./interfaces/IVmmRegistry.sol";
import {AccessRequest, Assurance, Grant, HostStatus} from "./interfaces/Types.sol";

/// @title The permissions. See IAccessPolicy.
contract AccessPolicy is IAccessPolicy, EIP712 {
    struct Data {
        address owner;
        uint64 registeredAt;
    }

    /// @param grantedAt Block in which it was entered; 0 means that there is no such grant.
    struct Entry {
        Grant grant;
        address grantor;
        uint64 grantedAt;
        uint64 revokedAt;
        uint64 uses;
    }

    bytes32 private constant GRANT_TYPEHASH = keccak256(
        "Grant(bytes32 dataId,address grantee,bytes32 operationId,uint64 notBefore,uint64 notAfter,uint64 maxUses,"
        "bytes32 vmmHash,bytes32 hostId,uint8 minAssurance,uint8 delegationDepth,bytes32 parent,bytes32 salt)"
    );

    /// @dev Bounds every walk along a chain of delegation: each link's depth is below its parent's.
    uint8 private constant MAX_DELEGATION_DEPTH = 8;

    IHostRegistry private immutable HOSTS;
    IVmmRegistry private immutable VMMS;
    address private immutable AUDIT_LOG;

    mapping(bytes32 dataId => Data) private _data;
    mapping(bytes32 grantId => Entry) private _grants;

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
        _data[dataId] = Data(msg.sender, uint64(block.number));
        emit DataRegistered(dataId, msg.sender);
    }

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
    function revoke(bytes32 id) external {
        Entry storage entry = _known(id);
        require(msg.sender == entry.grantor || msg.sender == _data[entry.grant.dataId].owner, NotGrantor(msg.sender));
        require(entry.revokedAt == 0, GrantIsRevoked(id));
        entry.revokedAt = uint64(block.number);
        emit GrantRevoked(id, msg.sender);
    }

    // -------------------------------------------------------------------------
    // Use
    // -------------------------------------------------------------------------

    /// @inheritdoc IAccessPolicy
    function consume(bytes32 id) external returns (bool within) {
        require(msg.sender == AUDIT_LOG, NotAuditLog(msg.sender));
        _known(id);
        for (bytes32 link = id; link != 0; link = _grants[link].grant.parent) {
            if (_grants[link].uses >= _grants[link].grant.maxUses) return false;
        }
        for (bytes32 link = id; link != 0; link = _grants[link].grant.parent) {
            emit GrantUsed(link, ++_grants[link].uses);
        }
        return true;
    }

    /// @inheritdoc IAccessPolicy
    function checkAccess(AccessRequest calldata request) external view returns (uint16 reason) {
        HostStatus status = HOSTS.statusAt(request.hostId, request.asOf);
        if (status == HostStatus.None) return Reason.HOST_UNKNOWN;
        if (status != HostStatus.Active) return Reason.HOST_NOT_ACTIVE;
        if (!VMMS.wasAuthorised(request.vmmHash, request.asOf)) return Reason.VMM_NOT_AUTHORISED;

        Data memory data = _data[request.dataId];
        if (data.owner == address(0) || data.registeredAt > request.asOf) return Reason.DATA_UNKNOWN;
        if (request.grantId == 0) return request.requester == data.owner ? Reason.DONE : Reason.GRANT_MISSING;

        Entry storage entry = _grants[request.grantId];
        if (entry.grantedAt == 0 || entry.grantedAt > request.asOf) return Reason.GRANT_UNKNOWN;
        if (entry.grant.dataId != request.dataId) return Reason.GRANT_OTHER_DATA;
        if (entry.grant.grantee != request.requester) return Reason.GRANT_OTHER_GRANTEE;
        return _checkChain(request, HOSTS.host(request.hostId).assurance);
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
    function grantOf(
        bytes32 id
    ) external view returns (Grant memory g, address grantor, uint64 grantedAt, uint64 revokedAt, uint64 uses) {
        Entry storage entry = _grants[id];
        return (entry.grant, entry.grantor, entry.grantedAt, entry.revokedAt, entry.uses);
    }

    // -------------------------------------------------------------------------
    // Internals
    // -------------------------------------------------------------------------

    function _enter(bytes32 id, Grant calldata g, address grantor) private {
        address owner = _data[g.dataId].owner;
        require(owner != address(0), DataUnknown(g.dataId));
        require(_grants[id].grantedAt == 0, GrantExists(id));
        require(
            g.grantee != address(0) &&
                g.maxUses > 0 &&
                g.notBefore <= g.notAfter &&
                g.minAssurance <= uint8(type(Assurance).max),
            GrantEmpty()
        );
        require(g.delegationDepth <= MAX_DELEGATION_DEPTH, DelegationTooDeep(g.delegationDepth));
        if (g.parent == 0) require(grantor == owner, NotGrantor(grantor));
        else _requireNarrower(g, grantor);

        Entry storage entry = _grants[id];
        entry.grant = g;
        entry.grantor = grantor;
        entry.grantedAt = uint64(block.number);
        emit Granted(id, g.dataId, grantor, g);
    }

    /// @dev A chain only narrows, so the parent's limits stand for all of its ancestors'; revocations are looked for in each.
    function _requireNarrower(Grant calldata g, address grantor) private view {
        Grant storage p = _known(g.parent).grant;
        require(grantor == p.grantee, NotGrantor(grantor));
        for (bytes32 link = g.parent; link != 0; link = _grants[link].grant.parent) {
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
    }

    function _within(bytes32 child, bytes32 parent) private pure returns (bool) {
        return parent == 0 || child == parent;
    }

    /// @dev The lowest reason found in the grant or in any that it was delegated from.
    function _checkChain(AccessRequest calldata request, Assurance assurance) private view returns (uint16 reason) {
        reason = type(uint16).max;
        bytes32 link = request.grantId;
        while (link != 0) {
            Entry storage entry = _grants[link];
            uint16 found = _checkGrant(entry, request, assurance);
            if (found != Reason.DONE && found < reason) reason = found;
            link = entry.grant.parent;
        }
        if (reason == type(uint16).max) reason = Reason.DONE;
    }

    function _checkGrant(
        Entry storage entry,
        AccessRequest calldata request,
        Assurance assurance
    ) private view returns (uint16) {
        Grant storage g = entry.grant;
        if (entry.revokedAt != 0 && entry.revokedAt <= request.asOf) return Reason.GRANT_REVOKED;
        if (request.timestamp < g.notBefore) return Reason.GRANT_NOT_YET_VALID;
        if (request.timestamp > g.notAfter) return Reason.GRANT_EXPIRED;
        if (entry.uses >= g.maxUses) return Reason.GRANT_EXHAUSTED;
        if (!_within(request.operationId, g.operationId)) return Reason.GRANT_OTHER_OPERATION;
        if (!_within(request.hostId, g.hostId)) return Reason.GRANT_OTHER_HOST;
        if (!_within(request.vmmHash, g.vmmHash)) return Reason.GRANT_OTHER_VMM;
        if (uint8(assurance) < g.minAssurance) return Reason.GRANT_ASSURANCE;
        return Reason.DONE;
    }

    function _known(bytes32 id) private view returns (Entry storage entry) {
        entry = _grants[id];
        require(entry.grantedAt != 0, GrantUnknown(id));
    }
}
