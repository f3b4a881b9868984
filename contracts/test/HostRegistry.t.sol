// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "./support/Rig.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {IHostRegistry} from "../src/interfaces/IHostRegistry.sol";
import {Assurance, Host, HostStatus, Quote, Registration} from "../src/interfaces/Types.sol";

contract HostRegistryTest is Rig {
    Tpm private tpm;

    function setUp() public {
        deployRegistries();
        tpm = makeTpm(1);
    }

    // -------------------------------------------------------------------------
    // Registration
    // -------------------------------------------------------------------------

    function test_registersAHost() public {
        Quote memory quote = registrationQuote(tpm);
        bytes memory signature = consent(tpm);
        VM.expectEmit(address(hosts));
        emit IHostRegistry.HostRegistered(
            tpm.hostId,
            tpm.ledgerAddress,
            Assurance.Hardware,
            REGISTRAR,
            uint64(block.number - 1),
            tpm.ekPublic,
            "certificate",
            quote
        );
        VM.prank(REGISTRAR);
        hosts.register(registrationOf(tpm, Assurance.Hardware), uint64(block.number - 1), quote, signature);

        Host memory host = hosts.host(tpm.hostId);
        isTrue(host.status == HostStatus.Active, "active");
        isTrue(host.assurance == Assurance.Hardware, "assurance");
        equal(host.since, block.number, "since");
        equal(host.ledgerAddress, tpm.ledgerAddress, "ledger address");
        equal(host.akQualifiedName, tpm.qualifiedName, "qualified name");
        equal(host.previousAddress, address(0), "previous address");
        equal(host.previousUntil, 0, "no overlap");
        equal(hosts.hostOf(tpm.ledgerAddress), tpm.hostId, "hostOf");
        _speaks(tpm.ledgerAddress, true);
    }

    /// forge-config: default.evm_version = "osaka"
    function test_registersAHostWhereThereIsAPrecompile() public {
        test_registersAHost();
    }

    /// @dev The oldest block within reach and the youngest.
    function test_takesAnchorsWithinReach() public {
        uint256[4] memory anchors = [block.number, block.number - 257, block.number + 1, 0];
        bytes memory signature = consent(tpm);
        for (uint256 i = 0; i < anchors.length; ++i) {
            Quote memory quote = makeQuoteAt(tpm, REGISTER, address(hosts), bondOf(tpm), anchors[i]);
            _expect(abi.encodeWithSelector(TpmQuote.AnchorOutOfReach.selector, anchors[i]));
            hosts.register(registrationOf(tpm, Assurance.Software), uint64(anchors[i]), quote, signature);
        }
        uint256 oldest = block.number - 256;
        Quote memory old = makeQuoteAt(tpm, REGISTER, address(hosts), bondOf(tpm), oldest);
        VM.prank(REGISTRAR);
        hosts.register(registrationOf(tpm, Assurance.Software), uint64(oldest), old, signature);
    }

    function test_refusesAHostTwice() public {
        enrol(tpm, Assurance.Software);
        bytes memory exists = abi.encodeWithSelector(IHostRegistry.HostExists.selector, tpm.hostId);
        _refuses(tpm, exists);
        Tpm memory thief = useLedgerKey(useAk(makeTpm(1), 7001), 7002);
        _refuses(thief, exists);
        VM.prank(REGISTRAR);
        hosts.retire(tpm.hostId);
        _refuses(thief, exists);
    }

    function test_refusesALedgerAddressTwice() public {
        enrol(tpm, Assurance.Software);
        bytes memory taken = abi.encodeWithSelector(IHostRegistry.LedgerAddressTaken.selector, tpm.ledgerAddress);
        Tpm memory other = useLedgerKey(makeTpm(2), tpm.ledgerKey);
        _refuses(other, taken);
        tpm = rotate(tpm, 3000, 0);
        VM.roll(2000);
        _refuses(other, taken);
    }

    function test_refusesAnAkTwice() public {
        enrol(tpm, Assurance.Software);
        bytes memory taken = abi.encodeWithSelector(IHostRegistry.AttestationKeyTaken.selector, tpm.hostId);
        Tpm memory other = useAk(makeTpm(2), tpm.akKey);
        _refuses(other, taken);
        VM.roll(1010);
        tpm = replaceAk(tpm, 3000);
        _refuses(other, taken);
    }

    function test_refusesAnybodyButARegistrar() public {
        Quote memory quote = registrationQuote(tpm);
        bytes memory signature = consent(tpm);
        Registration memory registration = registrationOf(tpm, Assurance.Software);
        address[2] memory outsiders = [address(this), APPROVER_1];
        for (uint256 i = 0; i < outsiders.length; ++i) {
            bytes memory error_ = abi.encodeWithSelector(IHostRegistry.NotRegistrar.selector, outsiders[i]);
            VM.startPrank(outsiders[i]);
            VM.expectRevert(error_);
            hosts.register(registration, uint64(block.number - 1), quote, signature);
            VM.expectRevert(error_);
            hosts.replaceAk(tpm.hostId, uint64(block.number - 1), quote, signature);
            VM.expectRevert(error_);
            hosts.reinstate(tpm.hostId);
            VM.expectRevert(error_);
            hosts.retire(tpm.hostId);
            VM.stopPrank();
        }
    }

    function test_refusesNoAssurance() public {
        Quote memory quote = registrationQuote(tpm);
        bytes memory signature = consent(tpm);
        _expect(abi.encodeWithSelector(IHostRegistry.AssuranceMissing.selector));
        hosts.register(registrationOf(tpm, Assurance.None), uint64(block.number - 1), quote, signature);
    }

    function test_refusesAnAddressThatDidNotConsent() public {
        Quote memory quote = registrationQuote(tpm);
        Tpm memory impostor = makeTpm(1);
        impostor.ledgerKey = 99;
        Tpm memory elsewhere = makeTpm(1);
        elsewhere.hostId = keccak256("another host");
        bytes[4] memory signatures = [
            consent(impostor),
            consent(elsewhere),
            consent(useAk(makeTpm(1), 4000)),
            bytes("")
        ];
        for (uint256 i = 0; i < signatures.length; ++i) {
            _expect(_notConsenting(tpm.ledgerAddress));
            hosts.register(registrationOf(tpm, Assurance.Software), uint64(block.number - 1), quote, signatures[i]);
        }
    }

    function test_refusesNobodyAsALedgerAddress() public {
        tpm.ledgerAddress = address(0);
        Quote memory quote = registrationQuote(tpm);
        _expect(_notConsenting(address(0)));
        hosts.register(registrationOf(tpm, Assurance.Software), uint64(block.number - 1), quote, "");
    }

    function test_refusesAQuoteForAnythingElse() public {
        bytes32 bond = bondOf(tpm);
        _refusesQuote(makeQuote(tpm, REPLACE_AK, address(hosts), bond));
        _refusesQuote(makeQuote(tpm, REGISTER, address(vmms), bond));
        _refusesQuote(makeQuote(tpm, REGISTER, address(hosts), keccak256("another payload")));
        _refusesQuote(makeQuoteAt(tpm, REGISTER, address(hosts), bond, block.number - 2));
        Tpm memory other = makeTpm(1);
        other.hostId = keccak256("another host");
        _refusesQuote(makeQuote(other, REGISTER, address(hosts), bond));
        VM.chainId(1);
        Quote memory elsewhere = makeQuote(tpm, REGISTER, address(hosts), bond);
        VM.chainId(31337);
        _refusesQuote(elsewhere);
    }

    function test_refusesAQuoteByAnotherKey() public {
        tpm.akKey = 4242;
        _refuses(tpm, abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
    }

    function test_refusesAQuoteThatNamesAnotherKey() public {
        tpm.qualifiedName = keccak256("another");
        _refuses(tpm, abi.encodeWithSelector(TpmQuote.SignerIs.selector, tpm.qualifiedName));
    }

    function test_refusesAKeyThatCouldSignAnything() public {
        (uint256 x, uint256 y) = VM.publicKeyP256(tpm.akKey);
        tpm.akPublic = akPublicOf(0x00040472, x, y); // not restricted
        tpm.qualifiedName = sha256(abi.encodePacked(hex"4000000b000b", sha256(tpm.akPublic)));
        _refuses(tpm, abi.encodeWithSelector(TpmQuote.AttestationKeyAttributesAre.selector, 0x00040472));
    }

    // -------------------------------------------------------------------------
    // Rotation of the ledger address
    // -------------------------------------------------------------------------

    function test_rotatesTheAddressWithAnOverlap() public {
        enrol(tpm, Assurance.Software);
        VM.roll(1100);
        address from = tpm.ledgerAddress;
        address to = VM.addr(3000);
        Quote memory quote = rotationQuote(tpm, to, 10);
        bytes32 digest = rotationDigest(tpm, to, 10);
        VM.expectEmit(address(hosts));
        emit IHostRegistry.LedgerAddressRotated(tpm.hostId, from, to, 1110, 1099, quote);
        hosts.rotateAddress(tpm.hostId, to, 10, 1099, quote, signedBy(tpm.ledgerKey, digest), signedBy(3000, digest));

        Host memory host = hosts.host(tpm.hostId);
        equal(host.ledgerAddress, to, "address");
        equal(host.previousAddress, from, "previous address");
        equal(host.previousUntil, 1110, "overlap");
        equal(host.since, 1000, "no change of status");
        equal(hosts.hostOf(from), tpm.hostId, "spoke for it");
        equal(hosts.hostOf(to), tpm.hostId, "speaks for it");
        _speaks(from, true);
        _speaks(to, true);
        VM.roll(1110);
        _speaks(from, true);
        VM.roll(1111);
        _speaks(from, false);
        _speaks(to, true);
    }

    function test_rotatesWithoutAnOverlapAndWithTheLongest() public {
        enrol(tpm, Assurance.Software);
        address first = tpm.ledgerAddress;
        tpm = rotate(tpm, 3000, 0);
        _speaks(first, true);
        VM.roll(1001);
        _speaks(first, false);
        tpm = rotate(tpm, 3001, 100_000);
        equal(hosts.host(tpm.hostId).previousUntil, 101_001, "overlap");
        VM.roll(101_001);
        _speaks(VM.addr(3000), true);
        _speaks(first, false);
        equal(hosts.hostOf(first), tpm.hostId, "never another's");
    }

    function test_refusesAnOverlapThatIsTooLong() public {
        enrol(tpm, Assurance.Software);
        uint64[2] memory overlaps = [uint64(100_001), type(uint64).max];
        for (uint256 i = 0; i < overlaps.length; ++i) {
            _refusesRotation(
                tpm,
                3000,
                overlaps[i],
                abi.encodeWithSelector(IHostRegistry.OverlapTooLong.selector, overlaps[i])
            );
        }
    }

    function test_refusesARotationWhileAnOverlapRuns() public {
        enrol(tpm, Assurance.Software);
        tpm = rotate(tpm, 3000, 10);
        bytes memory running = abi.encodeWithSelector(IHostRegistry.OverlapRunning.selector, 1010);
        _refusesRotation(tpm, 3001, 0, running);
        VM.roll(1010);
        _refusesRotation(tpm, 3001, 0, running);
        VM.roll(1011);
        tpm = rotate(tpm, 3001, 0);
        _refusesRotation(tpm, 3002, 0, abi.encodeWithSelector(IHostRegistry.OverlapRunning.selector, 1011));
    }

    function test_refusesAnAddressThatEverWasAHosts() public {
        enrol(tpm, Assurance.Software);
        Tpm memory other = makeTpm(2);
        uint256 othersFirst = other.ledgerKey;
        enrol(other, Assurance.Software);
        rotate(other, 4000, 0);
        uint256 first = tpm.ledgerKey;
        tpm = rotate(tpm, 3000, 0);
        VM.roll(1001);
        uint256[4] memory keys = [uint256(3000), first, othersFirst, 4000];
        for (uint256 i = 0; i < keys.length; ++i) {
            _refusesRotation(
                tpm,
                keys[i],
                0,
                abi.encodeWithSelector(IHostRegistry.LedgerAddressTaken.selector, VM.addr(keys[i]))
            );
        }
    }

    function test_refusesARotationToNobody() public {
        enrol(tpm, Assurance.Software);
        Quote memory quote = rotationQuote(tpm, address(0), 0);
        bytes memory from = signedBy(tpm.ledgerKey, rotationDigest(tpm, address(0), 0));
        VM.expectRevert(_notConsenting(address(0)));
        hosts.rotateAddress(tpm.hostId, address(0), 0, uint64(block.number - 1), quote, from, "");
    }

    function test_refusesARotationThatEitherKeyDidNotSign() public {
        enrol(tpm, Assurance.Software);
        address to = VM.addr(3000);
        Quote memory quote = rotationQuote(tpm, to, 5);
        Tpm memory other = makeTpm(1);
        other.hostId = keccak256("another host");
        bytes32 right = rotationDigest(tpm, to, 5);
        bytes32[4] memory wrong = [
            rotationDigest(tpm, to, 6),
            rotationDigest(tpm, VM.addr(3001), 5),
            rotationDigest(other, to, 5),
            keccak256("anything")
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            _refusesConsents(quote, signedBy(tpm.ledgerKey, wrong[i]), signedBy(3000, right), tpm.ledgerAddress);
            _refusesConsents(quote, signedBy(tpm.ledgerKey, right), signedBy(3000, wrong[i]), to);
        }
        _refusesConsents(quote, signedBy(3000, right), signedBy(3000, right), tpm.ledgerAddress);
        _refusesConsents(quote, signedBy(tpm.ledgerKey, right), signedBy(tpm.ledgerKey, right), to);
        _refusesConsents(quote, "", signedBy(3000, right), tpm.ledgerAddress);
        _refusesConsents(quote, signedBy(tpm.ledgerKey, right), "", to);
    }

    function test_refusesARotationWithAnotherQuote() public {
        enrol(tpm, Assurance.Software);
        address to = VM.addr(3000);
        address from = tpm.ledgerAddress;
        _refusesRotationQuote(makeQuote(tpm, REGISTER, address(hosts), keccak256(abi.encode(from, to, 5))));
        _refusesRotationQuote(makeQuote(tpm, ROTATE_ADDRESS, address(vmms), keccak256(abi.encode(from, to, 5))));
        _refusesRotationQuote(makeQuote(tpm, ROTATE_ADDRESS, address(hosts), keccak256(abi.encode(from, to, 6))));
        _refusesRotationQuote(makeQuote(tpm, ROTATE_ADDRESS, address(hosts), keccak256(abi.encode(to, to, 5))));
        _refusesRotationQuote(makeQuote(tpm, ROTATE_ADDRESS, address(hosts), keccak256(abi.encode(from, from, 5))));
        Tpm memory other = makeTpm(1);
        other.hostId = makeTpm(2).hostId;
        _refusesRotationQuote(makeQuote(other, ROTATE_ADDRESS, address(hosts), keccak256(abi.encode(from, to, 5))));

        Tpm memory stranger = useAk(makeTpm(1), 5000);
        _refusesRotation(
            stranger,
            3000,
            5,
            abi.encodeWithSelector(TpmQuote.AttestationKeyIs.selector, stranger.qualifiedName)
        );
    }

    function test_refusesTheSameRotationTwice() public {
        enrol(tpm, Assurance.Software);
        address to = VM.addr(3000);
        Quote memory quote = rotationQuote(tpm, to, 0);
        bytes32 digest = rotationDigest(tpm, to, 0);
        bytes memory from = signedBy(tpm.ledgerKey, digest);
        uint64 anchor = uint64(block.number - 1);
        hosts.rotateAddress(tpm.hostId, to, 0, anchor, quote, from, signedBy(3000, digest));
        VM.roll(1001);
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.LedgerAddressTaken.selector, to));
        hosts.rotateAddress(tpm.hostId, to, 0, anchor, quote, from, signedBy(3000, digest));
    }

    function test_rotatesASuspendedHostAndNoOther() public {
        _refusesRotation(tpm, 3000, 0, abi.encodeWithSelector(IHostRegistry.HostUnknown.selector, tpm.hostId));
        enrol(tpm, Assurance.Software);
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId);
        tpm = rotate(tpm, 3000, 0);
        isTrue(hosts.host(tpm.hostId).status == HostStatus.Suspended, "still suspended");
        VM.roll(1001);
        VM.prank(REGISTRAR);
        hosts.retire(tpm.hostId);
        _refusesRotation(tpm, 3001, 0, abi.encodeWithSelector(IHostRegistry.HostIsRetired.selector, tpm.hostId));
    }

    // -------------------------------------------------------------------------
    // Replacement of the AK
    // -------------------------------------------------------------------------

    function test_replacesTheAk() public {
        enrol(tpm, Assurance.Software);
        VM.roll(1010);
        tpm = useAk(tpm, 3000);
        Quote memory quote = makeQuote(tpm, REPLACE_AK, address(hosts), bondOf(tpm));
        bytes memory signature = consent(tpm);
        VM.expectEmit(address(hosts));
        emit IHostRegistry.AttestationKeyReplaced(tpm.hostId, tpm.qualifiedName, REGISTRAR, 1009, quote);
        VM.prank(REGISTRAR);
        hosts.replaceAk(tpm.hostId, 1009, quote, signature);
        equal(hosts.host(tpm.hostId).akQualifiedName, tpm.qualifiedName, "qualified name");
        equal(hosts.host(tpm.hostId).since, 1000, "no change of status");

        Tpm memory before = makeTpm(1);
        _refusesRotation(
            before,
            4000,
            0,
            abi.encodeWithSelector(TpmQuote.AttestationKeyIs.selector, before.qualifiedName)
        );
        tpm = rotate(tpm, 4000, 0);
    }

    function test_replacesTheAkByItsOwnEarlierOne() public {
        enrol(tpm, Assurance.Software);
        uint256 first = tpm.akKey;
        VM.roll(1010);
        tpm = replaceAk(tpm, 3000);
        VM.roll(1020);
        tpm = replaceAk(tpm, first);
        equal(hosts.host(tpm.hostId).akQualifiedName, makeTpm(1).qualifiedName, "the first again");
    }

    function test_refusesTheAkOfAnotherHostAndThePresentOne() public {
        enrol(tpm, Assurance.Software);
        Tpm memory other = makeTpm(2);
        enrol(other, Assurance.Software);
        VM.roll(1010);
        uint256 othersFirst = other.akKey;
        replaceAk(other, 4000);
        uint256[2] memory keys = [othersFirst, 4000];
        for (uint256 i = 0; i < keys.length; ++i) {
            _refusesReplacement(
                keys[i],
                abi.encodeWithSelector(IHostRegistry.AttestationKeyTaken.selector, other.hostId)
            );
        }
        _refusesReplacement(
            makeTpm(1).akKey,
            abi.encodeWithSelector(IHostRegistry.AttestationKeyTaken.selector, tpm.hostId)
        );
    }

    function test_refusesTheQuoteOfAnEarlierReplacement() public {
        enrol(tpm, Assurance.Software);
        VM.roll(1010);
        tpm = useAk(tpm, 3000);
        Quote memory quote = makeQuote(tpm, REPLACE_AK, address(hosts), bondOf(tpm));
        bytes memory signature = consent(tpm);
        VM.prank(REGISTRAR);
        hosts.replaceAk(tpm.hostId, 1009, quote, signature);
        VM.roll(1011);
        tpm = replaceAk(tpm, 3001);
        VM.roll(1012);
        _expect(abi.encodeWithSelector(IHostRegistry.QuoteOutdated.selector, 1011));
        hosts.replaceAk(tpm.hostId, 1009, quote, signature);

        // A replacement needs a quote that is anchored no earlier than the block of the last.
        tpm = useAk(tpm, 3000);
        quote = makeQuoteAt(tpm, REPLACE_AK, address(hosts), bondOf(tpm), 1010);
        _expect(abi.encodeWithSelector(IHostRegistry.QuoteOutdated.selector, 1011));
        hosts.replaceAk(tpm.hostId, 1010, quote, signature);
        tpm = replaceAk(tpm, 3000);
    }

    function test_refusesAReplacementWithoutTheBond() public {
        enrol(tpm, Assurance.Software);
        tpm = useAk(tpm, 3000);
        bytes memory signature = consent(tpm);
        uint64 anchor = uint64(block.number - 1);
        Quote[4] memory quotes = [
            makeQuote(tpm, REGISTER, address(hosts), bondOf(tpm)),
            makeQuote(tpm, REPLACE_AK, address(vmms), bondOf(tpm)),
            makeQuote(tpm, REPLACE_AK, address(hosts), bondOf(useLedgerKey(makeTpm(1), 99))),
            makeQuoteAt(tpm, REPLACE_AK, address(hosts), bondOf(tpm), anchor - 1)
        ];
        for (uint256 i = 0; i < quotes.length; ++i) {
            _expect(abi.encodeWithSelector(TpmQuote.BindingIs.selector, _extraData(quotes[i].attest)));
            hosts.replaceAk(tpm.hostId, anchor, quotes[i], signature);
        }
        Quote memory quote = makeQuote(tpm, REPLACE_AK, address(hosts), bondOf(tpm));
        signature = consent(makeTpm(1));
        _expect(_notConsenting(tpm.ledgerAddress));
        hosts.replaceAk(tpm.hostId, anchor, quote, signature);
        // The address before the rotation may still submit, but no longer speak for an AK.
        signature = consent(tpm);
        Tpm memory rotated = makeTpm(1);
        rotate(rotated, 4000, 10);
        quote = makeQuote(useAk(rotated, 3000), REPLACE_AK, address(hosts), bondOf(rotated));
        _expect(_notConsenting(rotated.ledgerAddress));
        hosts.replaceAk(tpm.hostId, anchor, quote, signature);
    }

    function test_replacesTheAkOfASuspendedHostAndNoOther() public {
        _refusesReplacement(3000, abi.encodeWithSelector(IHostRegistry.HostUnknown.selector, tpm.hostId));
        tpm = makeTpm(1);
        enrol(tpm, Assurance.Software);
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId);
        tpm = replaceAk(tpm, 3000);
        isTrue(hosts.host(tpm.hostId).status == HostStatus.Suspended, "still suspended");
        VM.prank(REGISTRAR);
        hosts.retire(tpm.hostId);
        _refusesReplacement(3001, abi.encodeWithSelector(IHostRegistry.HostIsRetired.selector, tpm.hostId));
    }

    // -------------------------------------------------------------------------
    // Status
    // -------------------------------------------------------------------------

    function test_suspendsReinstatesAndRetires() public {
        enrol(tpm, Assurance.Hardware);
        VM.roll(1100);
        _changes(APPROVER_2, HostStatus.Suspended);
        hosts.suspend(tpm.hostId);
        VM.roll(1200);
        _changes(REGISTRAR, HostStatus.Active);
        hosts.reinstate(tpm.hostId);
        VM.roll(1300);
        _changes(REGISTRAR, HostStatus.Suspended);
        hosts.suspend(tpm.hostId);
        VM.roll(1400);
        _changes(REGISTRAR, HostStatus.Retired);
        hosts.retire(tpm.hostId);
        equal(hosts.host(tpm.hostId).since, 1400, "since");

        uint64[10] memory asOf = [0, 999, uint64(1000), 1099, 1100, 1199, 1200, 1399, 1400, type(uint64).max];
        uint8[10] memory expected = [0, 0, 1, 1, 2, 2, 1, 2, 3, 3];
        for (uint256 i = 0; i < asOf.length; ++i) {
            (HostStatus status, Assurance assurance) = hosts.standingAt(tpm.hostId, asOf[i]);
            equal(uint8(status), expected[i], VM.toString(asOf[i]));
            isTrue(assurance == Assurance.Hardware, "assurance");
        }
        _speaks(tpm.ledgerAddress, true); // what a host says is logged whatever its standing
    }

    /// @dev What stood at the end of a block counts, not what stood within it.
    function test_answersWithTheEndOfABlock() public {
        enrol(tpm, Assurance.Software);
        VM.startPrank(REGISTRAR);
        hosts.suspend(tpm.hostId);
        VM.roll(1010);
        hosts.reinstate(tpm.hostId);
        hosts.suspend(tpm.hostId);
        VM.roll(1020);
        hosts.reinstate(tpm.hostId);
        hosts.retire(tpm.hostId);
        VM.stopPrank();
        uint64[5] memory asOf = [uint64(999), 1000, 1009, 1019, 1020];
        uint8[5] memory expected = [0, 2, 2, 2, 3];
        for (uint256 i = 0; i < asOf.length; ++i) {
            (HostStatus status, ) = hosts.standingAt(tpm.hostId, asOf[i]);
            equal(uint8(status), expected[i], VM.toString(asOf[i]));
        }
    }

    function test_refusesChangesOfStatusThatAreNotThere() public {
        bytes memory unknown = abi.encodeWithSelector(IHostRegistry.HostUnknown.selector, tpm.hostId);
        VM.startPrank(REGISTRAR);
        VM.expectRevert(unknown);
        hosts.suspend(tpm.hostId);
        VM.expectRevert(unknown);
        hosts.reinstate(tpm.hostId);
        VM.expectRevert(unknown);
        hosts.retire(tpm.hostId);
        VM.stopPrank();

        enrol(tpm, Assurance.Software);
        VM.startPrank(REGISTRAR);
        _expectUnchangeable(HostStatus.Active, HostStatus.Active);
        hosts.reinstate(tpm.hostId);
        hosts.suspend(tpm.hostId);
        _expectUnchangeable(HostStatus.Suspended, HostStatus.Suspended);
        hosts.suspend(tpm.hostId);
        hosts.retire(tpm.hostId);
        _expectUnchangeable(HostStatus.Retired, HostStatus.Suspended);
        hosts.suspend(tpm.hostId);
        _expectUnchangeable(HostStatus.Retired, HostStatus.Active);
        hosts.reinstate(tpm.hostId);
        _expectUnchangeable(HostStatus.Retired, HostStatus.Retired);
        hosts.retire(tpm.hostId);
    }

    function test_refusesSuspensionByAnybodyElse() public {
        enrol(tpm, Assurance.Software);
        address[2] memory outsiders = [address(this), tpm.ledgerAddress];
        for (uint256 i = 0; i < outsiders.length; ++i) {
            VM.prank(outsiders[i]);
            VM.expectRevert(abi.encodeWithSelector(IHostRegistry.NotRegistrarNorApprover.selector, outsiders[i]));
            hosts.suspend(tpm.hostId);
        }
    }

    function test_saysThatNobodySpeaksForAnUnknownHost() public view {
        (HostStatus status, bytes32 akQualifiedName, bool maySpeak) = hosts.attester(tpm.hostId, address(0));
        isTrue(status == HostStatus.None, "status");
        equal(akQualifiedName, 0, "AK");
        isFalse(maySpeak, "may speak");
    }

    function test_saysThatNobodyElseSpeaks() public {
        enrol(tpm, Assurance.Software);
        _speaks(address(0), false);
        _speaks(address(this), false);
        Tpm memory other = makeTpm(2);
        enrol(other, Assurance.Software);
        _speaks(other.ledgerAddress, false);
    }

    /// @dev Any history of statuses, several changes a block among them, against one written down.
    function testFuzz_answersForEveryBlock(uint256 seed) public {
        enrol(tpm, Assurance.Software);
        uint8[64] memory ghost;
        uint8 status = 1;
        VM.startPrank(REGISTRAR);
        for (uint64 block_ = 0; block_ < 64; ++block_) {
            VM.roll(1000 + block_);
            for (seed = uint256(keccak256(abi.encode(seed))); seed % 4 == 0; seed >>= 8) {
                if (status == 1) hosts.suspend(tpm.hostId);
                else hosts.reinstate(tpm.hostId);
                status = 3 - status;
            }
            ghost[block_] = status;
        }
        for (uint64 block_ = 0; block_ < 64; ++block_) {
            (HostStatus answer, ) = hosts.standingAt(tpm.hostId, 1000 + block_);
            equal(uint8(answer), ghost[block_], VM.toString(block_));
        }
        (HostStatus first, ) = hosts.standingAt(tpm.hostId, 999);
        equal(uint8(first), 0, "before it was registered");
    }

    // -------------------------------------------------------------------------
    // Deployment
    // -------------------------------------------------------------------------

    function test_appointsItsFirstRegistrars() public {
        address[] memory registrars = new address[](2);
        (registrars[0], registrars[1]) = (address(0xe1), address(0xe2));
        address next = VM.computeCreateAddress(address(this), VM.getNonce(address(this)));
        for (uint256 i = 0; i < 2; ++i) {
            VM.expectEmit(next);
            emit IHostRegistry.RegistrarChanged(registrars[i], true, 1);
        }
        IHostRegistry fresh = IHostRegistry(deploy("HostRegistry", abi.encode(vmms, registrars)));
        for (uint256 i = 0; i < 2; ++i) {
            isTrue(fresh.isRegistrar(registrars[i]), "registrar");
            equal(fresh.registrarNonce(registrars[i]), 1, "nonce");
        }
    }

    function test_refusesToBeDeployedWithoutRegistrars() public {
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.RegistrarsMissing.selector));
        this.deployWith(new address[](0));
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.RegistrarZero.selector));
        this.deployWith(new address[](1));
        address[] memory twice = new address[](2);
        twice[0] = twice[1] = REGISTRAR;
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.RegistrarUnchanged.selector, REGISTRAR));
        this.deployWith(twice);
    }

    function deployWith(address[] calldata registrars) external returns (address) {
        return deploy("HostRegistry", abi.encode(vmms, registrars));
    }

    // -------------------------------------------------------------------------

    /// @dev The next call is the registrar's and reverts so.
    function _expect(bytes memory error_) private {
        VM.prank(REGISTRAR);
        VM.expectRevert(error_);
    }

    function _expectUnchangeable(HostStatus from, HostStatus to) private {
        VM.expectRevert(abi.encodeWithSelector(IHostRegistry.StatusUnchangeable.selector, from, to));
    }

    /// @dev The next call is `by`'s and makes this the status.
    function _changes(address by, HostStatus status) private {
        VM.expectEmit(address(hosts));
        emit IHostRegistry.HostStatusChanged(tpm.hostId, status, by);
        VM.prank(by);
    }

    function _notConsenting(address ledgerAddress) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IHostRegistry.LedgerAddressNotConsenting.selector, ledgerAddress);
    }

    function _speaks(address account, bool expected) private view {
        (HostStatus status, bytes32 akQualifiedName, bool maySpeak) = hosts.attester(tpm.hostId, account);
        isTrue(maySpeak == expected, "may speak");
        equal(akQualifiedName, tpm.qualifiedName, "AK");
        isTrue(status == hosts.host(tpm.hostId).status, "status");
    }

    function _refuses(Tpm memory who, bytes memory error_) private {
        Quote memory quote = registrationQuote(who);
        bytes memory signature = consent(who);
        _expect(error_);
        hosts.register(registrationOf(who, Assurance.Software), uint64(block.number - 1), quote, signature);
    }

    function _refusesQuote(Quote memory quote) private {
        bytes memory signature = consent(tpm);
        _expect(abi.encodeWithSelector(TpmQuote.BindingIs.selector, _extraData(quote.attest)));
        hosts.register(registrationOf(tpm, Assurance.Software), uint64(block.number - 1), quote, signature);
    }

    function _refusesRotation(Tpm memory who, uint256 toKey, uint64 overlap, bytes memory error_) private {
        address to = VM.addr(toKey);
        Quote memory quote = rotationQuote(who, to, overlap);
        bytes32 digest = rotationDigest(who, to, overlap);
        bytes memory from = signedBy(who.ledgerKey, digest);
        VM.expectRevert(error_);
        hosts.rotateAddress(who.hostId, to, overlap, uint64(block.number - 1), quote, from, signedBy(toKey, digest));
    }

    function _refusesConsents(Quote memory quote, bytes memory from, bytes memory to, address missing) private {
        VM.expectRevert(_notConsenting(missing));
        hosts.rotateAddress(tpm.hostId, VM.addr(3000), 5, uint64(block.number - 1), quote, from, to);
    }

    function _refusesRotationQuote(Quote memory quote) private {
        address to = VM.addr(3000);
        bytes32 digest = rotationDigest(tpm, to, 5);
        bytes memory from = signedBy(tpm.ledgerKey, digest);
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.BindingIs.selector, _extraData(quote.attest)));
        hosts.rotateAddress(tpm.hostId, to, 5, uint64(block.number - 1), quote, from, signedBy(3000, digest));
    }

    function _refusesReplacement(uint256 akKey, bytes memory error_) private {
        Tpm memory who = useAk(makeTpm(1), akKey);
        Quote memory quote = makeQuote(who, REPLACE_AK, address(hosts), bondOf(who));
        bytes memory signature = consent(who);
        _expect(error_);
        hosts.replaceAk(who.hostId, uint64(block.number - 1), quote, signature);
    }

    function _extraData(bytes memory attest) private pure returns (bytes32 extraData) {
        for (uint256 i = 0; i < 32; ++i) extraData |= bytes32(attest[44 + i]) >> (8 * i);
    }
}
