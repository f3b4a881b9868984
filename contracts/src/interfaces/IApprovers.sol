// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Those whose k-of-n decides: which VMMs are authorised, who registers hosts, and who they are themselves.
interface IApprovers {
    /// @notice Whether an account is an approver in the present term.
    function isApprover(address account) external view returns (bool);

    /// @notice How many approvals make a decision: at least 1, at most as many as there are approvers.
    function threshold() external view returns (uint32);

    /// @notice Counts the sets of approvers from 1. Approvals of an earlier term are worth nothing.
    function term() external view returns (uint32);
}
