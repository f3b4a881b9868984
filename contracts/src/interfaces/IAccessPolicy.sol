// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessRequest, Assurance, Grant} from "./Types.sol";

/// @title What the owners of data allow, to whom, and what was delegated from it.
interface IAccessPolicy {
    event DataRegistered(bytes32 indexed dataId, address indexed owner);

    /// @param candidate Who may accept, 0 where an offer was withdrawn.
    event OwnershipOffered(bytes32 indexed dataId, address indexed owner, address indexed candidate);

    event OwnershipAccepted(bytes32 indexed dataId, address indexed previousOwner, address indexed owner);

    event Granted(bytes32 indexed grantId, bytes32 indexed dataId, address indexed grantor, Grant grant);

    event GrantRevoked(bytes32 indexed grantId, address indexed by);

    /// @notice `grantor` will not have signed this grant: a signature of it can no longer be used.
    event GrantCancelled(bytes32 indexed grantId, address indexed grantor);

    /// @param uses How often the grant was used now, itself or by what was delegated from it.
    event GrantUsed(bytes32 indexed grantId, uint64 uses);

    error DataExists(bytes32 dataId);
    error DataUnknown(bytes32 dataId);
    error NotOwner(address caller);
    error NotCandidate(address caller);
    error NotGrantor(address caller);
    error NotAuditLog(address caller);
    error GrantExists(bytes32 grantId);
    error GrantUnknown(bytes32 grantId);
    error GrantIsRevoked(bytes32 grantId);
    error GrantIsCancelled(bytes32 grantId);
    error GrantIsExpired(bytes32 grantId);
    error GrantEmpty();
    error DelegationTooDeep(uint8 depth);
    error DelegationWidens(bytes32 parent);
    error SignatureInvalid();

    /// @notice `dataId = keccak256(abi.encode(msg.sender, salt))`, so nobody can take another's.
    function registerData(bytes32 salt) external returns (bytes32 dataId);

    /// @notice First step of a change of ownership; a later offer replaces it, 0 withdraws it. Only the owner.
    function offerOwnership(bytes32 dataId, address candidate) external;

    /// @notice Second step. Grants stay in force: the new owner may revoke any. Only the candidate.
    function acceptOwnership(bytes32 dataId) external;

    /// @notice Grants, or delegates where `grant.parent` is not 0. Only the data's owner, or the parent's grantee.
    function grant(Grant calldata g) external returns (bytes32 id);

    /// @notice The same by the grantor's EIP-712 signature; anybody may submit it.
    function grantBySignature(
        Grant calldata g,
        address grantor,
        bytes calldata signature
    ) external returns (bytes32 id);

    /// @notice Makes the caller's signature of a grant that was not used yet worthless, for good.
    function cancel(bytes32 id) external;

    /// @notice Revokes a grant and with it all that hangs below. The grantor, or the data's owner.
    function revoke(bytes32 id) external;

    /// @notice Counts uses along the whole chain of delegation. Only the AuditLog.
    /// @return within How many of the wanted uses were left, and were counted.
    function consume(bytes32 id, uint64 wanted) external returns (uint64 within);

    /// @notice 0 when the access is allowed, otherwise the lowest of the reasons that refuse it (docs/formats.md).
    function checkAccess(AccessRequest calldata request) external view returns (uint16 reason);

    /// @notice What the data's owner and the grants alone say: the reasons that depend on neither host's and VMM's standing, nor
    /// time, nor uses, and the time within which there is no other.
    /// @param request Its timestamp is not looked at.
    /// @return reason 0, 4 to 9 or 13 to 16: the lowest that applies.
    /// @return notBefore Seconds since the epoch, inclusive; the latest along the chain.
    /// @return notAfter Seconds since the epoch, inclusive; the earliest along the chain.
    function grantWindow(
        AccessRequest calldata request,
        Assurance assurance
    ) external view returns (uint16 reason, uint64 notBefore, uint64 notAfter);

    /// @notice The EIP-712 digest of a grant, which is its id.
    function grantId(Grant calldata g) external view returns (bytes32);

    function ownerOf(bytes32 dataId) external view returns (address);

    /// @notice Who may accept the ownership, 0 for nobody.
    function candidateOf(bytes32 dataId) external view returns (address);

    /// @param revokedAt The block of its own revocation, 0 for none.
    function grantOf(
        bytes32 id
    ) external view returns (Grant memory g, address grantor, uint64 grantedAt, uint64 revokedAt, uint64 uses);

    function isCancelled(bytes32 id, address grantor) external view returns (bool);
}
