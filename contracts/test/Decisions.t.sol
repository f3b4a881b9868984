// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "./support/Rig.sol";
import {Wallet} from "./harness/Wallet.sol";
import {IDecisions} from "../src/interfaces/IDecisions.sol";
import {IHostRegistry} from "../src/interfaces/IHostRegistry.sol";
import {SignedApproval} from "../src/interfaces/Types.sol";

/// @notice How approvals are counted, shown with the appointment of registrars; and what only those appointments have.
contract DecisionsTest is Rig {
    address private constant CANDIDATE = address(0xe912);
    address private constant OUTSIDER = address(0xbad);
    uint256 private constant OUTSIDER_KEY = 0xbad;

    /// @dev The appointment of the candidate, and its id in the first term.
    bytes private members;
    bytes32 private decision;

    function setUp() public {
        deployRegistries();
        members = registrarChange(CANDIDATE, true, 0);
        decision = decisionOf(members, 1);
    }

    // -------------------------------------------------------------------------
    // What counts
    // -------------------------------------------------------------------------

    function test_decidesByTransactions() public {
        _expectApproval(APPROVER_1, 1);
        _appoint(APPROVER_1, noApprovals());
        isFalse(hosts.isRegistrar(CANDIDATE), "one of two");
        equal(IDecisions(address(hosts)).approvalsOf(decision), 1, "approvals");
        _expectApproval(APPROVER_3, 2);
        VM.expectEmit(address(hosts));
        emit IHostRegistry.RegistrarChanged(CANDIDATE, true, 1);
        _appoint(APPROVER_3, noApprovals());
        isTrue(hosts.isRegistrar(CANDIDATE), "two of two");
        equal(hosts.registrarNonce(CANDIDATE), 1, "nonce");
        equal(IDecisions(address(hosts)).approvalsOf(decision), 2, "approvals");
    }

    function test_decidesBySignaturesThatAnybodySubmits() public {
        _expectApproval(APPROVER_2, 1);
        _expectApproval(APPROVER_1, 2);
        _appoint(OUTSIDER, _two(_signed(APPROVER_2_KEY), _signed(APPROVER_1_KEY)));
        isTrue(hosts.isRegistrar(CANDIDATE), "two of two");
    }

    function test_decidesBySignaturesOneAfterTheOther() public {
        _appoint(OUTSIDER, one(_signed(APPROVER_2_KEY)));
        isFalse(hosts.isRegistrar(CANDIDATE), "one of two");
        _appoint(OUTSIDER, one(_signed(APPROVER_1_KEY)));
        isTrue(hosts.isRegistrar(CANDIDATE), "two of two");
    }

    function test_decidesByATransactionAndASignature() public {
        _expectApproval(APPROVER_1, 1);
        _expectApproval(APPROVER_2, 2);
        _appoint(APPROVER_1, one(_signed(APPROVER_2_KEY)));
        isTrue(hosts.isRegistrar(CANDIDATE), "two of two");
    }

    function test_countsMoreThanAreNeeded() public {
        _appoint(APPROVER_3, _two(_signed(APPROVER_2_KEY), _signed(APPROVER_1_KEY)));
        isTrue(hosts.isRegistrar(CANDIDATE), "three of two");
        equal(IDecisions(address(hosts)).approvalsOf(decision), 3, "approvals");
    }

    function test_countsAnApproverOnceHoweverOftenGiven() public {
        SignedApproval memory own = _signed(APPROVER_1_KEY);
        SignedApproval memory later = approvalBy(APPROVER_1_KEY, address(hosts), members, NO_END - 1);
        _appoint(OUTSIDER, _two(own, own));
        _appointNothingNew(OUTSIDER, _two(own, later));
        _appointNothingNew(APPROVER_1, noApprovals());
        _appointNothingNew(APPROVER_1, one(later));
        equal(IDecisions(address(hosts)).approvalsOf(decision), 1, "approvals");
        isFalse(hosts.isRegistrar(CANDIDATE), "one of two");
    }

    function test_countsTheSendersOwnSignatureOnce() public {
        _appoint(APPROVER_1, _two(_signed(APPROVER_1_KEY), _signed(APPROVER_1_KEY)));
        equal(IDecisions(address(hosts)).approvalsOf(decision), 1, "approvals");
    }

    /// @dev Whoever submits one signature of a collection first does not spoil the rest, not even once it has expired.
    function test_ignoresWhatWasCountedBefore() public {
        SignedApproval memory first = approvalBy(APPROVER_1_KEY, address(hosts), members, uint64(block.timestamp));
        _appoint(OUTSIDER, one(first));
        VM.warp(block.timestamp + 1);
        _appoint(OUTSIDER, _two(first, _signed(APPROVER_2_KEY)));
        isTrue(hosts.isRegistrar(CANDIDATE), "two of two");
    }

    function test_ignoresSignaturesOfOthers() public {
        SignedApproval memory nonsense = SignedApproval(OUTSIDER, 0, "");
        _appoint(OUTSIDER, _two(nonsense, _signed(APPROVER_1_KEY)));
        _appoint(APPROVER_2, one(nonsense));
        isTrue(hosts.isRegistrar(CANDIDATE), "two of two");
    }

    function test_refusesWhereNobodyIsAnApprover() public {
        SignedApproval[] memory outsiders = one(_signed(OUTSIDER_KEY));
        _refuses(OUTSIDER, noApprovals(), abi.encodeWithSelector(IDecisions.NotApprover.selector, OUTSIDER));
        _refuses(OUTSIDER, outsiders, abi.encodeWithSelector(IDecisions.NotApprover.selector, OUTSIDER));
        _refuses(REGISTRAR, noApprovals(), abi.encodeWithSelector(IDecisions.NotApprover.selector, REGISTRAR));
    }

    // -------------------------------------------------------------------------
    // Signatures
    // -------------------------------------------------------------------------

    function test_takesASignatureUntilItsDeadline() public {
        uint64 deadline = uint64(block.timestamp + 100);
        SignedApproval[] memory approvals = one(approvalBy(APPROVER_1_KEY, address(hosts), members, deadline));
        VM.warp(deadline + 1);
        bytes memory expired = abi.encodeWithSelector(IDecisions.ApprovalExpired.selector, APPROVER_1, deadline);
        _refuses(OUTSIDER, approvals, expired);
        VM.warp(deadline);
        _appoint(OUTSIDER, approvals);
        equal(IDecisions(address(hosts)).approvalsOf(decision), 1, "approvals");
    }

    function test_refusesASignatureForAnythingElse() public {
        bytes32 right = approvalDigest(address(hosts), members, APPROVER_1, 1, NO_END);
        bytes32[11] memory wrong = [
            approvalDigest(address(vmms), members, APPROVER_1, 1, NO_END),
            approvalDigest(address(hosts), members, APPROVER_2, 1, NO_END),
            approvalDigest(address(hosts), members, APPROVER_1, 2, NO_END),
            approvalDigest(address(hosts), members, APPROVER_1, 1, NO_END - 1),
            approvalDigest(address(hosts), registrarChange(CANDIDATE, false, 0), APPROVER_1, 1, NO_END),
            approvalDigest(address(hosts), registrarChange(CANDIDATE, true, 1), APPROVER_1, 1, NO_END),
            approvalDigest(address(hosts), registrarChange(OUTSIDER, true, 0), APPROVER_1, 1, NO_END),
            approvalDigest(
                address(hosts),
                vmmApproval(bytes32(uint256(uint160(CANDIDATE))), 1, 0),
                APPROVER_1,
                1,
                NO_END
            ),
            decision,
            keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n32", right)),
            _onAnotherChain()
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            _refusesSignature(SignedApproval(APPROVER_1, NO_END, signedBy(APPROVER_1_KEY, wrong[i])));
        }
        _refusesSignature(SignedApproval(APPROVER_1, NO_END, signedBy(APPROVER_2_KEY, right)));
        _refusesSignature(SignedApproval(APPROVER_1, NO_END, ""));
        _refusesSignature(SignedApproval(APPROVER_1, NO_END, new bytes(65)));
        // The same signature with the other s: one signature has one form.
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(APPROVER_1_KEY, right);
        bytes32 high = bytes32(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - uint256(s));
        _refusesSignature(SignedApproval(APPROVER_1, NO_END, abi.encodePacked(r, high, v == 27 ? 28 : 27)));
        _refusesSignature(SignedApproval(APPROVER_1, NO_END, abi.encodePacked(r, s, v, hex"00")));
    }

    /// @dev One bad signature spoils the submission that has it, so that a mistake is noticed; nothing of it is counted.
    function test_countsNothingOfASubmissionWithABadSignature() public {
        SignedApproval memory bad = SignedApproval(APPROVER_2, NO_END, new bytes(65));
        bytes memory invalid = abi.encodeWithSelector(IDecisions.ApprovalSignatureInvalid.selector, APPROVER_2);
        _refuses(APPROVER_3, _two(_signed(APPROVER_1_KEY), bad), invalid);
        equal(IDecisions(address(hosts)).approvalsOf(decision), 0, "approvals");
    }

    function test_takesContractsAsApprovers() public {
        Wallet wallet = new Wallet(VM.addr(77));
        address[] memory list = new address[](2);
        (list[0], list[1]) = (address(wallet), APPROVER_1);
        _change(list, 2);

        decision = decisionOf(members, 2);
        bytes32 digest = approvalDigest(address(hosts), members, address(wallet), 2, NO_END);
        _refusesSignature(SignedApproval(address(wallet), NO_END, signedBy(78, digest)));
        _refusesSignature(SignedApproval(address(wallet), NO_END, ""));
        _appoint(OUTSIDER, one(SignedApproval(address(wallet), NO_END, signedBy(77, digest))));
        equal(IDecisions(address(hosts)).approvalsOf(decision), 1, "by signature");
        _appoint(APPROVER_1, noApprovals());
        isTrue(hosts.isRegistrar(CANDIDATE), "appointed");

        wallet.send(address(hosts), abi.encodeCall(hosts.changeRegistrar, (CANDIDATE, false, 1, noApprovals())));
        decision = decisionOf(registrarChange(CANDIDATE, false, 1), 2);
        equal(IDecisions(address(hosts)).approvalsOf(decision), 1, "by transaction");
    }

    /// @dev One key may speak for two accounts, but each of them has to be signed for.
    function test_countsASignatureForTheApproverThatItNamesAlone() public {
        address[] memory list = new address[](3);
        (list[0], list[1], list[2]) = (address(new Wallet(VM.addr(77))), address(new Wallet(VM.addr(77))), VM.addr(77));
        _change(list, 2);
        bytes memory signature = signedBy(77, approvalDigest(address(hosts), members, list[0], 2, NO_END));
        decision = decisionOf(members, 2);
        for (uint256 i = 1; i < 3; ++i) _refusesSignature(SignedApproval(list[i], NO_END, signature));
        _appoint(OUTSIDER, one(SignedApproval(list[0], NO_END, signature)));
        isFalse(hosts.isRegistrar(CANDIDATE), "one signature, one approval");
        _appoint(OUTSIDER, one(_signed(77)));
        isTrue(hosts.isRegistrar(CANDIDATE), "two of two");
    }

    /// @dev EIP-7702: code at a key's address takes nothing from the key.
    function test_takesTheSignatureOfAKeyWhoseAccountHasCode() public {
        VM.etch(APPROVER_1, hex"ef01000000000000000000000000000000000000000bad");
        VM.etch(APPROVER_2, address(new Wallet(VM.addr(77))).code);
        _appoint(OUTSIDER, one(_signed(APPROVER_1_KEY)));
        SignedApproval memory byWallet = SignedApproval(
            APPROVER_2,
            NO_END,
            signedBy(77, approvalDigest(address(hosts), members, APPROVER_2, 1, NO_END))
        );
        _refusesSignature(SignedApproval(APPROVER_2, NO_END, signedBy(78, decision)));
        _appoint(OUTSIDER, one(byWallet));
        isTrue(hosts.isRegistrar(CANDIDATE), "by the key, and by the code");
    }

    function test_refusesContractsThatDoNotAnswer() public {
        address[] memory list = new address[](2);
        (list[0], list[1]) = (address(hosts), APPROVER_1);
        _change(list, 2);
        _refusesSignature(SignedApproval(address(hosts), NO_END, new bytes(65)));
    }

    // -------------------------------------------------------------------------
    // Terms
    // -------------------------------------------------------------------------

    function test_voidsApprovalsWithTheTerm() public {
        SignedApproval memory old = _signed(APPROVER_2_KEY);
        _appoint(APPROVER_1, noApprovals());
        address[] memory list = new address[](3);
        (list[0], list[1], list[2]) = (APPROVER_1, APPROVER_2, OUTSIDER);
        _change(list, 2);

        equal(IDecisions(address(hosts)).approvalsOf(decision), 0, "of the present term");
        equal(IDecisions(address(hosts)).approvalsOf(decisionOf(members, 2)), 0, "of the present term");
        // Who is an approver again signed for the earlier term all the same.
        _refusesSignature(old);
        _refuses(APPROVER_3, noApprovals(), abi.encodeWithSelector(IDecisions.NotApprover.selector, APPROVER_3));
        decision = decisionOf(members, 2);
        _appoint(APPROVER_1, noApprovals());
        isFalse(hosts.isRegistrar(CANDIDATE), "one of two");
        _appoint(OUTSIDER, noApprovals());
        isTrue(hosts.isRegistrar(CANDIDATE), "two of two");
    }

    function test_refusesFormerApprovers() public {
        SignedApproval memory old = _signed(APPROVER_3_KEY);
        address[] memory list = new address[](2);
        (list[0], list[1]) = (APPROVER_1, APPROVER_2);
        _change(list, 1);
        bytes memory nobody = abi.encodeWithSelector(IDecisions.NotApprover.selector, OUTSIDER);
        _refuses(OUTSIDER, one(old), nobody);
        _refuses(OUTSIDER, one(_signed(APPROVER_3_KEY)), nobody);
        VM.prank(APPROVER_3);
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.NotRegistrarNorApprover.selector, APPROVER_3));
        hosts.suspend(keccak256("any host"));
        _appoint(APPROVER_1, noApprovals());
        isTrue(hosts.isRegistrar(CANDIDATE), "one of one");
    }

    // -------------------------------------------------------------------------
    // Registrars
    // -------------------------------------------------------------------------

    function test_neverAppointsTwiceByTheSameSignatures() public {
        SignedApproval[] memory appointment = _two(_signed(APPROVER_1_KEY), _signed(APPROVER_2_KEY));
        _appoint(OUTSIDER, appointment);
        _refuses(OUTSIDER, appointment, abi.encodeWithSelector(IHostRegistry.NonceIs.selector, 1));
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.RegistrarUnchanged.selector, CANDIDATE));
        hosts.changeRegistrar(CANDIDATE, true, 1, appointment);

        bytes memory dismissal = registrarChange(CANDIDATE, false, 1);
        SignedApproval[] memory two = _two(
            approvalBy(APPROVER_3_KEY, address(hosts), dismissal, NO_END),
            approvalBy(APPROVER_2_KEY, address(hosts), dismissal, NO_END)
        );
        VM.expectEmit(address(hosts));
        emit IHostRegistry.RegistrarChanged(CANDIDATE, false, 2);
        hosts.changeRegistrar(CANDIDATE, false, 1, two);
        isFalse(hosts.isRegistrar(CANDIDATE), "dismissed");
        equal(hosts.registrarNonce(CANDIDATE), 2, "nonce");
        _refuses(OUTSIDER, appointment, abi.encodeWithSelector(IHostRegistry.NonceIs.selector, 2));
        VM.expectRevert(abi.encodeWithSelector(IDecisions.ApprovalSignatureInvalid.selector, APPROVER_1));
        hosts.changeRegistrar(CANDIDATE, true, 2, appointment);
    }

    function test_dismissesTheLastRegistrarAndAppointsAnother() public {
        VM.prank(APPROVER_1);
        hosts.changeRegistrar(REGISTRAR, false, 1, noApprovals());
        isTrue(hosts.isRegistrar(REGISTRAR), "one of two");
        VM.prank(APPROVER_2);
        hosts.changeRegistrar(REGISTRAR, false, 1, noApprovals());
        VM.prank(REGISTRAR);
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.NotRegistrar.selector, REGISTRAR));
        hosts.reinstate(keccak256("any host"));
        _appoint(OUTSIDER, _two(_signed(APPROVER_1_KEY), _signed(APPROVER_2_KEY)));
        isTrue(hosts.isRegistrar(CANDIDATE), "another");
    }

    function test_refusesToChangeNothing() public {
        VM.startPrank(APPROVER_1);
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.RegistrarUnchanged.selector, REGISTRAR));
        hosts.changeRegistrar(REGISTRAR, true, 1, noApprovals());
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.RegistrarUnchanged.selector, CANDIDATE));
        hosts.changeRegistrar(CANDIDATE, false, 0, noApprovals());
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.RegistrarZero.selector));
        hosts.changeRegistrar(address(0), true, 0, noApprovals());
    }

    // -------------------------------------------------------------------------
    // Any approvers, any order, any way
    // -------------------------------------------------------------------------

    /// @dev n approvers, threshold k, 24 submissions by random ones, sent or signed or both, with repetitions.
    function testFuzz_decidesAtTheKthDifferentApproval(uint8 n, uint8 k, uint256 seed) public {
        n = 1 + (n % 12);
        k = 1 + (k % n);
        address[] memory list = new address[](n);
        for (uint256 i = 0; i < n; ++i) list[i] = VM.addr(100 + i);
        _change(list, k);
        bool[] memory approved = new bool[](n);
        uint256 count = 0;
        for (uint256 round = 0; round < 24 && count < k; ++round) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 sender = seed % n;
            bool isSent = seed & (1 << 128) != 0;
            SignedApproval[] memory approvals = new SignedApproval[]((seed >> 130) % 3);
            uint256 before = count;
            if (isSent && !approved[sender]) (approved[sender], count) = (true, count + 1);
            for (uint256 i = 0; i < approvals.length; ++i) {
                uint256 signer = (seed >> (140 + 16 * i)) % n;
                approvals[i] = _signed(100 + signer);
                if (!approved[signer]) (approved[signer], count) = (true, count + 1);
            }
            VM.prank(isSent ? list[sender] : OUTSIDER);
            if (!isSent && approvals.length == 0) {
                VM.expectRevert(abi.encodeWithSelector(IDecisions.NotApprover.selector, OUTSIDER));
            } else if (count == before) {
                VM.expectRevert(abi.encodeWithSelector(IDecisions.AlreadyApproved.selector, decisionOf(members, 2)));
            }
            hosts.changeRegistrar(CANDIDATE, true, 0, approvals);
            equal(IDecisions(address(hosts)).approvalsOf(decisionOf(members, 2)), count, "approvals");
            isTrue(hosts.isRegistrar(CANDIDATE) == (count >= k), "appointed at the k-th");
        }
    }

    // -------------------------------------------------------------------------

    function _signed(uint256 key) private view returns (SignedApproval memory) {
        return approvalBy(key, address(hosts), members, NO_END);
    }

    function _two(
        SignedApproval memory a,
        SignedApproval memory b
    ) private pure returns (SignedApproval[] memory list) {
        list = new SignedApproval[](2);
        (list[0], list[1]) = (a, b);
    }

    function _onAnotherChain() private returns (bytes32 digest) {
        VM.chainId(1);
        digest = approvalDigest(address(hosts), members, APPROVER_1, 1, NO_END);
        VM.chainId(31337);
    }

    function _expectApproval(address approver, uint32 approvals) private {
        VM.expectEmit(address(hosts));
        emit IDecisions.DecisionApproved(decision, approver, 1, approvals);
    }

    function _appoint(address sender, SignedApproval[] memory approvals) private {
        VM.prank(sender);
        hosts.changeRegistrar(CANDIDATE, true, 0, approvals);
    }

    function _appointNothingNew(address sender, SignedApproval[] memory approvals) private {
        _refuses(sender, approvals, abi.encodeWithSelector(IDecisions.AlreadyApproved.selector, decision));
    }

    function _refuses(address sender, SignedApproval[] memory approvals, bytes memory error_) private {
        VM.prank(sender);
        VM.expectRevert(error_);
        hosts.changeRegistrar(CANDIDATE, true, 0, approvals);
    }

    function _refusesSignature(SignedApproval memory approval) private {
        _refuses(
            OUTSIDER,
            one(approval),
            abi.encodeWithSelector(IDecisions.ApprovalSignatureInvalid.selector, approval.approver)
        );
    }

    function _change(address[] memory list, uint32 threshold) private {
        VM.prank(APPROVER_1);
        vmms.changeApprovers(list, threshold, 1, noApprovals());
        VM.prank(APPROVER_2);
        vmms.changeApprovers(list, threshold, 1, noApprovals());
        equal(vmms.term(), 2, "term");
    }
}
