// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogRig} from "./support/LogRig.sol";
import {Record, Records} from "./support/Records.sol";
import {Vm} from "./support/Vm.sol";
import {MerkleTree} from "../src/MerkleTree.sol";
import {Reason} from "../src/Reason.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {Verdict} from "../src/Verdict.sol";
import {IAuditLog} from "../src/interfaces/IAuditLog.sol";
import {Assurance, BatchHeader, BatchMode, Grant, Quote, RecordBody, RecordContext} from "../src/interfaces/Types.sol";

contract AuditLogTest is LogRig {
    function setUp() public {
        deployLog();
    }

    // -------------------------------------------------------------------------
    // What is logged
    // -------------------------------------------------------------------------

    function test_appendsBatches() public {
        Record[] memory records = makeRecords(3);
        BatchHeader memory first = headerOver(records, 1);
        VM.recordLogs();
        commit(first, records);
        _expectEvent(VM.getRecordedLogs(), first, new bytes(3));
        equal(log.nextSeq(tpm.hostId), 3, "nextSeq");
        equal(log.batches(tpm.hostId), 1, "batches");
        equal(log.peak(tpm.hostId, 0), Records.batchLeafOf(first), "peak");
        equal(log.head(tpm.hostId), Records.headAfter(first), "head");

        VM.roll(1020);
        records = makeRecords(1);
        records[0].status = 34;
        BatchHeader memory second = headerOver(records, 2);
        equal(second.prevHead, Records.headAfter(first), "chained");
        VM.recordLogs();
        commit(second, records);
        _expectEvent(VM.getRecordedLogs(), second, new bytes(1));
        equal(log.nextSeq(tpm.hostId), 4, "nextSeq");
        equal(log.batches(tpm.hostId), 2, "batches");
        bytes32 pair = keccak256(bytes.concat(hex"01", Records.batchLeafOf(first), Records.batchLeafOf(second)));
        equal(log.peak(tpm.hostId, 1), pair, "peak of the two");
        equal(log.head(tpm.hostId), Records.headAfter(second), "head");
        (uint64 nvCounter, uint32 resetCount, uint32 restartCount, uint64 clockMs) = log.clock(tpm.hostId);
        equal(nvCounter, 2, "nvCounter");
        equal(resetCount, tpmState.resetCount, "resetCount");
        equal(restartCount, tpmState.restartCount, "restartCount");
        equal(clockMs, tpmState.clockMs, "clock");
    }

    /// forge-config: default.evm_version = "osaka"
    function test_appendsBatchesWhereThereIsAPrecompile() public {
        test_appendsBatches();
    }

    function test_keepsHostsApart() public {
        Tpm memory other = makeTpm(2);
        enrol(other, Assurance.Hardware);
        Record[] memory records = makeRecords(2);
        commit(headerOver(records, 1), records);
        equal(log.nextSeq(other.hostId), 0, "nextSeq");
        equal(log.head(other.hostId), 0, "head");
    }

    // -------------------------------------------------------------------------
    // What is not authentic, or not next
    // -------------------------------------------------------------------------

    function test_refusesUnknownHostsAndOtherSenders() public {
        Record[] memory records = makeRecords(1);
        BatchHeader memory header = headerOver(records, 1);
        Quote memory quote = quoteOf(header);
        (RecordContext[] memory contexts, RecordBody[] memory bodies) = Records.split(records);
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.NotHost.selector, address(this)));
        log.commit(header, contexts, bodies, quote);
        header.hostId = keccak256("unknown");
        _refusesWith(header, records, quote, abi.encodeWithSelector(IAuditLog.HostUnknown.selector, header.hostId));
    }

    function test_refusesAnotherHostsSender() public {
        Tpm memory other = makeTpm(2);
        enrol(other, Assurance.Software);
        Record[] memory records = makeRecords(1);
        BatchHeader memory header = headerOver(records, 1);
        Quote memory quote = quoteOf(header);
        (RecordContext[] memory contexts, RecordBody[] memory bodies) = Records.split(records);
        VM.prank(other.ledgerAddress);
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.NotHost.selector, other.ledgerAddress));
        log.commit(header, contexts, bodies, quote);
    }

    function test_refusesWhatIsNotNext() public {
        Record[] memory records = makeRecords(2);
        BatchHeader memory header = headerOver(records, 1);
        commit(header, records);
        _refuses(header, records, abi.encodeWithSelector(IAuditLog.NotNext.selector, 2, 0));

        records = makeRecords(1);
        records[0].seq = 3;
        header = headerOver(records, 2);
        header.firstSeq = 3;
        _refuses(header, records, abi.encodeWithSelector(IAuditLog.NotNext.selector, 2, 3));
    }

    function test_refusesAnotherHead() public {
        Record[] memory records = makeRecords(1);
        commit(headerOver(records, 1), records);
        records = makeRecords(1);
        BatchHeader memory header = headerOver(records, 2);
        bytes32 head = header.prevHead;
        header.prevHead = 0;
        _refuses(header, records, abi.encodeWithSelector(IAuditLog.HeadIs.selector, head));
    }

    function test_refusesAnotherCountOrNone() public {
        Record[] memory records = makeRecords(2);
        BatchHeader memory header = headerOver(records, 1);
        header.count = 3;
        _refuses(header, records, abi.encodeWithSelector(IAuditLog.CountIs.selector, 2));
        header.count = 0;
        _refuses(header, new Record[](0), abi.encodeWithSelector(IAuditLog.BatchEmpty.selector));
    }

    function test_refusesAContextThatIsNotThere() public {
        Record[] memory records = makeRecords(2);
        BatchHeader memory header = headerOver(records, 1);
        Quote memory quote = quoteOf(header);
        (RecordContext[] memory contexts, RecordBody[] memory bodies) = Records.split(records);
        bodies[1].context = 1;
        VM.prank(tpm.ledgerAddress);
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.ContextMissing.selector, 1));
        log.commit(header, contexts, bodies, quote);
    }

    function test_refusesNumbersThatDoNotFitIntoTheirSlot() public {
        Record[] memory records = makeRecords(2);
        BatchHeader memory header = headerOver(records, 1);
        // Position: nextSeq is the lowest 48 bits of the slot of the second mapping behind EIP-712's two strings.
        bytes32 slot = keccak256(abi.encode(tpm.hostId, uint256(3)));
        VM.store(address(log), slot, bytes32(uint256(type(uint48).max) - 1));
        header.firstSeq = type(uint48).max - 1;
        _refuses(header, records, abi.encodeWithSelector(IAuditLog.SeqTooLarge.selector, header.firstSeq));
    }

    function test_takesNumbersUpToTheLastThatFits() public {
        bytes32 slot = keccak256(abi.encode(tpm.hostId, uint256(3)));
        VM.store(address(log), slot, bytes32(uint256(type(uint48).max) - 2));
        Record[] memory records = makeRecords(2);
        commit(headerOver(records, 1), records);
        equal(log.nextSeq(tpm.hostId), type(uint48).max, "nextSeq");
        records = makeRecords(1);
        BatchHeader memory header = headerOver(records, 2);
        _refuses(header, records, abi.encodeWithSelector(IAuditLog.SeqTooLarge.selector, type(uint48).max));
    }

    /// @dev Every member of a record is under the root.
    function test_refusesEveryAlteredRecord() public {
        Record[] memory records = makeRecords(2);
        BatchHeader memory header = headerOver(records, 1);
        Quote memory quote = quoteOf(header);
        // hostId and seq, the first two, are not in the calldata: the header and the place give them.
        for (uint256 member = 2; member < 13; ++member) {
            Record[] memory altered = makeRecords(2);
            Record memory record = altered[1];
            // A struct of words in memory: member i is word i.
            assembly ("memory-safe") {
                let word := add(record, mul(member, 0x20))
                mstore(word, xor(mload(word), 1))
            }
            bytes32 root = Records.rootOf(altered);
            isTrue(root != header.root, "another root");
            _refusesWith(header, altered, quote, abi.encodeWithSelector(IAuditLog.RootIs.selector, root));
        }
        Record[] memory swapped = _swapped(records);
        _refusesWith(
            header,
            swapped,
            quote,
            abi.encodeWithSelector(IAuditLog.RootIs.selector, Records.rootOf(_renumbered(swapped)))
        );
    }

    function test_refusesAQuoteForAnythingElse() public {
        Record[] memory records = makeRecords(1);
        BatchHeader memory header = headerOver(records, 1);
        bytes32 payload = Records.hashOf(header);
        _refusesQuote(header, records, makeQuote(tpm, VMM, address(log), payload));
        _refusesQuote(header, records, makeQuote(tpm, COMMIT, address(policy), payload));
        _refusesQuote(header, records, makeQuoteAt(tpm, COMMIT, address(log), payload, block.number - 2));
        Tpm memory other = makeTpm(1);
        other.hostId = keccak256("another");
        _refusesQuote(header, records, makeQuote(other, COMMIT, address(log), payload));
        // A header is bound as a whole: the counter alone differs.
        Quote memory quote = quoteOf(header);
        header.nvCounter = 9;
        _refusesQuote(header, records, quote);
    }

    function test_refusesAForgedQuote() public {
        Record[] memory records = makeRecords(1);
        BatchHeader memory header = headerOver(records, 1);
        Tpm memory forger = makeTpm(1);
        forger.akKey = 666;
        Quote memory forged = makeQuote(forger, COMMIT, address(log), Records.hashOf(header));
        _refusesWith(header, records, forged, abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
        forger = makeTpm(2);
        forger.hostId = tpm.hostId;
        forged = makeQuote(forger, COMMIT, address(log), Records.hashOf(header));
        _refusesWith(
            header,
            records,
            forged,
            abi.encodeWithSelector(TpmQuote.AttestationKeyIs.selector, forger.qualifiedName)
        );
    }

    function test_refusesAnAnchorOutOfReach() public {
        Record[] memory records = makeRecords(1);
        BatchHeader memory header = headerOver(records, 1);
        Quote memory quote = quoteOf(header);
        VM.roll(header.anchorBlock + 257);
        _refusesWith(
            header,
            records,
            quote,
            abi.encodeWithSelector(TpmQuote.AnchorOutOfReach.selector, header.anchorBlock)
        );
    }

    // -------------------------------------------------------------------------
    // What is authentic but does not pass: each verdict alone
    // -------------------------------------------------------------------------

    function test_marksAVmmThatWasNotAuthorised() public {
        VM.prank(APPROVER_1);
        vmms.revoke(vmmHash); // at 1010
        VM.roll(1012);
        Record[] memory records = makeRecords(4);
        records[0].policyBlock = 999;
        records[1].policyBlock = 1009;
        records[2].policyBlock = 1010;
        records[3].policyBlock = 1010;
        for (uint256 i = 0; i < 4; ++i) records[i].status = Reason.VMM_NOT_AUTHORISED;
        records[3].status = Reason.DONE; // the check stops at the VMM, before it looks at the grant
        uint8[] memory expected = new uint8[](4);
        (expected[0], expected[2], expected[3]) = (
            Verdict.VMM_UNKNOWN | Verdict.HOST_NOT_ACTIVE,
            Verdict.VMM_UNKNOWN,
            Verdict.VMM_UNKNOWN
        );
        _judges(records, expected);
        equal(usesOf(grantId), 0, "no use counted");
    }

    function test_marksAVmmThatTheQuoteDoesNotProve() public {
        Record[] memory records = makeRecords(2);
        tpmState.pcrDigest = keccak256("changed");
        uint8[] memory expected = new uint8[](2);
        (expected[0], expected[1]) = (Verdict.VMM_UNPROVEN, Verdict.VMM_UNPROVEN);
        _judges(records, expected);
    }

    function test_marksAccessThatNoGrantAllowed() public {
        VM.prank(OWNER);
        policy.revoke(grantId); // at 1010
        VM.roll(1012);
        Record[] memory records = makeRecords(7);
        (records[0].requester, records[0].grantId) = (B, grantId);
        records[0].policyBlock = 1010;
        (records[1].requester, records[1].grantId) = (B, grantId);
        records[1].policyBlock = 1009; // not revoked then
        (records[2].requester, records[2].grantId) = (address(0xc), grantId);
        (records[3].requester, records[3].grantId) = (B, 0);
        (records[4].requester, records[4].grantId) = (B, keccak256("unknown"));
        records[5].dataId = keccak256("unknown");
        (records[6].requester, records[6].grantId) = (address(0xc), grantId);
        records[6].status = Reason.GRANT_OTHER_GRANTEE; // rightly denied
        uint8[] memory expected = new uint8[](7);
        expected[0] = Verdict.GRANT_INVALID;
        for (uint256 i = 2; i < 6; ++i) expected[i] = Verdict.GRANT_INVALID;
        _judges(records, expected);
        equal(usesOf(grantId), 1, "one use counted");
    }

    function test_marksAccessOutsideTheGrantsTimeByTheRecordsOwn() public {
        Grant memory g = anyGrant(9);
        (g.notBefore, g.notAfter) = (1_700_000_000, 1_700_000_060);
        VM.prank(OWNER);
        bytes32 id = policy.grant(g);
        VM.roll(1012);
        Record[] memory records = makeRecords(3);
        for (uint256 i = 0; i < 3; ++i) (records[i].requester, records[i].grantId) = (B, id);
        for (uint256 i = 0; i < 3; ++i) records[i].policyBlock = 1010;
        records[0].timestamp = 1_699_999_999;
        records[1].timestamp = 1_700_000_060;
        records[2].timestamp = 1_700_000_061;
        uint8[] memory expected = new uint8[](3);
        (expected[0], expected[2]) = (Verdict.GRANT_INVALID, Verdict.GRANT_INVALID);
        _judges(records, expected);
    }

    function test_marksAGrantThatWasUsedUpWithinTheBatch() public {
        Record[] memory records = makeRecords(7);
        for (uint256 i = 0; i < 7; ++i) (records[i].requester, records[i].grantId) = (B, grantId);
        records[0].status = Reason.GRANT_EXHAUSTED; // denied: not a use
        records[4].status = Reason.GRANT_EXHAUSTED; // the same among those that are too many
        uint8[] memory expected = new uint8[](7);
        (expected[3], expected[5], expected[6]) = (
            Verdict.GRANT_OVERUSED,
            Verdict.GRANT_OVERUSED,
            Verdict.GRANT_OVERUSED
        );
        _judges(records, expected);
        equal(usesOf(grantId), 2, "uses");
    }

    function test_marksAClockThatDoesNotGoForward() public {
        uint8[] memory none = new uint8[](1);
        uint8[] memory marked = new uint8[](1);
        marked[0] = Verdict.CLOCK_NOT_FORWARD;
        _judgesNext(none); // clock 5xxx, reset 3, restart 1
        tpmState.clockMs -= 100;
        _judgesNext(marked); // equal
        tpmState.clockMs -= 500;
        _judgesNext(marked); // less
        tpmState.restartCount = 2;
        tpmState.clockMs = 0;
        _judgesNext(none);
        tpmState.restartCount = 1;
        tpmState.clockMs = 9000;
        _judgesNext(marked);
        (tpmState.resetCount, tpmState.restartCount, tpmState.clockMs) = (4, 0, 0);
        _judgesNext(none);
        (tpmState.resetCount, tpmState.restartCount, tpmState.clockMs) = (3, 9, 9000);
        _judgesNext(marked);
    }

    /// @dev The slot has 48 bits for a clock. One beyond them counts as their highest, as it does for an auditor.
    function test_takesAClockBeyond48BitsAsTheirHighest() public {
        uint8[] memory none = new uint8[](1);
        uint8[] memory marked = new uint8[](1);
        marked[0] = Verdict.CLOCK_NOT_FORWARD;
        uint64 highest = type(uint48).max;
        // A quote shows 100 more.
        uint64[5] memory shown = [highest - 1, highest, highest + 1, highest + 2, type(uint64).max];
        for (uint256 i = 0; i < shown.length; ++i) {
            tpmState.clockMs = shown[i] - 100;
            _judgesNext(i < 2 ? none : marked);
            (, , , uint64 clockMs) = log.clock(tpm.hostId);
            equal(clockMs, i == 0 ? highest - 1 : highest, "clock");
        }
        // Nor does it run over into the counts of restarts and resets.
        (tpmState.restartCount, tpmState.clockMs) = (2, type(uint64).max - 100);
        _judgesNext(none);
        (tpmState.restartCount, tpmState.clockMs) = (3, 0);
        _judgesNext(none);
    }

    function test_marksACounterThatDoesNotGoForward() public {
        uint64[4] memory counters = [uint64(7), 7, 6, 8];
        bool[4] memory marked = [false, true, true, false];
        for (uint256 i = 0; i < 4; ++i) {
            Record[] memory records = makeRecords(1);
            BatchHeader memory header = headerOver(records, counters[i]);
            bytes memory verdicts = verdictsOf(header, records);
            equal(uint8(verdicts[0]), marked[i] ? Verdict.NV_NOT_FORWARD : 0, "verdict");
        }
    }

    function test_hasNothingToCompareAFirstBatchWith() public {
        Record[] memory records = makeRecords(1);
        equal(uint8(verdictsOf(headerOver(records, 0), records)[0]), 0, "verdict");
    }

    function test_marksTimesThatAreFarFromTheBlocks() public {
        Record[] memory records = makeRecords(6);
        records[0].timestamp = uint64(block.timestamp - 3600);
        records[1].timestamp = uint64(block.timestamp - 3601);
        records[2].timestamp = uint64(block.timestamp + 3600);
        records[3].timestamp = type(uint64).max;
        records[4].policyBlock = uint64(block.number - 1);
        records[5].policyBlock = uint64(block.number);
        uint8[] memory expected = new uint8[](6);
        (expected[1], expected[3], expected[5]) = (Verdict.TIMESTAMP_FAR, Verdict.TIMESTAMP_FAR, Verdict.TIMESTAMP_FAR);
        _judges(records, expected);
    }

    function test_judgesAPolicyBlockInTheFarFutureWithoutFailing() public {
        Record[] memory records = makeRecords(1);
        records[0].policyBlock = type(uint64).max;
        uint8[] memory expected = new uint8[](1);
        expected[0] = Verdict.TIMESTAMP_FAR;
        _judges(records, expected);
    }

    function test_marksAHostThatWasNotActive() public {
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId); // at 1010
        VM.roll(1012);
        Record[] memory records = makeRecords(2);
        records[0].policyBlock = 1010;
        records[1].policyBlock = 1009;
        (records[0].requester, records[0].grantId) = (B, grantId);
        uint8[] memory expected = new uint8[](2);
        expected[0] = Verdict.HOST_NOT_ACTIVE;
        _judges(records, expected);
        equal(usesOf(grantId), 0, "a suspended host uses up nobody's grant");
    }

    // -------------------------------------------------------------------------

    function _refuses(BatchHeader memory header, Record[] memory records, bytes memory error_) private {
        _refusesWith(header, records, quoteOf(header), error_);
    }

    function _refusesWith(
        BatchHeader memory header,
        Record[] memory records,
        Quote memory quote,
        bytes memory error_
    ) private {
        (RecordContext[] memory contexts, RecordBody[] memory bodies) = Records.split(records);
        VM.prank(tpm.ledgerAddress);
        VM.expectRevert(error_);
        log.commit(header, contexts, bodies, quote);
    }

    function _refusesQuote(BatchHeader memory header, Record[] memory records, Quote memory quote) private {
        bytes32 extraData;
        for (uint256 i = 0; i < 32; ++i) extraData |= bytes32(quote.attest[44 + i]) >> (8 * i);
        _refusesWith(header, records, quote, abi.encodeWithSelector(TpmQuote.BindingIs.selector, extraData));
    }

    /// @dev One batch more, of one record that nothing speaks against, with a counter that goes forward.
    function _judgesNext(uint8[] memory expected) private {
        _judges(makeRecords(1), expected);
    }

    function _judges(Record[] memory records, uint8[] memory expected) private {
        (uint64 nvCounter, , , ) = log.clock(tpm.hostId);
        bytes memory verdicts = verdictsOf(headerOver(records, nvCounter + 1), records);
        for (uint256 i = 0; i < expected.length; ++i) {
            equal(uint8(verdicts[i]), expected[i], string.concat("verdict of record ", VM.toString(i)));
        }
    }

    function _expectEvent(Vm.Log[] memory logs, BatchHeader memory header, bytes memory verdicts) private view {
        equal(logs.length, 1, "one event");
        equal(logs[0].emitter, address(log), "emitter");
        equal(logs[0].topics[0], IAuditLog.BatchCommitted.selector, "event");
        equal(logs[0].topics[1], tpm.hostId, "hostId");
        equal(uint256(logs[0].topics[2]), header.firstSeq, "firstSeq");
        bytes memory data = abi.encode(
            BatchMode.Records,
            header.count,
            header.root,
            Records.headAfter(header),
            vmmHash,
            header.nvCounter,
            verdicts
        );
        equal(keccak256(logs[0].data), keccak256(data), "event's data");
    }

    function _swapped(Record[] memory records) private pure returns (Record[] memory swapped) {
        swapped = new Record[](2);
        (swapped[0], swapped[1]) = (records[1], records[0]);
    }

    /// @dev As the log reads them: the place gives the number.
    function _renumbered(Record[] memory records) private pure returns (Record[] memory) {
        for (uint64 i = 0; i < records.length; ++i) records[i].seq = i;
        return records;
    }
}
