// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogRig} from "./support/LogRig.sol";
import {Record, Records} from "./support/Records.sol";
import {Verdict} from "../src/Verdict.sol";
import {BatchHeader, BatchMode, Grant, Quote, RecordBody, RecordContext} from "../src/interfaces/Types.sol";

/// @notice What counts as a use of a grant, and what a host may say without its counting.
contract UsesTest is LogRig {
    function setUp() public {
        deployLog();
    }

    // -------------------------------------------------------------------------
    // When access was checked
    // -------------------------------------------------------------------------

    function test_countsNothingThatWasCheckedMoreThan256BlocksBeforeTheAnchor() public {
        VM.roll(1300);
        uint64 anchorBlock = 1299;
        Record[] memory records = _ofGrant(4, anchorBlock - 256);
        records[0].policyBlock = anchorBlock - 257;
        records[2].policyBlock = anchorBlock - 255;
        records[3].policyBlock = anchorBlock - 257;
        records[3].status = 12; // what is denied is marked as well
        _judges(headerOver(records, 1), records, [Verdict.TIMESTAMP_FAR, 0, 0, Verdict.TIMESTAMP_FAR]);
        equal(usesOf(grantId), 2, "uses");
    }

    /// @dev The anchor is what the quote is bound to, and as old as the host likes within its reach.
    function test_measuresFromTheAnchorNotFromTheBlock() public {
        VM.roll(1400);
        Record[] memory records = _ofGrant(4, 1020);
        records[0].policyBlock = 1019;
        BatchHeader memory header = headerOver(records, 1);
        header.anchorBlock = 1020 + 256;
        Quote memory quote = makeQuoteAt(tpm, COMMIT, address(log), Records.hashOf(header), header.anchorBlock);
        (RecordContext[] memory contexts, RecordBody[] memory bodies) = Records.split(records);
        VM.recordLogs();
        VM.prank(tpm.ledgerAddress);
        log.commit(header, contexts, bodies, quote);
        bytes memory verdicts = lastVerdicts(BatchMode.Records);
        equal(uint8(verdicts[0]), Verdict.TIMESTAMP_FAR, "257 before the anchor");
        equal(uint8(verdicts[1]), 0, "256 before it");
        equal(usesOf(grantId), 2, "uses");
    }

    /// @dev Whatever a block says of the past, the host may not choose one at which all was still well.
    function test_revivesNothingByAnOldBlock() public {
        VM.roll(1020);
        VM.prank(OWNER);
        policy.revoke(grantId);
        _countsNothingAt(1005, 1020 + 256);
        VM.prank(APPROVER_1);
        vmms.revoke(vmmHash);
        _countsNothingAt(1005, 10_000);
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId);
        _countsNothingAt(1005, 20_000);
        VM.prank(REGISTRAR);
        hosts.retire(tpm.hostId);
        _countsNothingAt(1005, 1_000_000);
        _countsNothingAt(0, 1_000_100);
    }

    function _countsNothingAt(uint64 policyBlock, uint256 present) private {
        VM.roll(present);
        Record[] memory records = _ofGrant(1, policyBlock);
        (uint64 nvCounter, , , ) = log.clock(tpm.hostId);
        bytes memory verdicts = verdictsOf(headerOver(records, nvCounter + 1), records);
        isTrue(uint8(verdicts[0]) & Verdict.TIMESTAMP_FAR != 0, "marked");
        equal(usesOf(grantId), 0, "no use");
    }

    // -------------------------------------------------------------------------
    // Under which VMM
    // -------------------------------------------------------------------------

    function test_countsNothingUnderAClaimedVmmWhereTheQuoteShowsAnUnknownOne() public {
        tpmState.pcrDigest = keccak256("malware");
        Record[] memory records = _ofGrant(4, 1005);
        uint8 unproven = Verdict.VMM_UNPROVEN;
        _judges(headerOver(records, 1), records, [unproven, unproven, unproven, unproven]);
        equal(usesOf(grantId), 0, "no use");
    }

    /// @dev Records under the VMM of before an update, which the quote no longer shows.
    function test_countsTheUsesBeforeAnHonestUpdate() public {
        tpmState.pcrDigest = keccak256("update");
        authorise(tpm, uint64(block.timestamp + 100)); // at 1010
        VM.roll(1011);
        VM.warp(block.timestamp + 100);
        Record[] memory records = _ofGrant(4, 1009);
        uint8 unproven = Verdict.VMM_UNPROVEN;
        uint8 over = unproven | Verdict.GRANT_OVERUSED;
        _judges(headerOver(records, 1), records, [unproven, unproven, over, over]);
        equal(usesOf(grantId), 2, "uses");
    }

    function test_countsNothingWhereTheQuotesVmmIsNoLongerOrNotYetAuthorised() public {
        tpmState.pcrDigest = keccak256("update");
        bytes32 update = authorise(tpm, uint64(block.timestamp + 100)); // at 1010
        uint8 unproven = Verdict.VMM_UNPROVEN;
        // Anchored before it was authorised.
        Record[] memory records = _ofGrant(4, 1005);
        _judges(headerOver(records, 1), records, [unproven, unproven, unproven, unproven]);
        // Past its validity.
        VM.roll(1011);
        VM.warp(block.timestamp + 101);
        records = _ofGrant(4, 1005);
        _judges(headerOver(records, 2), records, [unproven, unproven, unproven, unproven]);
        // Revoked by its anchor.
        VM.warp(block.timestamp - 101);
        VM.prank(APPROVER_1);
        vmms.revoke(update);
        VM.roll(1012);
        records = _ofGrant(4, 1005);
        _judges(headerOver(records, 3), records, [unproven, unproven, unproven, unproven]);
        equal(usesOf(grantId), 0, "no use");
    }

    // -------------------------------------------------------------------------
    // Too many
    // -------------------------------------------------------------------------

    /// @dev Each context has the policy count its own; which of its records are too many does not depend on the others.
    function test_marksTheLastRecordsOfEachContext() public {
        bytes32 other = _grant(3);
        VM.roll(1030);
        Record[] memory records = _ofGrant(8, 1020);
        for (uint256 i = 1; i < 8; i += 2) records[i].grantId = other;
        records[6].policyBlock = 1021; // a third context, of the first grant
        uint8[] memory expected = new uint8[](8);
        expected[4] = expected[6] = expected[7] = Verdict.GRANT_OVERUSED;
        bytes memory verdicts = verdictsOf(headerOver(records, 1), records);
        for (uint256 i = 0; i < 8; ++i) equal(uint8(verdicts[i]), expected[i], VM.toString(i));
        equal(usesOf(grantId), 2, "uses");
        equal(usesOf(other), 3, "uses of the other");
    }

    /// forge-config: default.evm_version = "osaka"
    function test_costsAsMuchARecordHoweverManyContextsAreOverused() public {
        uint256 few = _gasOfContexts(128);
        uint256 many = _gasOfContexts(256);
        isTrue(many * 10 <= few * 23, "at most 2.3 times as much for twice as many");
    }

    // -------------------------------------------------------------------------

    /// @dev A batch of so many contexts of one record each, of a grant that has no use left.
    function _gasOfContexts(uint256 count) private returns (uint256 used) {
        Record[] memory records = _ofGrant(count, 1005);
        RecordContext[] memory contexts = new RecordContext[](count);
        RecordBody[] memory bodies = new RecordBody[](count);
        for (uint256 i = 0; i < count; ++i) {
            Record memory r = records[i];
            contexts[i] = RecordContext(vmmHash, ENCRYPT, B, dataId, grantId, 1005);
            bodies[i] = RecordBody(uint16(i), 0, r.timestamp, r.requestHash, r.dataHash, r.resultHash);
        }
        BatchHeader memory header = headerOver(records, uint64(count));
        Quote memory quote = quoteOf(header);
        VM.recordLogs();
        VM.prank(tpm.ledgerAddress);
        used = gasleft();
        log.commit(header, contexts, bodies, quote);
        used -= gasleft();
        bytes memory verdicts = lastVerdicts(BatchMode.Records);
        equal(uint8(verdicts[count - 1]), Verdict.GRANT_OVERUSED, "overused");
    }

    function _ofGrant(uint256 count, uint64 policyBlock) private view returns (Record[] memory records) {
        records = makeRecords(count);
        for (uint256 i = 0; i < count; ++i) {
            (records[i].requester, records[i].grantId, records[i].policyBlock) = (B, grantId, policyBlock);
        }
    }

    function _grant(uint64 maxUses) private returns (bytes32) {
        Grant memory g = anyGrant(maxUses);
        g.salt = "another";
        VM.prank(OWNER);
        return policy.grant(g);
    }

    function _judges(BatchHeader memory header, Record[] memory records, uint8[4] memory expected) private {
        bytes memory verdicts = verdictsOf(header, records);
        for (uint256 i = 0; i < 4; ++i) equal(uint8(verdicts[i]), expected[i], VM.toString(i));
    }
}
