// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Decisions of the approvers' k-of-n, by transaction and by EIP-712 signature alike.
/// @notice Every function that decides takes signatures. The sender's own approval counts where the sender is an approver;
/// each valid signature of another approver counts once. What was counted before is ignored, not refused, so nobody can spoil
/// a collection of signatures by submitting one of them first. The approval that completes k puts the decision into effect.
interface IDecisions {
    /// @param decision keccak256 of `abi.encode(typeHash, members…, term)`, without approver and deadline (docs/formats.md, "Decisions").
    /// @param approvals How many count now, this one among them.
    event DecisionApproved(bytes32 indexed decision, address indexed approver, uint32 indexed term, uint32 approvals);

    /// @notice Neither the sender nor any of the signatures' approvers is an approver.
    error NotApprover(address caller);

    /// @notice Nothing new to count: every approval given was counted before.
    error AlreadyApproved(bytes32 decision);

    error ApprovalExpired(address approver, uint64 deadline);

    error ApprovalSignatureInvalid(address approver);

    /// @notice How many approvals of the present term a decision has.
    function approvalsOf(bytes32 decision) external view returns (uint32);
}
