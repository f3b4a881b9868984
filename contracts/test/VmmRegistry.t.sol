// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "./support/Rig.sol";
import {Vm} from "./support/Vm.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {IVmmRegistry} from "../src/interfaces/IVmmRegistry.sol";
import {Assurance, Quote, Vmm, VmmStatus} from "../src/interfaces/Types.sol";

contract VmmRegistryTest is Rig {
    Tpm private tpm;

    function setUp() public {
        deployAll();
        tpm = makeTpm(1);
        enrol(tpm, Assurance.Software);
    }

    function test_goesFromProposedToAuthorisedToRevoked() public {
        VM.recordLogs();
        bytes32 vmmHash = _propose();
        Vm.Log[] memory logs = VM.getRecordedLogs();
        equal(logs.length, 1, "one event");
        equal(logs[0].topics[0], IVmmRegistry.VmmProposed.selector, "proposed");
        equal(logs[0].topics[1], vmmHash, "vmmHash");
        equal(logs[0].topics[2], tpm.hostId, "hostId");
        (uint32 epoch, bytes32 manifestHash, bytes memory attested) = abi.decode(
            logs[0].data,
            (uint32, bytes32, bytes)
        );
        equal(epoch, 1, "epoch");
        equal(manifestHash, MANIFEST, "manifest");
        equal(keccak256(attested), vmmHash, "attested");
        equal(vmmHash, vmmHashNow(), "vmmHash of the quote");
        _is(vmmHash, VmmStatus.Proposed, 1, 0);

        VM.roll(1010);
        _approve(APPROVER_1, vmmHash, 1);
        _is(vmmHash, VmmStatus.Proposed, 1, 1);
        isFalse(vmms.isAuthorised(vmmHash), "one approval of two");
        VM.roll(1020);
        _approve(APPROVER_3, vmmHash, 1);
        _is(vmmHash, VmmStatus.Authorised, 1, 2);
        isTrue(vmms.isAuthorised(vmmHash), "two approvals");
        equal(vmms.vmm(vmmHash).authorisedAt, 1020, "authorisedAt");

        VM.roll(1030);
        VM.prank(APPROVER_2);
        vmms.revoke(vmmHash);
        _is(vmmHash, VmmStatus.Revoked, 1, 2);
        isFalse(vmms.isAuthorised(vmmHash), "revoked");
        equal(vmms.vmm(vmmHash).revokedAt, 1030, "revokedAt");
    }

    function test_answersForEveryBlockOfItsHistory() public {
        VM.roll(1010);
        bytes32 vmmHash = authorise(tpm);
        VM.roll(1020);
        VM.prank(APPROVER_1);
        vmms.revoke(vmmHash);
        VM.roll(1030);
        _propose();
        VM.roll(1040);
        _approve(APPROVER_1, vmmHash, 2);
        _approve(APPROVER_2, vmmHash, 2);

        uint64[7] memory asOf = [uint64(1009), 1010, 1019, 1020, 1030, 1039, 1040];
        bool[7] memory authorised = [false, true, true, false, false, false, true];
        for (uint256 i = 0; i < asOf.length; ++i) {
            isTrue(vmms.wasAuthorised(vmmHash, asOf[i]) == authorised[i], VM.toString(asOf[i]));
        }
        isFalse(vmms.wasAuthorised(keccak256("another"), 1040), "another");
    }

    function test_forgetsTheApprovalsOfAnEarlierEpoch() public {
        bytes32 vmmHash = _propose();
        _approve(APPROVER_1, vmmHash, 1);
        VM.prank(APPROVER_2);
        vmms.revoke(vmmHash);
        _propose();
        _is(vmmHash, VmmStatus.Proposed, 2, 0);
        _refusesApproval(APPROVER_2, vmmHash, 1, abi.encodeWithSelector(IVmmRegistry.EpochIs.selector, vmmHash, 2));
        _approve(APPROVER_1, vmmHash, 2);
        _is(vmmHash, VmmStatus.Proposed, 2, 1);
    }

    function test_countsEachApproverOnce() public {
        bytes32 vmmHash = _propose();
        _approve(APPROVER_1, vmmHash, 1);
        _refusesApproval(
            APPROVER_1,
            vmmHash,
            1,
            abi.encodeWithSelector(IVmmRegistry.AlreadyApproved.selector, vmmHash, APPROVER_1)
        );
    }

    function test_refusesApprovalsOfWhatIsNotProposed() public {
        bytes32 vmmHash = authorise(tpm);
        _refusesApproval(
            APPROVER_3,
            vmmHash,
            1,
            abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, vmmHash, VmmStatus.Authorised)
        );
        bytes32 unknown = keccak256("unknown");
        _refusesApproval(
            APPROVER_3,
            unknown,
            0,
            abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, unknown, VmmStatus.None)
        );
        VM.prank(APPROVER_1);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, unknown, VmmStatus.None));
        vmms.revoke(unknown);
    }

    function test_refusesAnybodyButAnApprover() public {
        bytes32 vmmHash = _propose();
        bytes memory error_ = abi.encodeWithSelector(IVmmRegistry.NotApprover.selector, address(this));
        VM.expectRevert(error_);
        vmms.approve(vmmHash, 1);
        VM.expectRevert(error_);
        vmms.revoke(vmmHash);
    }

    function test_refusesASecondProposalWhileOneStands() public {
        bytes32 vmmHash = _propose();
        Quote memory again = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.VmmStatusIs.selector, vmmHash, VmmStatus.Proposed));
        vmms.propose(tpm.hostId, MANIFEST, uint64(block.number - 1), again);
    }

    function test_refusesProposalsOfHostsThatAreNotActive() public {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.HostNotActive.selector, tpm.hostId));
        vmms.propose(tpm.hostId, MANIFEST, uint64(block.number - 1), quote);

        Tpm memory stranger = makeTpm(2);
        quote = makeQuote(stranger, VMM, address(vmms), MANIFEST);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.HostNotActive.selector, stranger.hostId));
        vmms.propose(stranger.hostId, MANIFEST, uint64(block.number - 1), quote);
    }

    function test_refusesAQuoteForAnotherManifest() public {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        VM.expectRevert();
        vmms.propose(tpm.hostId, keccak256("another"), uint64(block.number - 1), quote);
    }

    function test_refusesAQuoteThatIsTooOld() public {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        uint64 anchor = uint64(block.number - 1);
        VM.roll(anchor + 257);
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.AnchorOutOfReach.selector, anchor));
        vmms.propose(tpm.hostId, MANIFEST, anchor, quote);
    }

    function test_refusesPcrsThatAnybodyCanReset() public {
        bytes3[3] memory selections = [bytes3(0), 0x002001, 0x002080];
        for (uint256 i = 0; i < selections.length; ++i) {
            tpmState.select = selections[i];
            Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
            VM.expectRevert(abi.encodeWithSelector(TpmQuote.SelectionUnsupported.selector));
            vmms.propose(tpm.hostId, MANIFEST, uint64(block.number - 1), quote);
        }
    }

    function test_refusesAThresholdOrApproversThatMakeNoSense() public {
        address[] memory three = approvers();
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.ThresholdInvalid.selector, 3, 0));
        this.deployWith(three, 0);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.ThresholdInvalid.selector, 3, 4));
        this.deployWith(three, 4);
        three[2] = APPROVER_1;
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.ApproverDuplicate.selector, APPROVER_1));
        this.deployWith(three, 2);
        three[2] = address(0);
        VM.expectRevert(abi.encodeWithSelector(IVmmRegistry.NotApprover.selector, address(0)));
        this.deployWith(three, 2);
    }

    function deployWith(address[] calldata list, uint32 threshold) external returns (address) {
        return deploy("VmmRegistry", abi.encode(hosts, list, threshold));
    }

    // -------------------------------------------------------------------------

    function _propose() private returns (bytes32) {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        return vmms.propose(tpm.hostId, MANIFEST, uint64(block.number - 1), quote);
    }

    function _approve(address approver, bytes32 vmmHash, uint32 epoch) private {
        VM.prank(approver);
        vmms.approve(vmmHash, epoch);
    }

    function _refusesApproval(address approver, bytes32 vmmHash, uint32 epoch, bytes memory error_) private {
        VM.prank(approver);
        VM.expectRevert(error_);
        vmms.approve(vmmHash, epoch);
    }

    function _is(bytes32 vmmHash, VmmStatus status, uint32 epoch, uint32 approvals) private view {
        Vmm memory vmm = vmms.vmm(vmmHash);
        isTrue(vmm.status == status, "status");
        equal(vmm.epoch, epoch, "epoch");
        equal(vmm.approvals, approvals, "approvals");
        equal(vmm.manifestHash, MANIFEST, "manifest");
    }
}
