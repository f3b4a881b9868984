// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IApprovers} from "./IApprovers.sol";
import {Quote, SignedApproval, Vmm, VmmStatus} from "./Types.sol";

/// @title The measurements of hypervisors, and which of them the approvers authorise.
interface IVmmRegistry is IApprovers {
    /// @param hostId The host whose quote shows it, 0 for a prediction.
    /// @param attested The TPMS_QUOTE_INFO whose keccak256 is the vmmHash.
    event VmmProposed(
        bytes32 indexed vmmHash,
        bytes32 indexed hostId,
        uint32 epoch,
        bytes32 manifestHash,
        bytes attested
    );

    /// @notice A quote showed what was predicted.
    event VmmProven(bytes32 indexed vmmHash, bytes32 indexed hostId, uint32 epoch);

    event VmmAuthorised(bytes32 indexed vmmHash, uint32 epoch, uint64 validUntil);

    event VmmRevoked(bytes32 indexed vmmHash, address indexed approver, uint32 epoch);

    event ApproversChanged(uint32 indexed term, address[] approvers, uint32 threshold);

    error ThresholdInvalid(uint256 approvers, uint256 threshold);
    error TooManyApprovers(uint256 approvers);
    error ApproverZero();
    error ApproverDuplicate(address approver);
    error TermIs(uint32 term);
    error HostNotActive(bytes32 hostId);
    error ManifestIs(bytes32 manifestHash);
    error VmmStatusIs(bytes32 vmmHash, VmmStatus status);
    error EpochIs(bytes32 vmmHash, uint32 epoch);
    error ValidityOver(uint64 validUntil);

    /// @notice The quote is anchored before the block in which the last quote of this VMM was accepted, so it may be that very quote,
    /// or before the one in which it was predicted.
    error QuoteOutdated(uint64 quotesFrom);

    /// @notice Proposes the VMM that a registered, active host's quote shows, where it is new, revoked, or past its validity; proves
    /// it where it is predicted and unproven in its epoch (`manifestHash` must be the predicted one). Anybody may submit it. The
    /// quote's payload is `manifestHash`, its purpose `keccak256("attestry/quote/vmm")`, the contract this one.
    function propose(
        bytes32 hostId,
        bytes32 manifestHash,
        uint64 anchorBlock,
        Quote calldata quote
    ) external returns (bytes32 vmmHash);

    /// @notice Proposes a VMM before any host shows it. Only approvers.
    /// @param attested The TPMS_QUOTE_INFO that hosts will quote.
    function predict(bytes calldata attested, bytes32 manifestHash) external returns (bytes32 vmmHash);

    /// @notice Approves a proposal; the k-th authorises it. Signed as `VmmApproval(bytes32 vmmHash,uint32 epoch,bytes32
    /// manifestHash,uint64 validUntil,address approver,uint32 term,uint64 deadline)`, `term` being the present one.
    /// Approvals of different `validUntil` are different decisions.
    /// @param manifestHash The proposal's: whoever proposes first chooses it, so it is approved with the measurement.
    function approve(
        bytes32 vmmHash,
        uint32 epoch,
        bytes32 manifestHash,
        uint64 validUntil,
        SignedApproval[] calldata approvals
    ) external;

    /// @notice Any one approver revokes, at once.
    function revoke(bytes32 vmmHash) external;

    /// @notice Replaces the approvers and the threshold, by the k-of-n of those they replace. Signed as
    /// `ApproversChange(address[] approvers,uint32 threshold,address approver,uint32 term,uint64 deadline)`. Starts a new term:
    /// approvals that have not taken effect are void.
    /// @param newApprovers 1 to 64 different accounts.
    /// @param newThreshold From 1 to their number.
    /// @param term_ The present term.
    function changeApprovers(
        address[] calldata newApprovers,
        uint32 newThreshold,
        uint32 term_,
        SignedApproval[] calldata approvals
    ) external;

    /// @notice The approvers of the present term, in the order in which they were given.
    function approvers() external view returns (address[] memory);

    function vmm(bytes32 vmmHash) external view returns (Vmm memory);

    /// @notice Whether it is authorised now, and its validity not over.
    function isAuthorised(bytes32 vmmHash) external view returns (bool);

    /// @notice Status and end of validity at the end of block `asOf`, in whatever epoch it was in then.
    function standingAt(bytes32 vmmHash, uint64 asOf) external view returns (VmmStatus status, uint64 validUntil);
}
