// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessRequest, Grant} from "./Types.sol";

/// @title What the owners of data allow, to whom, and what was delegated from it.
interface IAccessPolicy {
    event DataRegistered(bytes32 indexed dataId, address indexed owner);

    event Granted(bytes32 indexed grantId, bytes32 indexed dataId, address indexed grantor, Grant grant);

    event GrantRevoked(bytes32 indexed grantId, address indexed by);

    /// @param uses How often the grant was used now, itself or by what was delegated from it.
    event GrantUsed(bytes32 indexed grantId, uint64 uses);

    error DataExists(bytes32 dataId);
    error DataUnknown(bytes32 dataId);
    error NotGrantor(address caller);
    error NotAuditLog(address caller);
    error GrantExists(bytes32 grantId);
    error GrantUnknown(bytes32 grantId);
    error GrantIsRevoked(bytes32 grantId);
    error GrantIsExpired(bytes32 grantId);
    error GrantEmpty();
    error DelegationTooDeep(uint8 depth);
    error DelegationWidens(bytes32 parent);
    error SignatureInvalid();

    /// @notice `dataId = keccak256(abi.encode(msg.sender, salt))`, so nobody can take another's.
    function registerData(bytes32 salt) external returns (bytes32 dataId);

    /// @notice Grants, or delegates where `grant.parent` is not 0. Only the data's owner, or the parent's grantee.
    function grant(Grant calldata g) external returns (bytes32 id);

    /// @notice The same by the grantor's EIP-712 signature; anybody may submit it.
    function grantBySignature(
        Grant calldata g,
        address grantor,
        bytes calldata signature
    ) external returns (bytes32 id);

    /// @notice Revokes a grant and with it all that hangs below. The grantor, or the data's owner.
    function revoke(bytes32 id) external;

    /// @notice Counts one use along the whole chain of delegation. Only the AuditLog.
    /// @return within False, and nothing is counted, where a limit was reached already.
    function consume(bytes32 id) external returns (bool within);

    /// @notice 0 when the access is allowed, otherwise the first reason that refuses it (docs/formats.md).
    function checkAccess(AccessRequest calldata request) external view returns (uint16 reason);

    /// @notice The EIP-712 digest of a grant, which is its id.
    function grantId(Grant calldata g) external view returns (bytes32);

    function ownerOf(bytes32 dataId) external view returns (address);

    /// @param revokedAt The block of its own revocation, 0 for none.
    function grantOf(
        bytes32 id
    ) external view returns (Grant memory g, address grantor, uint64 grantedAt, uint64 revokedAt, uint64 uses);
}
