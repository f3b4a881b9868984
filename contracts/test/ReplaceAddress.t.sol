// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogRig} from "./support/LogRig.sol";
import {Record, Records} from "./support/Records.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {IAuditLog} from "../src/interfaces/IAuditLog.sol";
import {IHostRegistry} from "../src/interfaces/IHostRegistry.sol";
import {Assurance, BatchHeader, Host, HostStatus, Quote, ReceiptGroup} from "../src/interfaces/Types.sol";

/// @notice A host whose ledger key is lost or stolen: a registrar gives it another, with its TPM and without the old key.
contract ReplaceAddressTest is LogRig {
    uint256 private constant NEXT = 3000;

    function setUp() public {
        deployLog();
    }

    function test_replacesTheAddressOfASuspendedHost() public {
        _suspend();
        (address from, address to) = (tpm.ledgerAddress, VM.addr(NEXT));
        Quote memory quote = replacementQuote(tpm, to);
        bytes memory signature = signedBy(NEXT, replacementDigest(tpm, to));
        VM.expectEmit(address(hosts));
        emit IHostRegistry.LedgerAddressReplaced(tpm.hostId, from, to, REGISTRAR, 1009, quote);
        VM.prank(REGISTRAR);
        hosts.replaceAddress(tpm.hostId, to, 1009, quote, signature);

        Host memory host = hosts.host(tpm.hostId);
        isTrue(host.status == HostStatus.Suspended, "still suspended");
        equal(host.since, 1010, "no change of status");
        equal(host.ledgerAddress, to, "ledger address");
        equal(host.previousAddress, from, "previous address");
        equal(host.previousUntil, 0, "no overlap");
        equal(hosts.hostOf(to), tpm.hostId, "hostOf");
        equal(hosts.hostOf(from), tpm.hostId, "the old one's for ever");
        _speaks(to, true);
        // In this very block already.
        _speaks(from, false);
        VM.prank(REGISTRAR);
        hosts.reinstate(tpm.hostId);
        _speaks(from, false);
        tpm = useLedgerKey(tpm, NEXT);
        Record[] memory records = makeRecords(1);
        equal(uint8(verdictsOf(headerOver(records, 1), records)[0]), 0, "goes on");
    }

    /// forge-config: default.evm_version = "osaka"
    function test_replacesTheAddressWhereThereIsAPrecompile() public {
        test_replacesTheAddressOfASuspendedHost();
    }

    function test_endsARunningOverlapToo() public {
        address first = tpm.ledgerAddress;
        tpm = rotate(tpm, 3001, 100);
        _speaks(first, true);
        _suspend();
        tpm = replaceAddress(tpm, NEXT);
        _speaks(first, false);
        _speaks(VM.addr(3001), false);
        // Nor does it hold up the next rotation.
        tpm = rotate(tpm, 3002, 0);
        _speaks(VM.addr(3002), true);
    }

    /// @dev What the old key signed, or its thief, is still the host's word.
    function test_leavesTheOldKeyAnswerable() public {
        Record[] memory records = makeRecords(1);
        ReceiptGroup memory group = receiptOver(records, 1015);
        bytes memory signature = signatureOf(group);
        _suspend();
        address from = tpm.ledgerAddress;
        tpm = replaceAddress(tpm, NEXT);
        BatchHeader memory header = headerOver(records, 1);
        Quote memory quote = quoteOf(header);
        VM.prank(from);
        VM.expectRevert(abi.encodeWithSelector(IAuditLog.NotHost.selector, from));
        log.anchor(header, quote);
        VM.roll(1020);
        log.proveOmission(group, signature);
        isTrue(log.fraudOf(tpm.hostId) != 0, "marked");
    }

    function test_refusesHostsThatAreNotSuspended() public {
        bytes memory refusal = abi.encodeWithSelector(IHostRegistry.HostNotSuspended.selector, tpm.hostId);
        _refuses(tpm, NEXT, refusal);
        _suspend();
        VM.prank(REGISTRAR);
        hosts.reinstate(tpm.hostId);
        _refuses(tpm, NEXT, refusal);
        VM.prank(REGISTRAR);
        hosts.retire(tpm.hostId);
        _refuses(tpm, NEXT, refusal);
        Tpm memory stranger = makeTpm(9);
        _refuses(stranger, NEXT, abi.encodeWithSelector(IHostRegistry.HostUnknown.selector, stranger.hostId));
    }

    function test_refusesAnybodyButARegistrar() public {
        _suspend();
        address to = VM.addr(NEXT);
        Quote memory quote = replacementQuote(tpm, to);
        bytes memory signature = signedBy(NEXT, replacementDigest(tpm, to));
        address[4] memory others = [address(this), APPROVER_1, tpm.ledgerAddress, to];
        for (uint256 i = 0; i < others.length; ++i) {
            VM.prank(others[i]);
            VM.expectRevert(abi.encodeWithSelector(IHostRegistry.NotRegistrar.selector, others[i]));
            hosts.replaceAddress(tpm.hostId, to, 1009, quote, signature);
        }
    }

    function test_refusesAnAddressThatEverWasAHosts() public {
        Tpm memory other = makeTpm(2);
        enrol(other, Assurance.Software);
        uint256 first = tpm.ledgerKey;
        tpm = rotate(tpm, 3001, 0);
        _suspend();
        uint256[3] memory keys = [other.ledgerKey, first, 3001];
        for (uint256 i = 0; i < keys.length; ++i) {
            bytes memory taken = abi.encodeWithSelector(IHostRegistry.LedgerAddressTaken.selector, VM.addr(keys[i]));
            _refuses(tpm, keys[i], taken);
        }
    }

    /// @dev The registrar who had it once cannot bring it back, nor can anybody else.
    function test_refusesTheSameReplacementTwice() public {
        _suspend();
        address to = VM.addr(NEXT);
        Quote memory quote = replacementQuote(tpm, to);
        bytes memory signature = signedBy(NEXT, replacementDigest(tpm, to));
        VM.prank(REGISTRAR);
        hosts.replaceAddress(tpm.hostId, to, 1009, quote, signature);
        tpm = useLedgerKey(tpm, NEXT);
        for (uint256 i = 0; i < 2; ++i) {
            VM.prank(REGISTRAR);
            VM.expectRevert(abi.encodeWithSelector(IHostRegistry.LedgerAddressTaken.selector, to));
            hosts.replaceAddress(tpm.hostId, to, 1009, quote, signature);
            // Nor after the next one.
            tpm = replaceAddress(tpm, 3001 + i);
        }
    }

    function test_refusesWithoutTheNewKeysConsent() public {
        _suspend();
        address to = VM.addr(NEXT);
        Quote memory quote = replacementQuote(tpm, to);
        bytes32 right = replacementDigest(tpm, to);
        Tpm memory other = useLedgerKey(makeTpm(1), NEXT);
        bytes[7] memory wrong = [
            bytes(""),
            signedBy(tpm.ledgerKey, right),
            signedBy(NEXT, replacementDigest(tpm, VM.addr(3001))),
            signedBy(NEXT, replacementDigest(other, to)),
            signedBy(NEXT, rotationDigest(tpm, to, 0)),
            // What it signed to be entered, perhaps long ago, is no consent to this.
            consent(other),
            signedBy(NEXT, keccak256("anything"))
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            VM.prank(REGISTRAR);
            VM.expectRevert(abi.encodeWithSelector(IHostRegistry.LedgerAddressNotConsenting.selector, to));
            hosts.replaceAddress(tpm.hostId, to, 1009, quote, wrong[i]);
        }
        // Nobody's key is that of the address 0.
        quote = replacementQuote(tpm, address(0));
        VM.prank(REGISTRAR);
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.LedgerAddressNotConsenting.selector, address(0)));
        hosts.replaceAddress(tpm.hostId, address(0), 1009, quote, "");
    }

    function test_refusesAnotherQuote() public {
        _suspend();
        (address from, address to) = (tpm.ledgerAddress, VM.addr(NEXT));
        bytes32 payload = keccak256(abi.encode(from, to));
        Tpm memory elsewhere = makeTpm(1);
        elsewhere.hostId = keccak256("another host");
        Quote[6] memory quotes = [
            makeQuote(tpm, ROTATE_ADDRESS, address(hosts), payload),
            makeQuote(tpm, REGISTER, address(hosts), payload),
            makeQuote(tpm, REPLACE_ADDRESS, address(log), payload),
            makeQuote(tpm, REPLACE_ADDRESS, address(hosts), keccak256(abi.encode(from, from))),
            makeQuote(tpm, REPLACE_ADDRESS, address(hosts), keccak256(abi.encode(to, to))),
            makeQuote(elsewhere, REPLACE_ADDRESS, address(hosts), payload)
        ];
        bytes memory signature = signedBy(NEXT, replacementDigest(tpm, to));
        for (uint256 i = 0; i < quotes.length; ++i) {
            bytes32 extraData;
            for (uint256 j = 0; j < 32; ++j) extraData |= bytes32(quotes[i].attest[44 + j]) >> (8 * j);
            VM.prank(REGISTRAR);
            VM.expectRevert(abi.encodeWithSelector(TpmQuote.BindingIs.selector, extraData));
            hosts.replaceAddress(tpm.hostId, to, 1009, quotes[i], signature);
        }
        Tpm memory stranger = useAk(makeTpm(1), 5000);
        _refuses(stranger, NEXT, abi.encodeWithSelector(TpmQuote.AttestationKeyIs.selector, stranger.qualifiedName));
    }

    // -------------------------------------------------------------------------

    function _suspend() private {
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId);
    }

    function _refuses(Tpm memory who, uint256 toKey, bytes memory error_) private {
        address to = VM.addr(toKey);
        Quote memory quote = replacementQuote(who, to);
        bytes memory signature = signedBy(toKey, replacementDigest(who, to));
        VM.prank(REGISTRAR);
        VM.expectRevert(error_);
        hosts.replaceAddress(who.hostId, to, uint64(block.number - 1), quote, signature);
    }

    function _speaks(address account, bool expected) private view {
        (, , bool maySpeak) = hosts.attester(tpm.hostId, account);
        isTrue(maySpeak == expected, "may speak");
    }
}
