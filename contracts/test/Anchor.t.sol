// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogRig} from "./support/LogRig.sol";
import {Record, Records} from "./support/Records.sol";
import {Vm} from "./support/Vm.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {Verdict} from "../src/Verdict.sol";
import {IAuditLog} from "../src/interfaces/IAuditLog.sol";
import {BatchHeader, BatchMode, Quote} from "../src/interfaces/Types.sol";

/// @notice A batch of which the ledger has the root alone.
contract AnchorTest is LogRig {
    function setUp() public {
        deployLog();
    }

    function test_appendsByTheRootAlone() public {
        BatchHeader memory header = headerOver(makeRecords(5), 1);
        VM.recordLogs();
        anchor(header);
        Vm.Log[] memory logs = VM.getRecordedLogs();
        equal(logs.length, 1, "one event");
        equal(logs[0].topics[0], IAuditLog.BatchCommitted.selector, "event");
        equal(logs[0].topics[1], tpm.hostId, "event's host");
        equal(logs[0].topics[2], 0, "event's firstSeq");
        bytes32 head = Records.headAfter(header);
        bytes memory data = abi.encode(BatchMode.Anchored, 5, header.root, head, vmmHash, 1, hex"00");
        equal(keccak256(logs[0].data), keccak256(data), "event's data");
        equal(log.nextSeq(tpm.hostId), 5, "nextSeq");
        equal(log.batches(tpm.hostId), 1, "batches");
        equal(log.head(tpm.hostId), head, "head");
        equal(log.peak(tpm.hostId, 0), Records.batchLeafOf(header), "peak");
    }

    function test_alternatesWithBatchesOfRecords() public {
        Record[] memory records = makeRecords(2);
        commit(headerOver(records, 1), records);
        BatchHeader memory header = headerOver(makeRecords(3), 2);
        anchor(header);
        records = makeRecords(1);
        BatchHeader memory last = headerOver(records, 3);
        equal(last.prevHead, Records.headAfter(header), "chained");
        equal(last.firstSeq, 5, "numbered");
        equal(uint8(verdictsOf(last, records)[0]), 0, "verdict");
    }

    function test_refusesWhatIsNotAuthenticOrNotNext() public {
        BatchHeader memory header = headerOver(makeRecords(2), 1);
        Quote memory quote = quoteOf(header);
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.NotHost.selector, address(this)));
        log.anchor(header, quote);
        header.count = 3; // under the quote
        bytes32 bound = sha256(
            abi.encode(COMMIT, block.chainid, address(log), tpm.hostId, _payloadOf(2), blockhash(block.number - 1))
        );
        _refuses(header, quote, abi.encodeWithSelector(TpmQuote.BindingIs.selector, bound));
        header = headerOver(makeRecords(2), 1);
        anchor(header);
        _refuses(header, quote, abi.encodeWithSelector(IAuditLog.NotNext.selector, 2, 0)); // no second time
        header.firstSeq = 2;
        _refuses(header, quote, abi.encodeWithSelector(IAuditLog.HeadIs.selector, log.head(tpm.hostId)));
        header = headerOver(makeRecords(2), 2);
        header.count = 0;
        _refuses(header, quoteOf(header), abi.encodeWithSelector(IAuditLog.BatchEmpty.selector));
        header = headerOver(makeRecords(2), 2);
        header.hostId = keccak256("unknown");
        _refuses(header, quote, abi.encodeWithSelector(IAuditLog.HostUnknown.selector, header.hostId));
    }

    /// @dev A quote for one kind of batch does for the other: the header is the same, and the log has one way on.
    function test_takesEachHeaderOnceInOneModeOnly() public {
        Record[] memory records = makeRecords(1);
        BatchHeader memory header = headerOver(records, 1);
        commit(header, records);
        Quote memory quote = quoteOf(header);
        _refuses(header, quote, abi.encodeWithSelector(IAuditLog.NotNext.selector, 1, 0));
    }

    function test_marksAHostThatIsNotActive() public {
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId); // at 1010
        _judgesNext(0); // anchored at 1009
        VM.roll(1011);
        _judgesNext(Verdict.HOST_NOT_ACTIVE);
        VM.prank(REGISTRAR);
        hosts.retire(tpm.hostId);
        VM.roll(1012);
        _judgesNext(Verdict.HOST_NOT_ACTIVE);
    }

    function test_marksAVmmThatIsNotAuthorised() public {
        tpmState.pcrDigest = keccak256("never seen");
        _judgesNext(Verdict.VMM_UNKNOWN);
        tpmState.pcrDigest = keccak256("pcr 13");
        _judgesNext(0);
        VM.prank(APPROVER_1);
        vmms.revoke(vmmHash); // at 1010
        _judgesNext(0); // anchored at 1009
        VM.roll(1011);
        _judgesNext(Verdict.VMM_UNKNOWN);
    }

    function test_marksAVmmPastItsValidity() public {
        tpmState.pcrDigest = keccak256("for a while");
        authorise(tpm, uint64(block.timestamp + 10));
        VM.roll(1012);
        VM.warp(block.timestamp + 10);
        _judgesNext(0);
        VM.warp(block.timestamp + 1);
        _judgesNext(Verdict.VMM_UNKNOWN);
    }

    function test_marksAClockOrCounterThatDoesNotGoForward() public {
        _judgesNext(0);
        tpmState.clockMs -= 500;
        _judgesNext(Verdict.CLOCK_NOT_FORWARD);
        (uint64 nvCounter, , , ) = log.clock(tpm.hostId);
        _judges(headerOver(makeRecords(1), nvCounter), Verdict.NV_NOT_FORWARD);
        tpmState.clockMs -= 500;
        _judges(headerOver(makeRecords(1), nvCounter), Verdict.NV_NOT_FORWARD | Verdict.CLOCK_NOT_FORWARD);
    }

    function _judgesNext(uint8 expected) private {
        (uint64 nvCounter, , , ) = log.clock(tpm.hostId);
        _judges(headerOver(makeRecords(1), nvCounter + 1), expected);
    }

    function _judges(BatchHeader memory header, uint8 expected) private {
        VM.recordLogs();
        anchor(header);
        bytes memory verdicts = lastVerdicts(BatchMode.Anchored);
        equal(verdicts.length, 1, "one verdict for all");
        equal(uint8(verdicts[0]), expected, "verdict");
    }

    function _payloadOf(uint32 count) private view returns (bytes32) {
        BatchHeader memory header = headerOver(makeRecords(2), 1);
        header.count = count;
        return Records.hashOf(header);
    }

    function _refuses(BatchHeader memory header, Quote memory quote, bytes memory error_) private {
        VM.prank(tpm.ledgerAddress);
        VM.expectRevert(error_);
        log.anchor(header, quote);
    }
}
