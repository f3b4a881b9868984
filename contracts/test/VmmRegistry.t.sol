// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "./support/Rig.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {IDecisions} from "../src/interfaces/IDecisions.sol";
import {IVmmRegistry} from "../src/interfaces/IVmmRegistry.sol";
import {Assurance, Quote, SignedApproval, Vmm, VmmStatus} from "../src/interfaces/Types.sol";

contract VmmRegistryTest is Rig {
    bytes32 private constant OTHER_MANIFEST = keccak256("another manifest");

    Tpm private tpm;

    function setUp() public {
        deployRegistries();
        tpm = makeTpm(1);
        enrol(tpm, Assurance.Software);
        VM.roll(1001);
    }

    // -------------------------------------------------------------------------
    // From proposed to revoked
    // -------------------------------------------------------------------------

    function test_goesFromProposedToAuthorisedToRevoked() public {
        bytes32 vmmHash = vmmHashNow();
        _expectProposed(vmmHash, tpm.hostId, 1, MANIFEST);
        equal(propose(tpm), vmmHash, "vmmHash");
        _is(vmmHash, VmmStatus.Proposed, true, 1, 1001, 0);

        VM.roll(1010);
        approve(APPROVER_1, vmmHash, 1, NO_END);
        _is(vmmHash, VmmStatus.Proposed, true, 1, 1001, 0);
        isFalse(vmms.isAuthorised(vmmHash), "one approval of two");
        VM.roll(1020);
        VM.expectEmit(address(vmms));
        emit IDecisions.DecisionApproved(decisionOf(vmmApproval(vmmHash, 1, NO_END), 1), APPROVER_3, 1, 2);
        VM.expectEmit(address(vmms));
        emit IVmmRegistry.VmmAuthorised(vmmHash, 1, NO_END);
        approve(APPROVER_3, vmmHash, 1, NO_END);
        _is(vmmHash, VmmStatus.Authorised, true, 1, 1020, NO_END);
        isTrue(vmms.isAuthorised(vmmHash), "two approvals");

        VM.roll(1030);
        VM.expectEmit(address(vmms));
        emit IVmmRegistry.VmmRevoked(vmmHash, APPROVER_2, 1);
        VM.prank(APPROVER_2);
        vmms.revoke(vmmHash);
        _is(vmmHash, VmmStatus.Revoked, true, 1, 1030, NO_END);
        isFalse(vmms.isAuthorised(vmmHash), "revoked");
    }

    function test_authorisesBySignatures() public {
        bytes32 vmmHash = propose(tpm);
        SignedApproval[] memory approvals = new SignedApproval[](2);
        approvals[0] = _signed(APPROVER_1_KEY, vmmHash, 1, 1_800_000_000);
        approvals[1] = _signed(APPROVER_2_KEY, vmmHash, 1, 1_800_000_000);
        vmms.approve(vmmHash, 1, MANIFEST, 1_800_000_000, approvals);
        _is(vmmHash, VmmStatus.Authorised, true, 1, 1001, 1_800_000_000);
    }

    /// forge-config: default.evm_version = "osaka"
    function test_authorisesWhereThereIsAPrecompile() public {
        isTrue(vmms.isAuthorised(authorise(tpm)), "authorised");
    }

    function test_revokesAProposal() public {
        bytes32 vmmHash = propose(tpm);
        _revoke(vmmHash);
        _is(vmmHash, VmmStatus.Revoked, true, 1, 1001, 0);
    }

    function test_answersForEveryBlockOfItsHistory() public {
        VM.roll(1010);
        bytes32 vmmHash = authorise(tpm, 1_700_000_100);
        VM.roll(1020);
        _revoke(vmmHash);
        VM.roll(1030);
        propose(tpm);
        VM.roll(1040);
        approve(APPROVER_1, vmmHash, 2, NO_END);
        approve(APPROVER_2, vmmHash, 2, NO_END);
        VM.roll(1050);

        uint64[9] memory asOf = [0, uint64(1009), 1010, 1019, 1020, 1030, 1039, 1040, type(uint64).max];
        uint8[9] memory statuses = [0, 0, 2, 2, 3, 1, 1, 2, 2];
        uint64[9] memory ends = [0, 0, uint64(1_700_000_100), 1_700_000_100, 1_700_000_100, 0, 0, NO_END, NO_END];
        for (uint256 i = 0; i < asOf.length; ++i) {
            (VmmStatus status, uint64 validUntil) = vmms.standingAt(vmmHash, asOf[i]);
            equal(uint8(status), statuses[i], VM.toString(asOf[i]));
            equal(validUntil, ends[i], VM.toString(asOf[i]));
        }
        (VmmStatus unknown, ) = vmms.standingAt(keccak256("another"), 1040);
        isTrue(unknown == VmmStatus.None, "another");
    }

    function test_refusesToRevokeWhatIsNotThere() public {
        bytes32 vmmHash = vmmHashNow();
        VM.startPrank(APPROVER_1);
        _expectStatusIs(vmmHash, VmmStatus.None);
        vmms.revoke(vmmHash);
        VM.stopPrank();
        propose(tpm);
        VM.startPrank(APPROVER_1);
        vmms.revoke(vmmHash);
        _expectStatusIs(vmmHash, VmmStatus.Revoked);
        vmms.revoke(vmmHash);
    }

    function test_refusesAnybodyButAnApprover() public {
        bytes32 vmmHash = propose(tpm);
        bytes memory error_ = abi.encodeWithSelector(IDecisions.NotApprover.selector, address(this));
        VM.expectRevert(error_);
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, noApprovals());
        VM.expectRevert(error_);
        vmms.revoke(vmmHash);
        VM.expectRevert(error_);
        vmms.predict(quoteInfoOf(PCR_13, keccak256("pcrs")), MANIFEST);
        VM.expectRevert(error_);
        vmms.changeApprovers(approvers(), 1, 1, noApprovals());
    }

    // -------------------------------------------------------------------------
    // Approvals
    // -------------------------------------------------------------------------

    function test_forgetsTheApprovalsOfAnEarlierEpoch() public {
        bytes32 vmmHash = propose(tpm);
        SignedApproval memory old = _signed(APPROVER_3_KEY, vmmHash, 1, NO_END);
        approve(APPROVER_1, vmmHash, 1, NO_END);
        _revoke(vmmHash);
        VM.roll(1002);
        propose(tpm);
        _is(vmmHash, VmmStatus.Proposed, true, 2, 1002, 0);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.EpochIs.selector, vmmHash, 2));
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, one(old));
        VM.expectRevert(abi.encodeWithSelector(IDecisions.ApprovalSignatureInvalid.selector, APPROVER_3));
        vmms.approve(vmmHash, 2, MANIFEST, NO_END, one(old));
        approve(APPROVER_1, vmmHash, 2, NO_END);
        _is(vmmHash, VmmStatus.Proposed, true, 2, 1002, 0);
        approve(APPROVER_2, vmmHash, 2, NO_END);
        _is(vmmHash, VmmStatus.Authorised, true, 2, 1002, NO_END);
    }

    function test_countsEachEndOfValidityForItself() public {
        bytes32 vmmHash = propose(tpm);
        uint64 end = uint64(block.timestamp + 100);
        approve(APPROVER_1, vmmHash, 1, end);
        approve(APPROVER_2, vmmHash, 1, end + 1);
        approve(APPROVER_1, vmmHash, 1, NO_END);
        _is(vmmHash, VmmStatus.Proposed, true, 1, 1001, 0);
        approve(APPROVER_3, vmmHash, 1, end);
        _is(vmmHash, VmmStatus.Authorised, true, 1, 1001, end);
        VM.prank(APPROVER_3);
        _expectStatusIs(vmmHash, VmmStatus.Authorised);
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, noApprovals());
    }

    function test_refusesApprovalsOfWhatIsNotProposed() public {
        bytes32 unknown = keccak256("unknown");
        VM.startPrank(APPROVER_3);
        _expectStatusIs(unknown, VmmStatus.None);
        vmms.approve(unknown, 0, MANIFEST, NO_END, noApprovals());
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.EpochIs.selector, unknown, 0));
        vmms.approve(unknown, 1, MANIFEST, NO_END, noApprovals());
        VM.stopPrank();
        bytes32 vmmHash = authorise(tpm);
        VM.startPrank(APPROVER_3);
        _expectStatusIs(vmmHash, VmmStatus.Authorised);
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, noApprovals());
        vmms.revoke(vmmHash);
        _expectStatusIs(vmmHash, VmmStatus.Revoked);
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, noApprovals());
    }

    function test_refusesAnEndThatIsOver() public {
        bytes32 vmmHash = propose(tpm);
        uint64 now_ = uint64(block.timestamp);
        VM.startPrank(APPROVER_1);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.ValidityOver.selector, now_ - 1));
        vmms.approve(vmmHash, 1, MANIFEST, now_ - 1, noApprovals());
        vmms.approve(vmmHash, 1, MANIFEST, now_, noApprovals());
        VM.stopPrank();
        // The end may pass between the first approval and the last.
        VM.warp(now_ + 1);
        VM.prank(APPROVER_2);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.ValidityOver.selector, now_));
        vmms.approve(vmmHash, 1, MANIFEST, now_, noApprovals());
    }

    function test_endsItsValidity() public {
        uint64 end = uint64(block.timestamp + 100);
        bytes32 vmmHash = authorise(tpm, end);
        VM.warp(end);
        isTrue(vmms.isAuthorised(vmmHash), "inclusive");
        _refusesProposal(MANIFEST, abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, vmmHash, 2));
        VM.warp(end + 1);
        isFalse(vmms.isAuthorised(vmmHash), "over");
        _is(vmmHash, VmmStatus.Authorised, true, 1, 1001, end);
        VM.prank(APPROVER_1);
        _expectStatusIs(vmmHash, VmmStatus.Authorised);
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, noApprovals());

        VM.roll(1010);
        _expectProposed(vmmHash, tpm.hostId, 2, MANIFEST);
        propose(tpm);
        _is(vmmHash, VmmStatus.Proposed, true, 2, 1010, 0);
        (VmmStatus status, uint64 validUntil) = vmms.standingAt(vmmHash, 1009);
        isTrue(status == VmmStatus.Authorised && validUntil == end, "until the new proposal");
    }

    function test_revokesWhatIsPastItsValidity() public {
        bytes32 vmmHash = authorise(tpm, uint64(block.timestamp));
        VM.warp(block.timestamp + 1);
        _revoke(vmmHash);
        isTrue(vmms.vmm(vmmHash).status == VmmStatus.Revoked, "revoked");
    }

    /// @dev A host with the same measurement proposes first, and chooses the manifest: what was signed ahead is not for it.
    function test_authorisesNoManifestButTheOneThatWasApproved() public {
        bytes32 vmmHash = vmmHashNow();
        SignedApproval[] memory ahead = new SignedApproval[](2);
        ahead[0] = _signed(APPROVER_1_KEY, vmmHash, 1, NO_END);
        ahead[1] = _signed(APPROVER_2_KEY, vmmHash, 1, NO_END);
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), OTHER_MANIFEST);
        vmms.propose(tpm.hostId, OTHER_MANIFEST, 1000, quote);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.ManifestIs.selector, OTHER_MANIFEST));
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, ahead);
        VM.expectRevert(abi.encodeWithSelector(IDecisions.ApprovalSignatureInvalid.selector, APPROVER_1));
        vmms.approve(vmmHash, 1, OTHER_MANIFEST, NO_END, ahead);
        VM.prank(APPROVER_1);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.ManifestIs.selector, OTHER_MANIFEST));
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, noApprovals());
        isFalse(vmms.isAuthorised(vmmHash), "not authorised");
    }

    // -------------------------------------------------------------------------
    // Proposals
    // -------------------------------------------------------------------------

    function test_refusesASecondProposalWhileOneStands() public {
        bytes32 vmmHash = propose(tpm);
        _refusesProposal(MANIFEST, abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, vmmHash, 1));
        approve(APPROVER_1, vmmHash, 1, NO_END);
        approve(APPROVER_2, vmmHash, 1, NO_END);
        _refusesProposal(MANIFEST, abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, vmmHash, 2));
        _refusesProposal(OTHER_MANIFEST, abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, vmmHash, 2));
    }

    function test_refusesTheSameQuoteAfterARevocation() public {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        bytes32 vmmHash = vmms.propose(tpm.hostId, MANIFEST, 1000, quote);
        _revoke(vmmHash);
        bytes memory outdated = abi.encodeWithSelector(IVmmRegistry.QuoteOutdated.selector, 1001);
        VM.expectRevert(outdated);
        vmms.propose(tpm.hostId, MANIFEST, 1000, quote);
        VM.roll(1010);
        VM.expectRevert(outdated);
        vmms.propose(tpm.hostId, MANIFEST, 1000, quote);
        quote = makeQuoteAt(tpm, VMM, address(vmms), MANIFEST, 1001);
        vmms.propose(tpm.hostId, MANIFEST, 1001, quote);
        _is(vmmHash, VmmStatus.Proposed, true, 2, 1010, 0);
    }

    /// @dev Accepted before or not: what was quoted under the VMM that was revoked says nothing of its next epoch.
    function test_refusesToProveByAQuoteFromBeforeThePrediction() public {
        bytes32 vmmHash = propose(tpm);
        VM.roll(1010);
        Quote memory unused = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        _revoke(vmmHash);
        VM.roll(1011);
        _predict(MANIFEST);
        VM.roll(1012);
        bytes memory outdated = abi.encodeWithSelector(IVmmRegistry.QuoteOutdated.selector, 1011);
        VM.expectRevert(outdated);
        vmms.propose(tpm.hostId, MANIFEST, 1009, unused);
        Quote memory older = makeQuoteAt(tpm, VMM, address(vmms), MANIFEST, 1010);
        VM.expectRevert(outdated);
        vmms.propose(tpm.hostId, MANIFEST, 1010, older);
        _is(vmmHash, VmmStatus.Proposed, false, 2, 1011, 0);
        Quote memory since = makeQuoteAt(tpm, VMM, address(vmms), MANIFEST, 1011);
        vmms.propose(tpm.hostId, MANIFEST, 1011, since);
        _is(vmmHash, VmmStatus.Proposed, true, 2, 1011, 0);
    }

    function test_refusesProposalsOfHostsThatAreNotActive() public {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.HostNotActive.selector, tpm.hostId));
        vmms.propose(tpm.hostId, MANIFEST, 1000, quote);
        VM.prank(REGISTRAR);
        hosts.retire(tpm.hostId);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.HostNotActive.selector, tpm.hostId));
        vmms.propose(tpm.hostId, MANIFEST, 1000, quote);

        Tpm memory stranger = makeTpm(2);
        quote = makeQuote(stranger, VMM, address(vmms), MANIFEST);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.HostNotActive.selector, stranger.hostId));
        vmms.propose(stranger.hostId, MANIFEST, 1000, quote);
    }

    function test_refusesAQuoteForAnythingElse() public {
        Quote[4] memory quotes = [
            makeQuote(tpm, VMM, address(vmms), OTHER_MANIFEST),
            makeQuote(tpm, COMMIT, address(vmms), MANIFEST),
            makeQuote(tpm, VMM, address(hosts), MANIFEST),
            makeQuoteAt(tpm, VMM, address(vmms), MANIFEST, 999)
        ];
        for (uint256 i = 0; i < quotes.length; ++i) _refusesBinding(quotes[i]);
        VM.chainId(1);
        Quote memory elsewhere = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        VM.chainId(31337);
        _refusesBinding(elsewhere);

        Tpm memory other = makeTpm(2);
        enrol(other, Assurance.Software);
        Quote memory others = makeQuote(other, VMM, address(vmms), MANIFEST);
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.AttestationKeyIs.selector, other.qualifiedName));
        vmms.propose(tpm.hostId, MANIFEST, 1000, others);
    }

    function test_refusesAQuoteThatIsTooOld() public {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        VM.roll(1000 + 257);
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.AnchorOutOfReach.selector, 1000));
        vmms.propose(tpm.hostId, MANIFEST, 1000, quote);
        VM.roll(1000 + 256);
        vmms.propose(tpm.hostId, MANIFEST, 1000, quote);
    }

    function test_refusesPcrsThatAnybodyCanReset() public {
        bytes3[3] memory selections = [bytes3(0), 0x002001, 0x002080];
        for (uint256 i = 0; i < selections.length; ++i) {
            tpmState.select = selections[i];
            _refusesProposal(MANIFEST, abi.encodeWithSelector(TpmQuote.SelectionMeaningless.selector));
            VM.prank(APPROVER_1);
            VM.expectRevert(abi.encodeWithSelector(TpmQuote.SelectionMeaningless.selector));
            vmms.predict(quoteInfoOf(selections[i], tpmState.pcrDigest), MANIFEST);
        }
    }

    // -------------------------------------------------------------------------
    // Predictions
    // -------------------------------------------------------------------------

    function test_predictsAndProvesBeforeItIsAuthorised() public {
        bytes32 vmmHash = vmmHashNow();
        _expectProposed(vmmHash, 0, 1, MANIFEST);
        equal(_predict(MANIFEST), vmmHash, "vmmHash");
        _is(vmmHash, VmmStatus.Proposed, false, 1, 1001, 0);

        VM.roll(1010);
        VM.expectEmit(address(vmms));
        emit IVmmRegistry.VmmProven(vmmHash, tpm.hostId, 1);
        propose(tpm);
        _is(vmmHash, VmmStatus.Proposed, true, 1, 1001, 0);
        _refusesProposal(MANIFEST, abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, vmmHash, 1));
    }

    function test_provesWhatIsAuthorised() public {
        bytes32 vmmHash = _predict(MANIFEST);
        approve(APPROVER_1, vmmHash, 1, NO_END);
        approve(APPROVER_2, vmmHash, 1, NO_END);
        _is(vmmHash, VmmStatus.Authorised, false, 1, 1001, NO_END);
        VM.roll(1010);
        propose(tpm);
        _is(vmmHash, VmmStatus.Authorised, true, 1, 1001, NO_END);
    }

    function test_refusesToProveWithAnotherManifest() public {
        _predict(MANIFEST);
        VM.roll(1002);
        _refusesProposal(OTHER_MANIFEST, abi.encodeWithSelector(IVmmRegistry.ManifestIs.selector, MANIFEST));
    }

    function test_proposesAnewWhereThePredictionsValidityIsOver() public {
        bytes32 vmmHash = _predict(MANIFEST);
        uint64 end = uint64(block.timestamp);
        approve(APPROVER_1, vmmHash, 1, end);
        approve(APPROVER_2, vmmHash, 1, end);
        VM.warp(end + 1);
        VM.roll(1002);
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), OTHER_MANIFEST);
        _expectProposed(vmmHash, tpm.hostId, 2, OTHER_MANIFEST);
        vmms.propose(tpm.hostId, OTHER_MANIFEST, 1001, quote);
        equal(vmms.vmm(vmmHash).manifestHash, OTHER_MANIFEST, "manifest");
    }

    /// @dev What an earlier epoch proved, a new prediction has to prove again.
    function test_predictsAgainAfterARevocationAndAfterTheEnd() public {
        uint64 end = uint64(block.timestamp);
        bytes32 vmmHash = authorise(tpm, end);
        VM.warp(end + 1);
        _predict(MANIFEST);
        _is(vmmHash, VmmStatus.Proposed, false, 2, 1001, 0);
        _revoke(vmmHash);
        _predict(OTHER_MANIFEST);
        Vmm memory vmm = vmms.vmm(vmmHash);
        isTrue(vmm.epoch == 3 && !vmm.isProven && vmm.manifestHash == OTHER_MANIFEST, "third epoch");
    }

    function test_refusesToPredictWhatStands() public {
        bytes32 vmmHash = _predict(MANIFEST);
        VM.prank(APPROVER_2);
        _expectStatusIs(vmmHash, VmmStatus.Proposed);
        vmms.predict(quoteInfoOf(tpmState.select, tpmState.pcrDigest), MANIFEST);
        approve(APPROVER_1, vmmHash, 1, NO_END);
        approve(APPROVER_2, vmmHash, 1, NO_END);
        VM.prank(APPROVER_2);
        _expectStatusIs(vmmHash, VmmStatus.Authorised);
        vmms.predict(quoteInfoOf(tpmState.select, tpmState.pcrDigest), MANIFEST);
    }

    function test_predictsTwoBanks() public {
        bytes memory both = abi.encodePacked(hex"00000002000b03", PCR_13, hex"000c03", PCR_13, hex"0020", MANIFEST);
        VM.prank(APPROVER_1);
        equal(vmms.predict(both, MANIFEST), keccak256(both), "vmmHash");
    }

    function test_refusesToPredictWhatIsNoMeasurement() public {
        bytes memory right = quoteInfoOf(PCR_13, MANIFEST);
        bytes[6] memory wrong = [
            bytes(""),
            bytes.concat(right, hex"00"),
            quoteInfoOf(PCR_13, MANIFEST),
            quoteInfoOf(PCR_13, MANIFEST),
            quoteInfoOf(PCR_13, MANIFEST),
            abi.encodePacked(hex"00000002000b03", PCR_13, hex"000b03", PCR_13, hex"0020", MANIFEST)
        ];
        wrong[2][3] = 0x02; // count
        wrong[3][5] = 0x04; // bank
        wrong[4][11] = 0x1f; // size of the digest
        for (uint256 i = 0; i < wrong.length; ++i) {
            VM.prank(APPROVER_1);
            VM.expectRevert();
            vmms.predict(wrong[i], MANIFEST);
        }
    }

    // -------------------------------------------------------------------------
    // Approvers
    // -------------------------------------------------------------------------

    function test_changesItsApprovers() public {
        address[] memory list = _accounts(5);
        bytes32 decision = decisionOf(approversChange(list, 3), 1);
        VM.prank(APPROVER_1);
        vmms.changeApprovers(list, 3, 1, noApprovals());
        equal(vmms.term(), 1, "one of two");
        equal(IDecisions(address(vmms)).approvalsOf(decision), 1, "approvals");
        VM.expectEmit(address(vmms));
        emit IDecisions.DecisionApproved(decision, APPROVER_3, 1, 2);
        VM.expectEmit(address(vmms));
        emit IVmmRegistry.ApproversChanged(2, list, 3);
        SignedApproval[] memory approvals = one(
            approvalBy(APPROVER_3_KEY, address(vmms), approversChange(list, 3), NO_END)
        );
        vmms.changeApprovers(list, 3, 1, approvals);

        equal(vmms.term(), 2, "term");
        equal(vmms.threshold(), 3, "threshold");
        _areApprovers(list);
        address[] memory former = approvers();
        for (uint256 i = 0; i < former.length; ++i) isFalse(vmms.isApprover(former[i]), "former");
        VM.prank(APPROVER_1);
        VM.expectRevert(abi.encodeWithSelector(IDecisions.NotApprover.selector, APPROVER_1));
        vmms.revoke(vmmHashNow());
        VM.prank(list[0]);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.TermIs.selector, 2));
        vmms.changeApprovers(list, 3, 1, noApprovals());
    }

    function test_voidsTheApprovalsOfAnEarlierTerm() public {
        bytes32 vmmHash = propose(tpm);
        SignedApproval memory old = _signed(APPROVER_2_KEY, vmmHash, 1, NO_END);
        approve(APPROVER_1, vmmHash, 1, NO_END);
        _change(approvers(), 2);
        VM.expectRevert(abi.encodeWithSelector(IDecisions.ApprovalSignatureInvalid.selector, APPROVER_2));
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, one(old));
        approve(APPROVER_1, vmmHash, 1, NO_END);
        isFalse(vmms.isAuthorised(vmmHash), "one of two");
        approve(APPROVER_3, vmmHash, 1, NO_END);
        isTrue(vmms.isAuthorised(vmmHash), "two of two");
    }

    function test_keepsWhatEarlierApproversAuthorised() public {
        bytes32 vmmHash = authorise(tpm);
        address[] memory list = _accounts(1);
        _change(list, 1);
        isTrue(vmms.isAuthorised(vmmHash), "still");
        VM.prank(list[0]);
        vmms.revoke(vmmHash);
        isFalse(vmms.isAuthorised(vmmHash), "revoked");
    }

    function test_takesSixtyFourApprovers() public {
        address[] memory list = _accounts(64);
        _change(list, 64);
        _areApprovers(list);
        equal(vmms.threshold(), 64, "threshold");
        bytes32 vmmHash = propose(tpm);
        SignedApproval[] memory approvals = new SignedApproval[](64);
        for (uint256 i = 0; i < 64; ++i) approvals[i] = _signed(100 + i, vmmHash, 1, NO_END);
        SignedApproval[] memory first = new SignedApproval[](63);
        for (uint256 i = 0; i < 63; ++i) first[i] = approvals[i];
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, first);
        isFalse(vmms.isAuthorised(vmmHash), "63 of 64");
        vmms.approve(vmmHash, 1, MANIFEST, NO_END, approvals);
        isTrue(vmms.isAuthorised(vmmHash), "64 of 64");
    }

    function test_refusesApproversOrAThresholdThatMakeNoSense() public {
        address[] memory three = approvers();
        _refusesApprovers(three, 0, abi.encodeWithSelector(IVmmRegistry.ThresholdInvalid.selector, 3, 0));
        _refusesApprovers(three, 4, abi.encodeWithSelector(IVmmRegistry.ThresholdInvalid.selector, 3, 4));
        address[] memory none = new address[](0);
        _refusesApprovers(none, 0, abi.encodeWithSelector(IVmmRegistry.ThresholdInvalid.selector, 0, 0));
        _refusesApprovers(none, 1, abi.encodeWithSelector(IVmmRegistry.ThresholdInvalid.selector, 0, 1));
        _refusesApprovers(_accounts(65), 1, abi.encodeWithSelector(IVmmRegistry.TooManyApprovers.selector, 65));
        three[2] = APPROVER_1;
        _refusesApprovers(three, 2, abi.encodeWithSelector(IVmmRegistry.ApproverDuplicate.selector, APPROVER_1));
        three[2] = address(0);
        _refusesApprovers(three, 2, abi.encodeWithSelector(IVmmRegistry.ApproverZero.selector));
    }

    function test_startsWithItsFirstApprovers() public {
        equal(vmms.term(), 1, "term");
        equal(vmms.threshold(), 2, "threshold");
        _areApprovers(approvers());
        VM.expectEmit(VM.computeCreateAddress(address(this), VM.getNonce(address(this))));
        emit IVmmRegistry.ApproversChanged(1, approvers(), 3);
        deploy("VmmRegistry", abi.encode(hosts, approvers(), 3));
    }

    function deployWith(address[] calldata list, uint32 threshold) external returns (address) {
        return deploy("VmmRegistry", abi.encode(hosts, list, threshold));
    }

    // -------------------------------------------------------------------------

    function _predict(bytes32 manifestHash) private returns (bytes32) {
        VM.prank(APPROVER_1);
        return vmms.predict(quoteInfoOf(tpmState.select, tpmState.pcrDigest), manifestHash);
    }

    function _revoke(bytes32 vmmHash) private {
        VM.prank(APPROVER_1);
        vmms.revoke(vmmHash);
    }

    function _signed(
        uint256 key,
        bytes32 vmmHash,
        uint32 epoch,
        uint64 validUntil
    ) private view returns (SignedApproval memory) {
        return approvalBy(key, address(vmms), vmmApproval(vmmHash, epoch, validUntil), NO_END);
    }

    function _accounts(uint256 count) private pure returns (address[] memory list) {
        list = new address[](count);
        for (uint256 i = 0; i < count; ++i) list[i] = VM.addr(100 + i);
    }

    function _change(address[] memory list, uint32 threshold) private {
        VM.prank(APPROVER_1);
        vmms.changeApprovers(list, threshold, 1, noApprovals());
        VM.prank(APPROVER_2);
        vmms.changeApprovers(list, threshold, 1, noApprovals());
        equal(vmms.term(), 2, "term");
    }

    function _areApprovers(address[] memory list) private view {
        equal(keccak256(abi.encode(vmms.approvers())), keccak256(abi.encode(list)), "approvers");
        for (uint256 i = 0; i < list.length; ++i) isTrue(vmms.isApprover(list[i]), "approver");
    }

    /// @dev Neither by a decision, not even the first approval of it, nor at deployment.
    function _refusesApprovers(address[] memory list, uint32 threshold, bytes memory error_) private {
        VM.prank(APPROVER_1);
        VM.expectRevert(error_);
        vmms.changeApprovers(list, threshold, 1, noApprovals());
        VM.expectRevert(error_);
        this.deployWith(list, threshold);
    }

    function _refusesProposal(bytes32 manifestHash, bytes memory error_) private {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), manifestHash);
        VM.expectRevert(error_);
        vmms.propose(tpm.hostId, manifestHash, uint64(block.number - 1), quote);
    }

    function _refusesBinding(Quote memory quote) private {
        bytes memory attest = quote.attest;
        bytes32 extraData;
        for (uint256 i = 0; i < 32; ++i) extraData |= bytes32(attest[44 + i]) >> (8 * i);
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.BindingIs.selector, extraData));
        vmms.propose(tpm.hostId, MANIFEST, 1000, quote);
    }

    function _expectStatusIs(bytes32 vmmHash, VmmStatus status) private {
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, vmmHash, status));
    }

    function _expectProposed(bytes32 vmmHash, bytes32 hostId, uint32 epoch, bytes32 manifestHash) private {
        VM.expectEmit(address(vmms));
        emit IVmmRegistry.VmmProposed(
            vmmHash,
            hostId,
            epoch,
            manifestHash,
            quoteInfoOf(tpmState.select, tpmState.pcrDigest)
        );
    }

    function _is(
        bytes32 vmmHash,
        VmmStatus status,
        bool isProven,
        uint32 epoch,
        uint64 since,
        uint64 validUntil
    ) private view {
        Vmm memory vmm = vmms.vmm(vmmHash);
        isTrue(vmm.status == status, "status");
        isTrue(vmm.isProven == isProven, "isProven");
        equal(vmm.epoch, epoch, "epoch");
        equal(vmm.since, since, "since");
        equal(vmm.validUntil, validUntil, "validUntil");
        equal(vmm.manifestHash, MANIFEST, "manifest");
    }
}
