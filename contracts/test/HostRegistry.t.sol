// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "./support/Rig.sol";
import {Vm} from "./support/Vm.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {IHostRegistry} from "../src/interfaces/IHostRegistry.sol";
import {Assurance, Host, HostStatus, Quote, Registration} from "../src/interfaces/Types.sol";

contract HostRegistryTest is Rig {
    Tpm private tpm;

    function setUp() public {
        deployAll();
        tpm = makeTpm(1);
    }

    function test_registersAHost() public {
        VM.recordLogs();
        enrol(tpm, Assurance.Hardware);
        Vm.Log[] memory logs = VM.getRecordedLogs();

        Host memory host = hosts.host(tpm.hostId);
        isTrue(host.status == HostStatus.Active, "active");
        isTrue(host.assurance == Assurance.Hardware, "assurance");
        equal(host.since, block.number, "since");
        equal(host.ledgerAddress, tpm.ledgerAddress, "ledger address");
        (uint256 x, uint256 y) = VM.publicKeyP256(tpm.akKey);
        equal(uint256(host.akX), x, "x");
        equal(uint256(host.akY), y, "y");
        equal(host.akQualifiedName, tpm.qualifiedName, "qualified name");
        equal(hosts.hostOf(tpm.ledgerAddress), tpm.hostId, "hostOf");

        equal(logs.length, 1, "one event");
        equal(logs[0].topics[0], IHostRegistry.HostRegistered.selector, "event");
        equal(logs[0].topics[1], tpm.hostId, "event's host");
        (Assurance assurance, address registrar, uint64 anchor, bytes memory ekPublic, bytes memory akPublic, , ) = abi
            .decode(logs[0].data, (Assurance, address, uint64, bytes, bytes, bytes, Quote));
        isTrue(assurance == Assurance.Hardware, "event's assurance");
        equal(registrar, REGISTRAR, "event's registrar");
        equal(anchor, block.number - 1, "event's anchor");
        equal(sha256(ekPublic), tpm.hostId, "event's EK");
        equal(keccak256(akPublic), keccak256(tpm.akPublic), "event's AK");
    }

    function test_refusesAHostTwiceAndALedgerAddressTwice() public {
        enrol(tpm, Assurance.Software);
        _refuses(tpm, abi.encodeWithSelector(IHostRegistry.HostExists.selector, tpm.hostId));

        Tpm memory other = makeTpm(2);
        other.ledgerKey = tpm.ledgerKey;
        other.ledgerAddress = tpm.ledgerAddress;
        _refuses(other, abi.encodeWithSelector(IHostRegistry.LedgerAddressTaken.selector, tpm.ledgerAddress));
    }

    function test_refusesAnybodyButARegistrar() public {
        Quote memory quote = registrationQuote(tpm);
        bytes memory signature = consent(tpm);
        Registration memory registration = registrationOf(tpm, Assurance.Software);
        bytes memory error_ = abi.encodeWithSelector(IHostRegistry.NotRegistrar.selector, address(this));
        VM.expectRevert(error_);
        hosts.register(registration, uint64(block.number - 1), quote, signature);
        VM.expectRevert(error_);
        hosts.suspend(tpm.hostId);
        VM.expectRevert(error_);
        hosts.reinstate(tpm.hostId);
    }

    function test_refusesNoAssurance() public {
        Quote memory quote = registrationQuote(tpm);
        bytes memory signature = consent(tpm);
        _expect(abi.encodeWithSelector(IHostRegistry.AssuranceMissing.selector));
        hosts.register(registrationOf(tpm, Assurance.None), uint64(block.number - 1), quote, signature);
    }

    function test_refusesAnAddressThatDidNotConsent() public {
        Quote memory quote = registrationQuote(tpm);
        bytes memory error_ = abi.encodeWithSelector(
            IHostRegistry.LedgerAddressNotConsenting.selector,
            tpm.ledgerAddress
        );
        Tpm memory impostor = makeTpm(1);
        impostor.ledgerKey = 99;
        Tpm memory elsewhere = makeTpm(1);
        elsewhere.hostId = keccak256("another host");
        Tpm memory otherAk = makeTpm(1);
        otherAk.akPublic = makeTpm(2).akPublic;
        bytes[4] memory signatures = [consent(impostor), consent(elsewhere), consent(otherAk), bytes("")];
        for (uint256 i = 0; i < signatures.length; ++i) {
            _expect(error_);
            hosts.register(registrationOf(tpm, Assurance.Software), uint64(block.number - 1), quote, signatures[i]);
        }
    }

    function test_refusesNobodyAsALedgerAddress() public {
        tpm.ledgerAddress = address(0);
        Quote memory quote = registrationQuote(tpm);
        _expect(abi.encodeWithSelector(IHostRegistry.LedgerAddressNotConsenting.selector, address(0)));
        hosts.register(registrationOf(tpm, Assurance.Software), uint64(block.number - 1), quote, "");
    }

    function test_refusesAQuoteForAnythingElse() public {
        bytes32 payload = keccak256(abi.encode(tpm.ledgerAddress, keccak256(tpm.akPublic)));
        _refusesQuote(makeQuote(tpm, VMM, address(hosts), payload));
        _refusesQuote(makeQuote(tpm, REGISTER, address(vmms), payload));
        _refusesQuote(makeQuote(tpm, REGISTER, address(hosts), keccak256("another payload")));
        _refusesQuote(makeQuoteAt(tpm, REGISTER, address(hosts), payload, block.number - 2));
        Tpm memory other = makeTpm(1);
        other.hostId = keccak256("another host");
        _refusesQuote(makeQuote(other, REGISTER, address(hosts), payload));
        VM.chainId(1);
        Quote memory elsewhere = makeQuote(tpm, REGISTER, address(hosts), payload);
        VM.chainId(31337);
        _refusesQuote(elsewhere);
    }

    function test_refusesAQuoteByAnotherKey() public {
        Tpm memory other = makeTpm(1);
        other.akKey = 4242;
        Quote memory quote = registrationQuote(other);
        bytes memory signature = consent(tpm);
        _expect(abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
        hosts.register(registrationOf(tpm, Assurance.Software), uint64(block.number - 1), quote, signature);
    }

    function test_refusesAKeyThatCouldSignAnything() public {
        (uint256 x, uint256 y) = VM.publicKeyP256(tpm.akKey);
        tpm.akPublic = akPublicOf(0x00040472, x, y); // not restricted
        tpm.qualifiedName = sha256(abi.encodePacked(hex"4000000b000b", sha256(tpm.akPublic)));
        _refuses(tpm, abi.encodeWithSelector(TpmQuote.AttestationKeyUnsupported.selector));
    }

    function test_suspendsAndReinstates() public {
        uint64 registered = uint64(block.number);
        enrol(tpm, Assurance.Software);
        VM.roll(1100);
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId);
        VM.roll(1200);
        VM.prank(REGISTRAR);
        hosts.reinstate(tpm.hostId);
        equal(hosts.host(tpm.hostId).since, 1200, "since");

        isTrue(hosts.statusAt(tpm.hostId, registered - 1) == HostStatus.None, "before it was registered");
        isFalse(hosts.wasActive(tpm.hostId, registered - 1), "before it was registered");
        isTrue(hosts.wasActive(tpm.hostId, registered), "from its registration");
        isTrue(hosts.wasActive(tpm.hostId, 1099), "until its suspension");
        isFalse(hosts.wasActive(tpm.hostId, 1100), "from its suspension");
        isFalse(hosts.wasActive(tpm.hostId, 1199), "until its reinstatement");
        isTrue(hosts.wasActive(tpm.hostId, 1200), "from its reinstatement");
        isTrue(hosts.wasActive(tpm.hostId, type(uint64).max), "ever after");
        isFalse(hosts.wasActive(keccak256("another"), 1200), "another host");
    }

    function test_refusesToChangeAStatusThatIsNotThere() public {
        _expect(abi.encodeWithSelector(IHostRegistry.HostUnknown.selector, tpm.hostId));
        hosts.suspend(tpm.hostId);
        enrol(tpm, Assurance.Software);
        _expect(
            abi.encodeWithSelector(IHostRegistry.StatusUnchangeable.selector, HostStatus.Active, HostStatus.Active)
        );
        hosts.reinstate(tpm.hostId);
        VM.prank(REGISTRAR);
        hosts.suspend(tpm.hostId);
        _expect(
            abi.encodeWithSelector(
                IHostRegistry.StatusUnchangeable.selector,
                HostStatus.Suspended,
                HostStatus.Suspended
            )
        );
        hosts.suspend(tpm.hostId);
    }

    function test_refusesToBeDeployedWithoutRegistrars() public {
        bytes memory error_ = abi.encodeWithSelector(IHostRegistry.NotRegistrar.selector, address(0));
        VM.expectRevert(error_);
        this.deployWith(new address[](0));
        VM.expectRevert(error_);
        this.deployWith(new address[](1));
    }

    function deployWith(address[] calldata registrars) external returns (address) {
        return deploy("HostRegistry", abi.encode(registrars));
    }

    // -------------------------------------------------------------------------

    /// @dev The next call is the registrar's and reverts so.
    function _expect(bytes memory error_) private {
        VM.prank(REGISTRAR);
        VM.expectRevert(error_);
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

    function _extraData(bytes memory attest) private pure returns (bytes32 extraData) {
        for (uint256 i = 0; i < 32; ++i) extraData |= bytes32(attest[44 + i]) >> (8 * i);
    }
}
