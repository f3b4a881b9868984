// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogRig} from "./support/LogRig.sol";
import {Record, Records} from "./support/Records.sol";
import {Vm} from "./support/Vm.sol";
import {IAuditLog} from "../src/interfaces/IAuditLog.sol";
import {Assurance, BatchHeader, Fraud, LeafProof, ReceiptGroup, SignedReceiptGroup} from "../src/interfaces/Types.sol";

/// @notice What a host signed is held against it by anybody, and nothing that an honest host signed ever is.
contract FraudTest is LogRig {
    /// @dev A proof of contradiction, for tests that change one part of it.
    struct Contradiction {
        SignedReceiptGroup receipt;
        uint64 seq;
        LeafProof inReceipt;
        BatchHeader header;
        uint32 batchIndex;
        bytes32[] batchPath;
        LeafProof inBatch;
    }

    /// @dev What an honest host logged and promised.
    struct Honest {
        Record[][2] parts;
        BatchHeader[2] headers;
        Record[] groupA;
        Record[] groupB;
        SignedReceiptGroup a;
        SignedReceiptGroup b;
    }

    address private constant ANYBODY = address(0xfeed);

    BatchHeader private _first;
    BatchHeader private _second;
    BatchHeader private _third;

    function setUp() public {
        deployLog();
    }

    // -------------------------------------------------------------------------
    // Omission
    // -------------------------------------------------------------------------

    function test_marksAHostThatLeftOutWhatItPromised() public {
        ReceiptGroup memory group = receiptOver(makeRecords(3), 1015);
        bytes memory signature = signatureOf(group);
        VM.roll(1015); // by then, so not yet
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.DeadlineAhead.selector, 1015));
        log.proveOmission(group, signature);
        VM.roll(1016);
        VM.recordLogs();
        VM.prank(ANYBODY);
        log.proveOmission(group, signature);
        _expectMark(Fraud.Omission, 0, receiptDigest(group), 0);
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.AlreadyProven.selector, log.fraudOf(tpm.hostId)));
        log.proveOmission(group, signature);
    }

    function test_marksTheFirstRecordThatIsMissing() public {
        Record[] memory records = makeRecords(3);
        ReceiptGroup memory group = receiptOver(records, 1015);
        Record[] memory part = makeRecords(2);
        commit(headerOver(part, 1), part);
        VM.roll(1016);
        VM.recordLogs();
        VM.prank(ANYBODY);
        log.proveOmission(group, signatureOf(group));
        _expectMark(Fraud.Omission, 2, receiptDigest(group), 0);
    }

    function test_marksAPromiseThatLeavesAGap() public {
        Record[] memory records = makeRecords(1);
        records[0].seq = 7;
        ReceiptGroup memory group = receiptOver(records, 1015);
        VM.roll(1016);
        VM.recordLogs();
        VM.prank(ANYBODY);
        log.proveOmission(group, signatureOf(group));
        _expectMark(Fraud.Omission, 7, receiptDigest(group), 0);
    }

    function test_findsNothingOmittedWhereAllIsThere() public {
        Record[] memory records = makeRecords(3);
        ReceiptGroup memory group = receiptOver(records, 1015);
        bytes memory signature = signatureOf(group);
        commit(headerOver(records, 1), records);
        VM.roll(2000);
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.NothingOmitted.selector, 3));
        log.proveOmission(group, signature);
        // A promise of no record is kept whatever happens.
        group = ReceiptGroup(tpm.hostId, 0, 9, 0, 1015);
        signature = signatureOf(group);
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.NothingOmitted.selector, 3));
        log.proveOmission(group, signature);
        equal(log.fraudOf(tpm.hostId), 0, "no mark");
    }

    function test_doesNotOverflowAtTheLastNumbers() public {
        ReceiptGroup memory group = ReceiptGroup(tpm.hostId, 0, type(uint64).max, type(uint32).max, 1015);
        bytes memory signature = signatureOf(group);
        VM.roll(1016);
        VM.recordLogs();
        VM.prank(ANYBODY);
        log.proveOmission(group, signature);
        _expectMark(Fraud.Omission, type(uint64).max, receiptDigest(group), 0);
    }

    // -------------------------------------------------------------------------
    // Whose signature it is
    // -------------------------------------------------------------------------

    function test_takesNobodyElsesSignature() public {
        Tpm memory other = makeTpm(2);
        enrol(other, Assurance.Software);
        ReceiptGroup memory group = receiptOver(makeRecords(1), 1015);
        bytes memory good = signatureOf(group);
        VM.roll(1016);
        bytes32 digest = receiptDigest(group);
        _refusesSignature(group, signedBy(other.ledgerKey, digest));
        _refusesSignature(group, signedBy(0xbad, digest));
        _refusesSignature(group, "");
        _refusesSignature(group, bytes.concat(good, hex"00"));
        // The same point written with the other s: only the low one is taken, so that a proof has one form.
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(tpm.ledgerKey, digest);
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        _refusesSignature(group, abi.encodePacked(r, n - uint256(s), v == 27 ? uint8(28) : uint8(27)));
        // Each member is signed.
        for (uint256 member = 0; member < 5; ++member) {
            ReceiptGroup memory altered = receiptOver(makeRecords(1), 1015);
            assembly ("memory-safe") {
                let word := add(altered, mul(member, 0x20))
                mstore(word, xor(mload(word), 1))
            }
            _refusesSignature(altered, good);
        }
        // Who speaks for no host signs for the host 0, which is none.
        group.hostId = 0;
        _refusesSignature(group, signedBy(0xbad, receiptDigest(group)));
    }

    function test_takesNoSignatureForAnotherChainOrContract() public {
        ReceiptGroup memory group = receiptOver(makeRecords(1), 1015);
        VM.roll(1016);
        VM.chainId(1);
        bytes memory elsewhere = signatureOf(group);
        VM.chainId(31337);
        _refusesSignature(group, elsewhere);
        bytes32 digest = typedDigest(address(hosts), Records.hashOf(group));
        _refusesSignature(group, signedBy(tpm.ledgerKey, digest));
    }

    function test_holdsAKeyToWhatItSignedAfterItWasReplacedOrTheHostRetired() public {
        ReceiptGroup memory group = receiptOver(makeRecords(1), 1015);
        bytes memory signature = signatureOf(group);
        rotate(tpm, 0x777, 2);
        VM.prank(REGISTRAR);
        hosts.retire(tpm.hostId);
        VM.roll(1016);
        VM.recordLogs();
        VM.prank(ANYBODY);
        log.proveOmission(group, signature);
        _expectMark(Fraud.Omission, 0, receiptDigest(group), 0);
    }

    // -------------------------------------------------------------------------
    // Equivocation
    // -------------------------------------------------------------------------

    function test_marksAHostThatPromisedTwoRecordsForOnePlace() public {
        (SignedReceiptGroup memory a, SignedReceiptGroup memory b, LeafProof memory inA, LeafProof memory inB) = _two();
        VM.recordLogs();
        VM.prank(ANYBODY);
        log.proveEquivocation(a, b, 2, inA, inB);
        (bytes32 low, bytes32 high) = (receiptDigest(a.group), receiptDigest(b.group));
        if (low > high) (low, high) = (high, low);
        _expectMark(Fraud.Equivocation, 2, low, high);
        bytes memory error_ = abi.encodeWithSelector(IAuditLog.AlreadyProven.selector, log.fraudOf(tpm.hostId));
        VM.expectRevert(error_);
        log.proveEquivocation(a, b, 2, inA, inB);
        VM.expectRevert(error_); // the other way round it is the same proof
        log.proveEquivocation(b, a, 2, inB, inA);
    }

    function test_refusesEachFlawOfAnEquivocation() public {
        (SignedReceiptGroup memory a, SignedReceiptGroup memory b, LeafProof memory inA, LeafProof memory inB) = _two();
        SignedReceiptGroup memory c = SignedReceiptGroup(a.group, b.signature);
        bytes memory unsigned = abi.encodeWithSelector(IAuditLog.ReceiptSignatureInvalid.selector);
        _refusesEquivocation(c, b, 2, inA, inB, unsigned);
        _refusesEquivocation(b, c, 2, inB, inA, unsigned);
        LeafProof memory first = _proof(makeRecords(3), 0);
        _refusesEquivocation(a, b, 0, first, inB, abi.encodeWithSelector(IAuditLog.SeqOutside.selector, 0));
        _refusesEquivocation(b, a, 0, inB, inA, abi.encodeWithSelector(IAuditLog.SeqOutside.selector, 0));
        bytes memory elsewhere = abi.encodeWithSelector(IAuditLog.LeafNotInGroup.selector);
        _refusesEquivocation(a, b, 1, inA, inB, elsewhere);
        _refusesEquivocation(a, b, 2, inB, inB, elsewhere);
        _refusesEquivocation(a, b, 2, inA, inA, elsewhere);
        _refusesEquivocation(a, b, 3, inA, inB, elsewhere); // past the end of a
        bytes memory none = abi.encodeWithSelector(IAuditLog.NoContradiction.selector);
        _refusesEquivocation(a, a, 2, inA, inA, none);

        Tpm memory other = makeTpm(2);
        enrol(other, Assurance.Software);
        ReceiptGroup memory foreign = ReceiptGroup(other.hostId, b.group.groupRoot, 1, 2, 1015);
        SignedReceiptGroup memory d = SignedReceiptGroup(foreign, signedBy(other.ledgerKey, receiptDigest(foreign)));
        _refusesEquivocation(a, d, 2, inA, inB, abi.encodeWithSelector(IAuditLog.OtherHost.selector, other.hostId));
    }

    // -------------------------------------------------------------------------
    // Contradiction
    // -------------------------------------------------------------------------

    function test_marksAHostThatLoggedAnotherRecordThanItPromised() public {
        Contradiction memory c = _contradiction();
        VM.recordLogs();
        _prove(c);
        _expectMark(Fraud.Contradiction, c.seq, receiptDigest(c.receipt.group), Records.hashOf(c.header));
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.AlreadyProven.selector, log.fraudOf(tpm.hostId)));
        _prove(c);
    }

    function test_refusesEachFlawOfAContradiction() public {
        Contradiction memory c = _contradiction();
        c.receipt.signature = "";
        _refuses(c, abi.encodeWithSelector(IAuditLog.ReceiptSignatureInvalid.selector));
        c = _contradiction();
        c.header.hostId = keccak256("another");
        _refuses(c, abi.encodeWithSelector(IAuditLog.OtherHost.selector, c.header.hostId));
        c = _contradiction();
        c.seq = 2;
        _refuses(c, abi.encodeWithSelector(IAuditLog.SeqOutside.selector, 2));
        c = _contradiction();
        c.seq = 3;
        _refuses(c, abi.encodeWithSelector(IAuditLog.LeafNotInGroup.selector));
        c = _contradiction();
        c.inReceipt.leaf = keccak256("another");
        _refuses(c, abi.encodeWithSelector(IAuditLog.LeafNotInGroup.selector));
        c = _contradiction();
        c.inBatch.leaf = keccak256("another");
        _refuses(c, abi.encodeWithSelector(IAuditLog.LeafNotInBatch.selector));
        c = _contradiction();
        c.inBatch.path = new bytes32[](0);
        _refuses(c, abi.encodeWithSelector(IAuditLog.LeafNotInBatch.selector));
        bytes memory notThere = abi.encodeWithSelector(IAuditLog.BatchNotInLog.selector);
        c = _contradiction();
        c.batchIndex = 2;
        _refuses(c, notThere);
        c = _contradiction();
        c.batchIndex = 3; // there is none yet
        _refuses(c, notThere);
        c = _contradiction();
        c.batchPath = new bytes32[](0);
        _refuses(c, notThere);
        c = _contradiction();
        c.header.root = keccak256("another");
        _refuses(c, notThere);
        equal(log.fraudOf(tpm.hostId), 0, "no mark");
    }

    function test_findsNoContradictionWhereTheLogHasWhatWasPromised() public {
        Contradiction memory c = _contradiction();
        // The receipt over what the log has.
        Record[] memory records = _logged();
        c.receipt = signedReceipt(receiptOver(records, 1015));
        c.inReceipt = c.inBatch;
        _refuses(c, abi.encodeWithSelector(IAuditLog.NoContradiction.selector));
    }

    function test_refusesABatchThatBeginsLater() public {
        Contradiction memory c = _contradiction();
        // The third batch, which begins at 6, for the record 4.
        (c.header, c.batchIndex, c.batchPath) = (_third, 2, new bytes32[](0));
        _refuses(c, abi.encodeWithSelector(IAuditLog.SeqOutside.selector, 4));
    }

    /// @dev A contradiction with an anchored batch: whoever got the records from the host shows one of them.
    function test_marksAHostThatAnchoredAnotherRecordThanItPromised() public {
        Record[] memory promised = makeRecords(2);
        SignedReceiptGroup memory receipt = signedReceipt(receiptOver(promised, 1015));
        Record[] memory records = makeRecords(2);
        records[1].resultHash = keccak256("another");
        BatchHeader memory header = headerOver(records, 1);
        anchor(header);
        VM.recordLogs();
        VM.prank(ANYBODY);
        log.proveContradiction(receipt, 1, _proof(promised, 1), header, 0, new bytes32[](0), _proof(records, 1));
        _expectMark(Fraud.Contradiction, 1, receiptDigest(receipt.group), Records.hashOf(header));
    }

    // -------------------------------------------------------------------------
    // The honest
    // -------------------------------------------------------------------------

    /// @dev However an honest host groups its receipts and batches, whatever is tried with them proves nothing.
    function testFuzz_nothingThatAnHonestHostSignedProvesAnything(uint256 dice) public {
        Honest memory host = _honest(dice);
        isFalse(_isTaken(abi.encodeCall(log.proveOmission, (host.a.group, host.a.signature))), "omission");
        for (uint256 i = 0; i < 64; ++i) {
            uint64 seq = uint64(i >> 4);
            LeafProof memory inA = _proof(host.groupA, i % host.groupA.length);
            LeafProof memory inB = _proof(host.groupB, (i >> 2) % host.groupB.length);
            isFalse(_isTaken(abi.encodeCall(log.proveEquivocation, (host.a, host.b, seq, inA, inB))), "equivocation");
            isFalse(_isTaken(_contradictionOf(host, seq, inB, i)), "contradiction");
        }
        equal(log.fraudOf(tpm.hostId), 0, "no mark");
    }

    /// @dev Four records in two batches, and two receipts of some of them.
    function _honest(uint256 dice) private returns (Honest memory host) {
        Record[] memory records = makeRecords(4);
        uint256 cut = 1 + (dice % 3);
        host.parts = [_part(records, 0, cut), _part(records, cut, 4)];
        for (uint256 i = 0; i < 2; ++i) {
            host.headers[i] = headerOver(host.parts[i], uint64(i + 1));
            if ((dice >> (8 + i)) % 2 == 0) commit(host.headers[i], host.parts[i]);
            else anchor(host.headers[i]);
            VM.roll(1020 + i);
        }
        VM.roll(3000);
        (uint256 from, uint256 to) = _range(dice >> 16);
        host.groupA = _part(records, from, to);
        (from, to) = _range(dice >> 32);
        host.groupB = _part(records, from, to);
        host.a = signedReceipt(receiptOver(host.groupA, 1015));
        host.b = signedReceipt(receiptOver(host.groupB, 1016));
    }

    function _contradictionOf(
        Honest memory host,
        uint64 seq,
        LeafProof memory inReceipt,
        uint256 i
    ) private view returns (bytes memory) {
        uint32 batch = uint32(i % 2);
        bytes32[] memory path = new bytes32[](1);
        path[0] = Records.batchLeafOf(host.headers[1 - batch]);
        LeafProof memory inBatch = _proof(host.parts[batch], (i >> 1) % host.parts[batch].length);
        return
            abi.encodeCall(log.proveContradiction, (host.b, seq, inReceipt, host.headers[batch], batch, path, inBatch));
    }

    // -------------------------------------------------------------------------

    /// @dev Two receipts, for records 0 to 2 and 1 to 2, that differ in record 2.
    function _two()
        private
        view
        returns (SignedReceiptGroup memory a, SignedReceiptGroup memory b, LeafProof memory inA, LeafProof memory inB)
    {
        Record[] memory records = makeRecords(3);
        (a, inA) = (signedReceipt(receiptOver(records, 1015)), _proof(records, 2));
        Record[] memory later = _part(makeRecords(3), 1, 3);
        later[1].dataHash = keccak256("another");
        (b, inB) = (signedReceipt(receiptOver(later, 1015)), _proof(later, 1));
    }

    /// @dev Three batches of 2, 4 and 1 records, once; and a receipt for 3 to 5 that differs in record 4.
    function _contradiction() private returns (Contradiction memory c) {
        if (log.batches(tpm.hostId) == 0) {
            Record[] memory records = makeRecords(2);
            _first = headerOver(records, 1);
            commit(_first, records);
            records = makeRecords(4);
            _second = headerOver(records, 2);
            commit(_second, records);
            records = makeRecords(1);
            _third = headerOver(records, 3);
            commit(_third, records);
        }
        Record[] memory promised = _part(_logged(), 1, 4);
        promised[1].status = 34;
        c.receipt = signedReceipt(receiptOver(promised, 1015));
        c.seq = 4;
        c.inReceipt = _proof(promised, 1);
        c.header = _second;
        c.batchIndex = 1;
        c.batchPath = new bytes32[](1);
        c.batchPath[0] = Records.batchLeafOf(_first);
        c.inBatch = _proof(_logged(), 2);
    }

    /// @dev The records of the second batch.
    function _logged() private view returns (Record[] memory records) {
        records = makeRecords(4);
        for (uint256 i = 0; i < 4; ++i) records[i].seq = uint64(2 + i);
    }

    function _part(Record[] memory records, uint256 from, uint256 to) private pure returns (Record[] memory part) {
        part = new Record[](to - from);
        for (uint256 i = from; i < to; ++i) part[i - from] = records[i];
    }

    /// @dev A part of four that is not empty.
    function _range(uint256 dice) private pure returns (uint256 from, uint256 to) {
        from = dice % 4;
        to = from + 1 + ((dice >> 8) % (4 - from));
    }

    function _proof(Record[] memory records, uint256 index) private pure returns (LeafProof memory) {
        bytes32[] memory leaves = Records.leavesOf(records);
        return LeafProof(leaves[index], Records.path(leaves, index));
    }

    function _prove(Contradiction memory c) private {
        VM.prank(ANYBODY);
        log.proveContradiction(c.receipt, c.seq, c.inReceipt, c.header, c.batchIndex, c.batchPath, c.inBatch);
    }

    function _refuses(Contradiction memory c, bytes memory error_) private {
        VM.expectRevert(error_);
        log.proveContradiction(c.receipt, c.seq, c.inReceipt, c.header, c.batchIndex, c.batchPath, c.inBatch);
    }

    function _refusesEquivocation(
        SignedReceiptGroup memory a,
        SignedReceiptGroup memory b,
        uint64 seq,
        LeafProof memory inA,
        LeafProof memory inB,
        bytes memory error_
    ) private {
        VM.expectRevert(error_);
        log.proveEquivocation(a, b, seq, inA, inB);
    }

    function _refusesSignature(ReceiptGroup memory group, bytes memory signature) private {
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.ReceiptSignatureInvalid.selector));
        log.proveOmission(group, signature);
    }

    function _isTaken(bytes memory data) private returns (bool done) {
        (done, ) = address(log).call(data);
    }

    /// @dev One event, and the host marked with the hash that docs/formats.md has.
    function _expectMark(Fraud fraud, uint64 seq, bytes32 digestA, bytes32 digestB) private {
        bytes32 proofHash = keccak256(abi.encode(fraud, tpm.hostId, seq, digestA, digestB));
        equal(log.fraudOf(tpm.hostId), proofHash, "mark");
        isTrue(log.isProven(proofHash), "proven");
        Vm.Log[] memory logs = VM.getRecordedLogs();
        equal(logs.length, 1, "one event");
        equal(logs[0].topics[0], IAuditLog.FraudProven.selector, "event");
        equal(logs[0].topics[1], tpm.hostId, "event's host");
        equal(uint256(logs[0].topics[2]), uint8(fraud), "event's fraud");
        equal(keccak256(logs[0].data), keccak256(abi.encode(seq, proofHash, ANYBODY)), "event's data");
    }
}
