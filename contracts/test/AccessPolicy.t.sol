// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "./support/Rig.sol";
import {Vm} from "./support/Vm.sol";
import {Reason} from "../src/Reason.sol";
import {IAccessPolicy} from "../src/interfaces/IAccessPolicy.sol";
import {AccessRequest, Assurance, Grant} from "../src/interfaces/Types.sol";

/// @dev A wallet whose only signature is the word "yes".
contract ContractWallet {
    function isValidSignature(bytes32, bytes calldata signature) external pure returns (bytes4) {
        return keccak256(signature) == keccak256("yes") ? bytes4(0x1626ba7e) : bytes4(0);
    }

    function registerData(IAccessPolicy policy, bytes32 salt) external returns (bytes32) {
        return policy.registerData(salt);
    }
}

/// @dev Answers everything with the four bytes of ERC-1271's magic value, which is not a word.
contract ShortAnswer {
    fallback(bytes calldata) external returns (bytes memory) {
        return hex"1626ba7e";
    }
}

contract AccessPolicyTest is Rig {
    uint256 private constant OWNER_KEY = 31;
    address private constant B = address(0xb);
    address private constant C = address(0xc);
    address private constant D = address(0xd);
    bytes32 private constant ENCRYPT = keccak256("attestry/op/encrypt/1");
    bytes32 private constant DECRYPT = keccak256("attestry/op/decrypt/1");

    address private owner;
    bytes32 private dataId;
    bytes32 private vmmHash;
    Tpm private tpm;
    uint256 private salts;

    function setUp() public {
        deployAll();
        owner = VM.addr(OWNER_KEY);
        tpm = makeTpm(1);
        enrol(tpm, Assurance.Software);
        vmmHash = authorise(tpm);
        VM.prank(owner);
        dataId = policy.registerData("salt");
        VM.roll(1001);
    }

    // -------------------------------------------------------------------------
    // Data
    // -------------------------------------------------------------------------

    function test_registersDataUnderItsOwnersAddress() public {
        equal(dataId, keccak256(abi.encode(owner, bytes32("salt"))), "dataId");
        equal(policy.ownerOf(dataId), owner, "owner");
        bytes32 other = keccak256(abi.encode(C, bytes32("salt")));
        VM.expectEmit(address(policy));
        emit IAccessPolicy.DataRegistered(other, C);
        VM.prank(C);
        equal(policy.registerData("salt"), other, "somebody else's");
        VM.prank(owner);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.DataExists.selector, dataId));
        policy.registerData("salt");
    }

    // -------------------------------------------------------------------------
    // Grants
    // -------------------------------------------------------------------------

    function test_entersAGrantAndSaysSoOnce() public {
        Grant memory g = _any(B);
        VM.recordLogs();
        bytes32 id = _grant(owner, g);
        Vm.Log[] memory logs = VM.getRecordedLogs();
        equal(logs.length, 1, "one event");
        equal(logs[0].topics[0], IAccessPolicy.Granted.selector, "event");
        equal(logs[0].topics[1], id, "event's id");
        equal(logs[0].topics[2], dataId, "event's data");
        equal(logs[0].topics[3], bytes32(uint256(uint160(owner))), "event's grantor");
        equal(keccak256(logs[0].data), keccak256(abi.encode(g)), "event's grant");

        (Grant memory stored, address grantor, uint64 grantedAt, uint64 revokedAt, uint64 uses) = policy.grantOf(id);
        equal(keccak256(abi.encode(stored)), keccak256(abi.encode(g)), "grant");
        equal(grantor, owner, "grantor");
        equal(grantedAt, 1001, "grantedAt");
        equal(revokedAt, 0, "revokedAt");
        equal(uses, 0, "uses");
        equal(id, policy.grantId(g), "id");
    }

    function test_takesAGrantByItsGrantorsSignature() public {
        Grant memory g = _any(B);
        bytes memory signature = signedBy(OWNER_KEY, policy.grantId(g));
        VM.prank(D);
        bytes32 id = policy.grantBySignature(g, owner, signature);
        (, address grantor, , , ) = policy.grantOf(id);
        equal(grantor, owner, "grantor");
    }

    function test_refusesASignatureByAnybodyElseOrForAnotherGrant() public {
        Grant memory g = _any(B);
        bytes32 id = policy.grantId(g);
        bytes memory error_ = abi.encodeWithSelector(IAccessPolicy.SignatureInvalid.selector);
        bytes memory good = signedBy(OWNER_KEY, id);

        _refusesSignature(g, owner, signedBy(OWNER_KEY + 1, id), error_);
        _refusesSignature(g, C, good, error_);
        _refusesSignature(g, address(0), "", error_);
        _refusesSignature(g, owner, "", error_);
        Grant memory wider = _any(B);
        wider.salt = g.salt;
        wider.operationId = ENCRYPT;
        _refusesSignature(wider, owner, good, error_);
        // Somebody who is not the owner signs in its own name.
        _refusesSignature(
            g,
            VM.addr(OWNER_KEY + 1),
            signedBy(OWNER_KEY + 1, id),
            abi.encodeWithSelector(IAccessPolicy.NotGrantor.selector, VM.addr(OWNER_KEY + 1))
        );
        // The same for another chain.
        VM.chainId(1);
        bytes memory elsewhere = signedBy(OWNER_KEY, policy.grantId(g));
        VM.chainId(31337);
        _refusesSignature(g, owner, elsewhere, error_);
    }

    function test_takesAContractsWordByErc1271() public {
        ContractWallet wallet = new ContractWallet();
        Grant memory g = _any(B);
        g.dataId = wallet.registerData(policy, "salt");
        _refusesSignature(g, address(wallet), "no", abi.encodeWithSelector(IAccessPolicy.SignatureInvalid.selector));
        isTrue(policy.grantBySignature(g, address(wallet), "yes") != 0, "entered");
        address short = address(new ShortAnswer());
        _refusesSignature(g, short, "yes", abi.encodeWithSelector(IAccessPolicy.SignatureInvalid.selector));
        // A contract that does not know ERC-1271.
        _refusesSignature(g, address(hosts), "yes", abi.encodeWithSelector(IAccessPolicy.SignatureInvalid.selector));
    }

    function test_neverTakesAGrantTwice() public {
        Grant memory g = _any(B);
        bytes memory signature = signedBy(OWNER_KEY, policy.grantId(g));
        bytes32 id = _grant(owner, g);
        bytes memory error_ = abi.encodeWithSelector(IAccessPolicy.GrantExists.selector, id);
        _refusesSignature(g, owner, signature, error_);
        _refuses(owner, g, error_);
        VM.prank(owner);
        policy.revoke(id);
        _refusesSignature(g, owner, signature, error_);
    }

    function test_refusesGrantsThatNobodyCouldUse() public {
        bytes memory error_ = abi.encodeWithSelector(IAccessPolicy.GrantEmpty.selector);
        Grant memory g = _any(address(0));
        _refuses(owner, g, error_);
        g = _any(B);
        g.maxUses = 0;
        _refuses(owner, g, error_);
        g = _any(B);
        (g.notBefore, g.notAfter) = (2, 1);
        _refuses(owner, g, error_);
        g = _any(B);
        g.minAssurance = 3;
        _refuses(owner, g, error_);
    }

    function test_refusesAnybodyButTheOwnerAndUnknownData() public {
        Grant memory g = _any(B);
        _refuses(C, g, abi.encodeWithSelector(IAccessPolicy.NotGrantor.selector, C));
        g.dataId = keccak256("unknown");
        _refuses(owner, g, abi.encodeWithSelector(IAccessPolicy.DataUnknown.selector, g.dataId));
    }

    // -------------------------------------------------------------------------
    // Delegation
    // -------------------------------------------------------------------------

    function test_bindsEveryDelegationToItsParentsGrantee() public {
        Grant memory child = _child(_grant(owner, _any(B)), C);
        _refuses(C, child, abi.encodeWithSelector(IAccessPolicy.NotGrantor.selector, C));
        _refuses(owner, child, abi.encodeWithSelector(IAccessPolicy.NotGrantor.selector, owner));
        _grant(B, child);
        child.parent = keccak256("unknown");
        _refuses(B, child, abi.encodeWithSelector(IAccessPolicy.GrantUnknown.selector, child.parent));
    }

    function test_boundsTheDepth() public {
        Grant memory g = _any(B);
        g.delegationDepth = 9;
        _refuses(owner, g, abi.encodeWithSelector(IAccessPolicy.DelegationTooDeep.selector, 9));
        g.delegationDepth = 8;
        bytes32 id = _grant(owner, g);
        for (uint8 depth = 8; depth > 0; --depth) {
            Grant memory same = _child(id, B);
            same.delegationDepth = depth;
            _refuses(B, same, abi.encodeWithSelector(IAccessPolicy.DelegationTooDeep.selector, depth));
            same.delegationDepth = depth - 1;
            id = _grant(B, same);
        }
        _refuses(B, _child(id, B), abi.encodeWithSelector(IAccessPolicy.DelegationTooDeep.selector, 0));
        equal(policy.checkAccess(_request(B, id)), Reason.DONE, "access through nine links");
    }

    /// @dev Each member of parent and child from a small domain, so that all relations between them come up.
    function testFuzz_onlyNarrows(uint256 dice) public {
        Grant memory p = _any(B);
        Grant memory c = _any(C);
        (p.notBefore, dice) = _roll64(dice, 3);
        (c.notBefore, dice) = _roll64(dice, 3);
        (p.notAfter, dice) = _roll64(dice, 3);
        (c.notAfter, dice) = _roll64(dice, 3);
        p.notAfter += 1_700_000_000;
        c.notAfter += 1_700_000_000;
        (p.maxUses, dice) = _roll64(dice, 3);
        (c.maxUses, dice) = _roll64(dice, 3);
        ++p.maxUses;
        ++c.maxUses;
        (p.operationId, dice) = _rollId(dice);
        (c.operationId, dice) = _rollId(dice);
        (p.vmmHash, dice) = _rollId(dice);
        (c.vmmHash, dice) = _rollId(dice);
        (p.hostId, dice) = _rollId(dice);
        (c.hostId, dice) = _rollId(dice);
        p.minAssurance = uint8(dice % 3);
        c.minAssurance = uint8((dice / 3) % 3);
        c.parent = _grant(owner, p);
        c.delegationDepth = 0;

        bool narrower = c.notBefore >= p.notBefore && c.notAfter <= p.notAfter && c.maxUses <= p.maxUses;
        narrower = narrower && (p.operationId == 0 || p.operationId == c.operationId);
        narrower = narrower && (p.vmmHash == 0 || p.vmmHash == c.vmmHash);
        narrower = narrower && (p.hostId == 0 || p.hostId == c.hostId) && c.minAssurance >= p.minAssurance;
        if (narrower) _grant(B, c);
        else _refuses(B, c, abi.encodeWithSelector(IAccessPolicy.DelegationWidens.selector, c.parent));
    }

    function test_refusesEachWayToWidenAlone() public {
        Grant memory p = _any(B);
        (p.notBefore, p.notAfter, p.maxUses) = (100, 1_800_000_000, 5);
        (p.operationId, p.vmmHash, p.hostId, p.minAssurance) = (ENCRYPT, vmmHash, tpm.hostId, 1);
        bytes32 parent = _grant(owner, p);
        VM.prank(owner);
        bytes32 otherData = policy.registerData("another");
        for (uint256 way = 0; way <= 10; ++way) {
            Grant memory c = _child(parent, C);
            if (way == 1) c.notBefore = 99;
            if (way == 2) c.notAfter += 1;
            if (way == 3) c.maxUses = 6;
            if (way == 4) c.operationId = 0;
            if (way == 5) c.operationId = DECRYPT;
            if (way == 6) c.vmmHash = 0;
            if (way == 7) c.hostId = 0;
            if (way == 8) c.hostId = keccak256("another");
            if (way == 9) c.minAssurance = 0;
            if (way == 10) c.dataId = otherData;
            if (way == 0) _grant(B, c);
            else _refuses(B, c, abi.encodeWithSelector(IAccessPolicy.DelegationWidens.selector, parent));
        }
    }

    function test_refusesDelegationFromWhatWasRevokedOrHasExpired() public {
        Grant memory g = _any(B);
        g.notAfter = 1_700_000_010;
        bytes32 expiring = _grant(owner, g);
        Grant memory late = _child(expiring, C);
        VM.warp(1_700_000_011);
        _refuses(B, late, abi.encodeWithSelector(IAccessPolicy.GrantIsExpired.selector, expiring));

        bytes32 top = _grant(owner, _any(B));
        bytes32 middle = _grant(B, _child(top, C));
        VM.prank(owner);
        policy.revoke(top);
        _refuses(B, _child(top, D), abi.encodeWithSelector(IAccessPolicy.GrantIsRevoked.selector, top));
        _refuses(C, _child(middle, D), abi.encodeWithSelector(IAccessPolicy.GrantIsRevoked.selector, top));
    }

    // -------------------------------------------------------------------------
    // Revocation
    // -------------------------------------------------------------------------

    function test_revokesOnceByGrantorOrOwner() public {
        bytes32 top = _grant(owner, _any(B));
        bytes32 first = _grant(B, _child(top, C));
        bytes32 second = _grant(B, _child(top, C));
        VM.prank(C);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.NotGrantor.selector, C));
        policy.revoke(first);
        VM.expectEmit(address(policy));
        emit IAccessPolicy.GrantRevoked(first, B);
        VM.prank(B);
        policy.revoke(first);
        VM.expectEmit(address(policy));
        emit IAccessPolicy.GrantRevoked(second, owner);
        VM.prank(owner);
        policy.revoke(second);
        VM.prank(B);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.GrantIsRevoked.selector, first));
        policy.revoke(first);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.GrantUnknown.selector, bytes32(0)));
        policy.revoke(0);
    }

    function test_revokesWhatHangsBelowAtOnce() public {
        bytes32 top = _grant(owner, _any(B));
        bytes32 middle = _grant(B, _child(top, C));
        bytes32 leaf = _grant(C, _child(middle, D));
        bytes32 sibling = _grant(B, _child(top, D));
        VM.roll(1010);
        VM.prank(B);
        policy.revoke(middle);
        AccessRequest memory request = _request(D, leaf);
        request.asOf = 1009;
        equal(policy.checkAccess(request), Reason.DONE, "before the revocation");
        request.asOf = 1010;
        equal(policy.checkAccess(request), Reason.GRANT_REVOKED, "from the revocation's block on");
        equal(policy.checkAccess(_request(C, middle)), Reason.GRANT_REVOKED, "itself");
        equal(policy.checkAccess(_request(B, top)), Reason.DONE, "its parent");
        equal(policy.checkAccess(_request(D, sibling)), Reason.DONE, "its sibling");
    }

    // -------------------------------------------------------------------------
    // Uses
    // -------------------------------------------------------------------------

    function test_countsUsesAlongTheChain() public {
        Grant memory p = _any(B);
        p.maxUses = 3;
        bytes32 top = _grant(owner, p);
        Grant memory c = _child(top, C);
        c.maxUses = 2;
        bytes32 leaf = _grant(B, c);

        VM.recordLogs();
        isTrue(_consume(leaf), "first");
        Vm.Log[] memory logs = VM.getRecordedLogs();
        equal(logs.length, 2, "one event a link");
        equal(logs[0].topics[0], IAccessPolicy.GrantUsed.selector, "event");
        equal(logs[0].topics[1], leaf, "the grant");
        equal(logs[1].topics[1], top, "its parent");
        isTrue(_consume(leaf), "second");
        isFalse(_consume(leaf), "third of two");
        equal(policy.checkAccess(_request(C, leaf)), Reason.GRANT_EXHAUSTED, "the grant is used up");
        equal(policy.checkAccess(_request(B, top)), Reason.DONE, "its parent is not");
        isTrue(_consume(top), "the parent's last");
        isFalse(_consume(top), "the parent is used up");
        equal(_uses(leaf), 2, "uses of the grant");
        equal(_uses(top), 3, "uses of its parent");
        bytes32 sibling = _grant(B, _child(top, D));
        equal(policy.checkAccess(_request(D, sibling)), Reason.GRANT_EXHAUSTED, "an ancestor is used up");
        isFalse(_consume(sibling), "a sibling of it");
        equal(_uses(sibling), 0, "nothing counted");
    }

    function test_letsOnlyTheLogCount() public {
        bytes32 id = _grant(owner, _any(B));
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.NotAuditLog.selector, address(this)));
        policy.consume(id, 1);
        VM.prank(address(log));
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.GrantUnknown.selector, bytes32("unknown")));
        policy.consume("unknown", 1);
    }

    function test_countsAsManyUsesAsAreLeft() public {
        Grant memory p = _any(B);
        p.maxUses = 5;
        bytes32 top = _grant(owner, p);
        bytes32 leaf = _grant(B, _child(top, C));
        bytes32 sibling = _grant(B, _child(top, D));
        equal(_consumeMany(leaf, 0), 0, "none wanted");
        VM.recordLogs();
        equal(_consumeMany(leaf, 3), 3, "three of five");
        equal(VM.getRecordedLogs().length, 2, "one event a link, however many uses");
        equal(_consumeMany(sibling, 3), 2, "what the parent has left");
        VM.recordLogs();
        equal(_consumeMany(leaf, 1), 0, "nothing left");
        equal(VM.getRecordedLogs().length, 0, "nothing counted, nothing said");
        equal(_uses(leaf), 3, "uses of one");
        equal(_uses(sibling), 2, "uses of the other");
        equal(_uses(top), 5, "uses of their parent");
    }

    // -------------------------------------------------------------------------
    // Ownership
    // -------------------------------------------------------------------------

    function test_movesOwnershipInTwoSteps() public {
        VM.recordLogs();
        VM.prank(owner);
        policy.offerOwnership(dataId, C);
        equal(policy.candidateOf(dataId), C, "candidate");
        equal(policy.ownerOf(dataId), owner, "still the owner");
        VM.roll(1010);
        VM.prank(C);
        policy.acceptOwnership(dataId);
        Vm.Log[] memory logs = VM.getRecordedLogs();
        equal(logs.length, 2, "an event a step");
        equal(logs[0].topics[0], IAccessPolicy.OwnershipOffered.selector, "offered");
        equal(logs[0].topics[3], bytes32(uint256(uint160(C))), "to whom");
        equal(logs[1].topics[0], IAccessPolicy.OwnershipAccepted.selector, "accepted");
        equal(logs[1].topics[2], bytes32(uint256(uint160(owner))), "from whom");
        equal(logs[1].topics[3], bytes32(uint256(uint160(C))), "by whom");
        equal(policy.ownerOf(dataId), C, "owner");
        equal(policy.candidateOf(dataId), address(0), "no candidate any more");

        AccessRequest memory r = _request(owner, 0);
        _answers(r, Reason.GRANT_MISSING);
        r.asOf = 1009;
        _answers(r, Reason.DONE); // the owner at that block
        r.requester = C;
        _answers(r, Reason.GRANT_MISSING);
        r.asOf = 1010;
        _answers(r, Reason.DONE);
        r.asOf = 999;
        _answers(r, Reason.HOST_UNKNOWN);
    }

    function test_letsOnlyTheOwnerOfferAndOnlyTheCandidateAccept() public {
        VM.prank(C);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.NotOwner.selector, C));
        policy.offerOwnership(dataId, C);
        VM.prank(C);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.NotCandidate.selector, C));
        policy.acceptOwnership(dataId);
        VM.prank(owner);
        policy.offerOwnership(dataId, C);
        VM.prank(owner);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.NotCandidate.selector, owner));
        policy.acceptOwnership(dataId);
        VM.prank(owner);
        policy.offerOwnership(dataId, address(0)); // withdrawn
        VM.prank(C);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.NotCandidate.selector, C));
        policy.acceptOwnership(dataId);
        // The address 0 sends nothing, but if it did: no data is accepted that nobody registered.
        VM.prank(address(0));
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.DataUnknown.selector, bytes32("unknown")));
        policy.acceptOwnership("unknown");
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.DataUnknown.selector, bytes32("unknown")));
        policy.offerOwnership("unknown", C);
    }

    function test_leavesGrantsInForceWhenOwnershipMoves() public {
        bytes32 id = _grant(owner, _any(B));
        Grant memory signed_ = _any(B);
        bytes memory signature = signedBy(OWNER_KEY, policy.grantId(signed_));
        VM.prank(owner);
        policy.offerOwnership(dataId, C);
        VM.prank(C);
        policy.acceptOwnership(dataId);
        _answers(_request(B, id), Reason.DONE);
        _refuses(owner, _any(B), abi.encodeWithSelector(IAccessPolicy.NotGrantor.selector, owner));
        // What the former owner signed and nobody used yet is worth nothing any more.
        _refusesSignature(signed_, owner, signature, abi.encodeWithSelector(IAccessPolicy.NotGrantor.selector, owner));
        VM.prank(C);
        policy.revoke(id);
        _answers(_request(B, id), Reason.GRANT_REVOKED);
        // Moved back within one block, the last one of the block stands.
        VM.roll(1020);
        VM.prank(C);
        policy.offerOwnership(dataId, D);
        VM.prank(D);
        policy.acceptOwnership(dataId);
        VM.prank(D);
        policy.offerOwnership(dataId, owner);
        VM.prank(owner);
        policy.acceptOwnership(dataId);
        AccessRequest memory r = _request(C, 0);
        r.asOf = 1019;
        _answers(r, Reason.DONE);
        r.asOf = 1020;
        _answers(r, Reason.GRANT_MISSING);
        r.requester = D;
        _answers(r, Reason.GRANT_MISSING);
        r.requester = owner;
        _answers(r, Reason.DONE);
    }

    // -------------------------------------------------------------------------
    // Cancelling
    // -------------------------------------------------------------------------

    function test_cancelsASignatureThatWasNotUsed() public {
        Grant memory g = _any(B);
        bytes32 id = policy.grantId(g);
        bytes memory signature = signedBy(OWNER_KEY, id);
        VM.prank(C);
        policy.cancel(id); // somebody else's word about its own signatures
        VM.recordLogs();
        VM.prank(owner);
        policy.cancel(id);
        Vm.Log[] memory logs = VM.getRecordedLogs();
        equal(logs.length, 1, "one event");
        equal(logs[0].topics[0], IAccessPolicy.GrantCancelled.selector, "event");
        equal(logs[0].topics[1], id, "the grant");
        equal(logs[0].topics[2], bytes32(uint256(uint160(owner))), "by whom");
        isTrue(policy.isCancelled(id, owner), "cancelled");
        isFalse(policy.isCancelled(id, D), "not by D");
        bytes memory error_ = abi.encodeWithSelector(IAccessPolicy.GrantIsCancelled.selector, id);
        _refusesSignature(g, owner, signature, error_);
        _refuses(owner, g, error_);
        VM.prank(owner);
        VM.expectRevert(error_);
        policy.cancel(id);
        g.salt = "another";
        _grant(owner, g);
    }

    function test_doesNotLetOthersCancel() public {
        Grant memory g = _any(B);
        bytes32 id = policy.grantId(g);
        VM.prank(C);
        policy.cancel(id);
        policy.grantBySignature(g, owner, signedBy(OWNER_KEY, id));
        VM.prank(owner);
        VM.expectRevert(abi.encodeWithSelector(IAccessPolicy.GrantExists.selector, id));
        policy.cancel(id); // too late: it is for revoke to end it
    }

    // -------------------------------------------------------------------------
    // checkAccess
    // -------------------------------------------------------------------------

    function test_letsTheOwnerInWithoutAGrant() public view {
        equal(policy.checkAccess(_request(owner, 0)), Reason.DONE, "owner");
        equal(policy.checkAccess(_request(B, 0)), Reason.GRANT_MISSING, "somebody else");
    }

    function test_answersTheFirstReasonOfTheTable() public {
        Grant memory g = _any(B);
        (g.notBefore, g.notAfter, g.maxUses) = (1_700_000_000, 1_700_000_100, 1);
        (g.operationId, g.vmmHash, g.hostId, g.minAssurance) = (ENCRYPT, vmmHash, tpm.hostId, 2);
        bytes32 id = _grant(owner, g);
        VM.roll(1050);

        // Everything is wrong at first; then one thing after the other is put right.
        Tpm memory late = makeTpm(2);
        AccessRequest memory r = AccessRequest({
            dataId: keccak256("unknown"),
            grantId: 0,
            requester: C,
            operationId: DECRYPT,
            hostId: late.hostId,
            vmmHash: keccak256("unknown"),
            timestamp: 1,
            asOf: 999
        });
        _answers(r, Reason.HOST_UNKNOWN);
        r.asOf = 1060;
        _answers(r, Reason.HOST_UNKNOWN);
        VM.roll(1061);
        enrol(late, Assurance.Software);
        _answers(r, Reason.HOST_UNKNOWN); // registered after asOf
        r.asOf = 1061;
        VM.prank(REGISTRAR);
        hosts.suspend(late.hostId);
        _answers(r, Reason.HOST_NOT_ACTIVE);
        VM.roll(1062);
        VM.prank(REGISTRAR);
        hosts.reinstate(late.hostId);
        _answers(r, Reason.HOST_NOT_ACTIVE);
        r.asOf = 1062;
        _answers(r, Reason.VMM_NOT_AUTHORISED);
        tpmState.pcrDigest = keccak256("another VMM");
        VM.roll(1063);
        r.vmmHash = authorise(tpm);
        _answers(r, Reason.VMM_NOT_AUTHORISED); // authorised after asOf
        r.asOf = 1063;
        _answers(r, Reason.DATA_UNKNOWN);
        VM.roll(1064);
        VM.prank(owner);
        r.dataId = policy.registerData("another");
        _answers(r, Reason.DATA_UNKNOWN); // registered after asOf
        r.asOf = 1064;
        _answers(r, Reason.GRANT_MISSING);
        r.grantId = keccak256("unknown");
        _answers(r, Reason.GRANT_UNKNOWN);
        r.grantId = id;
        _answers(r, Reason.GRANT_OTHER_DATA);
        r.dataId = dataId;
        _answers(r, Reason.GRANT_OTHER_GRANTEE);
        r.requester = B;
        _answers(r, Reason.GRANT_NOT_YET_VALID);
        r.timestamp = 1_700_000_101;
        _answers(r, Reason.GRANT_EXPIRED);
        r.timestamp = 1_700_000_100;
        _consume(id);
        _answers(r, Reason.GRANT_EXHAUSTED);
        g.salt = "fresh";
        r.grantId = _grant(owner, g);
        _answers(r, Reason.GRANT_OTHER_OPERATION);
        r.operationId = ENCRYPT;
        _answers(r, Reason.GRANT_OTHER_HOST);
        r.hostId = tpm.hostId;
        _answers(r, Reason.GRANT_OTHER_VMM);
        r.vmmHash = vmmHash;
        _answers(r, Reason.GRANT_ASSURANCE);
        g.minAssurance = 1;
        r.grantId = _grant(owner, g);
        _answers(r, Reason.DONE);
        r.timestamp = 1_700_000_000;
        _answers(r, Reason.DONE);
        r.asOf = 1063;
        _answers(r, Reason.GRANT_UNKNOWN); // granted after asOf
    }

    function test_endsWithTheVmmsValidity() public {
        tpmState.pcrDigest = keccak256("for a while");
        bytes32 brief = authorise(tpm, 1_700_000_060);
        AccessRequest memory r = _request(owner, 0);
        r.vmmHash = brief;
        _answers(r, Reason.DONE);
        r.timestamp = 1_700_000_060;
        _answers(r, Reason.DONE);
        r.timestamp = 1_700_000_061;
        _answers(r, Reason.VMM_NOT_AUTHORISED);
    }

    function test_saysWhenAGrantHoldsWhateverHostAndVmm() public {
        Grant memory g = _any(B);
        (g.notBefore, g.notAfter, g.minAssurance) = (5, 9, 2);
        bytes32 id = _grant(owner, g);
        AccessRequest memory r = _request(B, id);
        (r.hostId, r.vmmHash) = (keccak256("no host"), keccak256("no VMM"));
        _window(r, Assurance.Hardware, Reason.DONE, 5, 9);
        _window(r, Assurance.Software, Reason.GRANT_ASSURANCE, 5, 9);
        r.requester = C;
        _window(r, Assurance.Hardware, Reason.GRANT_OTHER_GRANTEE, 0, 0);
        r = _request(owner, 0);
        _window(r, Assurance.None, Reason.DONE, 0, type(uint64).max);
    }

    function test_answersTheLowestReasonFoundInTheChain() public {
        Grant memory p = _any(B);
        p.operationId = ENCRYPT;
        p.maxUses = 1;
        bytes32 top = _grant(owner, p);
        Grant memory c = _child(top, C);
        c.notBefore = 1_700_000_500;
        bytes32 leaf = _grant(B, c);
        AccessRequest memory r = _request(C, leaf);
        r.operationId = DECRYPT;
        _answers(r, Reason.GRANT_NOT_YET_VALID); // the grant's 10 before the parent's 13
        r.timestamp = 1_700_000_500;
        _answers(r, Reason.GRANT_OTHER_OPERATION);
        _consume(top);
        _answers(r, Reason.GRANT_EXHAUSTED); // the parent's 12 before the grant's 13
        VM.prank(owner);
        policy.revoke(top);
        r.timestamp = 1;
        _answers(r, Reason.GRANT_REVOKED); // the parent's 9 before the grant's 10
    }

    // -------------------------------------------------------------------------

    /// @dev Everything allowed, and as much delegation as there may be.
    function _any(address grantee) private returns (Grant memory) {
        return
            Grant({
                dataId: dataId,
                grantee: grantee,
                operationId: 0,
                notBefore: 0,
                notAfter: type(uint64).max,
                maxUses: type(uint64).max,
                vmmHash: 0,
                hostId: 0,
                minAssurance: 0,
                delegationDepth: 8,
                parent: 0,
                salt: bytes32(++salts)
            });
    }

    /// @dev The same as its parent for somebody else, one level further down.
    function _child(bytes32 parent, address grantee) private returns (Grant memory g) {
        (g, , , , ) = policy.grantOf(parent);
        g.parent = parent;
        g.grantee = grantee;
        g.delegationDepth = g.delegationDepth == 0 ? 0 : g.delegationDepth - 1;
        g.salt = bytes32(++salts);
    }

    function _grant(address grantor, Grant memory g) private returns (bytes32) {
        VM.prank(grantor);
        return policy.grant(g);
    }

    function _refuses(address grantor, Grant memory g, bytes memory error_) private {
        VM.prank(grantor);
        VM.expectRevert(error_);
        policy.grant(g);
    }

    function _refusesSignature(Grant memory g, address grantor, bytes memory signature, bytes memory error_) private {
        VM.expectRevert(error_);
        policy.grantBySignature(g, grantor, signature);
    }

    function _consume(bytes32 id) private returns (bool) {
        VM.prank(address(log));
        return policy.consume(id, 1) == 1;
    }

    function _consumeMany(bytes32 id, uint64 wanted) private returns (uint64) {
        VM.prank(address(log));
        return policy.consume(id, wanted);
    }

    function _uses(bytes32 id) private view returns (uint64 uses) {
        (, , , , uses) = policy.grantOf(id);
    }

    function _request(address requester, bytes32 grantId) private view returns (AccessRequest memory) {
        return
            AccessRequest({
                dataId: dataId,
                grantId: grantId,
                requester: requester,
                operationId: ENCRYPT,
                hostId: tpm.hostId,
                vmmHash: vmmHash,
                timestamp: 1_700_000_050,
                asOf: uint64(block.number)
            });
    }

    function _window(
        AccessRequest memory request,
        Assurance assurance,
        uint16 reason,
        uint64 notBefore,
        uint64 notAfter
    ) private view {
        (uint16 found, uint64 from, uint64 to) = policy.grantWindow(request, assurance);
        equal(found, reason, "reason");
        equal(from, notBefore, "notBefore");
        equal(to, notAfter, "notAfter");
    }

    function _answers(AccessRequest memory request, uint16 reason) private view {
        equal(policy.checkAccess(request), reason, "reason");
    }

    function _roll64(uint256 dice, uint256 sides) private pure returns (uint64, uint256) {
        return (uint64(dice % sides), dice / sides);
    }

    function _rollId(uint256 dice) private pure returns (bytes32, uint256) {
        return (bytes32(dice % 3), dice / 3);
    }
}
