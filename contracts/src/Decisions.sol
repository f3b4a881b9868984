// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignerCheck} from "./SignerCheck.sol";
import {IApprovers} from "./interfaces/IApprovers.sol";
import {IDecisions} from "./interfaces/IDecisions.sol";
import {SignedApproval} from "./interfaces/Types.sol";

/// @title Counts the approvals of decisions. See IDecisions.
abstract contract Decisions is IDecisions, EIP712 {
    struct Tally {
        uint32 approvals;
        mapping(address approver => bool) hasApproved;
    }

    mapping(uint32 term => mapping(bytes32 decision => Tally)) private _tallies;

    constructor() EIP712("Attestry", "1") {}

    /// @inheritdoc IDecisions
    function approvalsOf(bytes32 decision) external view returns (uint32) {
        return _tallies[_deciders().term()][decision].approvals;
    }

    /// @dev Whose k-of-n it is.
    function _deciders() internal view virtual returns (IApprovers);

    /// @notice Counts the sender's approval and those that came signed.
    /// @dev The caller makes sure that a decision which took effect is never asked for again: by an epoch, a nonce, or the term.
    /// @param members `abi.encode(typeHash, members…)` of the EIP-712 struct that approvers sign, without its last three members,
    /// `approver`, `term` and `deadline`.
    /// @return complete Whether it has k approvals now.
    function _decide(bytes memory members, SignedApproval[] calldata approvals) internal returns (bool complete) {
        IApprovers deciders = _deciders();
        uint32 term = deciders.term();
        bytes32 decision = keccak256(bytes.concat(members, abi.encode(term)));
        Tally storage tally = _tallies[term][decision];
        uint32 before = tally.approvals;

        bool anybody = deciders.isApprover(msg.sender);
        if (anybody && !tally.hasApproved[msg.sender]) _count(tally, decision, msg.sender, term);
        for (uint256 i = 0; i < approvals.length; ++i) {
            SignedApproval calldata approval = approvals[i];
            if (!deciders.isApprover(approval.approver)) continue;
            anybody = true;
            if (tally.hasApproved[approval.approver]) continue;
            _requireSigned(members, term, approval);
            _count(tally, decision, approval.approver, term);
        }
        require(anybody, NotApprover(msg.sender));
        require(tally.approvals > before, AlreadyApproved(decision));
        return tally.approvals >= deciders.threshold();
    }

    function _count(Tally storage tally, bytes32 decision, address approver, uint32 term) private {
        tally.hasApproved[approver] = true;
        emit DecisionApproved(decision, approver, term, ++tally.approvals);
    }

    /// @dev The approver is signed too: the same key may speak for several accounts that are contracts.
    function _requireSigned(bytes memory members, uint32 term, SignedApproval calldata approval) private view {
        address approver = approval.approver;
        uint64 deadline = approval.deadline;
        require(block.timestamp <= deadline, ApprovalExpired(approver, deadline));
        bytes32 digest = _hashTypedDataV4(keccak256(bytes.concat(members, abi.encode(approver, term, deadline))));
        require(SignerCheck.isSignedBy(approver, digest, approval.signature), ApprovalSignatureInvalid(approver));
    }
}
