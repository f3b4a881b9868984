// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Quote, Vmm, VmmStatus} from "./Types.sol";

/// @title The measurements of hypervisors, and which of them the approvers authorise.
interface IVmmRegistry {
    /// @param attested The TPMS_QUOTE_INFO whose keccak256 is the vmmHash.
    event VmmProposed(
        bytes32 indexed vmmHash,
        bytes32 indexed hostId,
        uint32 epoch,
        bytes32 manifestHash,
        bytes attested
    );

    /// @param status Authorised from the approval that completes k, Proposed before.
    event VmmApproved(
        bytes32 indexed vmmHash,
        address indexed approver,
        uint32 epoch,
        uint32 approvals,
        VmmStatus status
    );

    event VmmRevoked(bytes32 indexed vmmHash, address indexed approver, uint32 epoch);

    error NotApprover(address caller);
    error ThresholdInvalid(uint256 approvers, uint256 threshold);
    error ApproverDuplicate(address approver);
    error HostNotActive(bytes32 hostId);
    error VmmStatusIs(bytes32 vmmHash, VmmStatus status);
    error EpochIs(bytes32 vmmHash, uint32 epoch);
    error AlreadyApproved(bytes32 vmmHash, address approver);

    /// @notice Proposes the VMM that a registered host's quote shows. Anybody may submit it. The quote's payload is
    /// `manifestHash`, its purpose `keccak256("attestry/quote/vmm")`, the contract this one.
    function propose(
        bytes32 hostId,
        bytes32 manifestHash,
        uint64 anchorBlock,
        Quote calldata quote
    ) external returns (bytes32 vmmHash);

    /// @notice Counts the caller's approval; the k-th authorises. Only approvers, once each.
    function approve(bytes32 vmmHash, uint32 epoch) external;

    /// @notice Any one approver revokes, at once.
    function revoke(bytes32 vmmHash) external;

    function vmm(bytes32 vmmHash) external view returns (Vmm memory);

    function isAuthorised(bytes32 vmmHash) external view returns (bool);

    /// @notice Whether the VMM was authorised at the end of block `asOf`, in whatever epoch it was in then.
    function wasAuthorised(bytes32 vmmHash, uint64 asOf) external view returns (bool);

    function isApprover(address account) external view returns (bool);

    function threshold() external view returns (uint32);
}
