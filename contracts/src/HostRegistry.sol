// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Decisions} from "./Decisions.sol";
import {History} from "./History.sol";
import {SignerCheck} from "./SignerCheck.sol";
import {TpmQuote} from "./TpmQuote.sol";
import {IApprovers} from "./interfaces/IApprovers.sol";
import {IHostRegistry} from "./interfaces/IHostRegistry.sol";
import {Assurance, Host, HostStatus, Quote, Registration, SignedApproval} from "./interfaces/Types.sol";

/// @title The hosts. See IHostRegistry.
contract HostRegistry is IHostRegistry, Decisions {
    using History for Checkpoints.Trace208;

    /// @dev Three slots. The first answers `standingAt`; a batch's check reads the second too, and the third only during an overlap.
    /// @param akReplacedIn The block of the last replacement of the AK, 0 for none. 48 bits hold any block, as in Checkpoints.
    struct Entry {
        HostStatus status;
        Assurance assurance;
        uint64 since;
        address ledgerAddress;
        bytes32 akQualifiedName;
        address previousAddress;
        uint48 previousUntil;
        uint48 akReplacedIn;
    }

    struct Registrar {
        bool isRegistrar;
        uint64 nonce;
    }

    bytes32 private constant REGISTER = keccak256("attestry/quote/register");
    bytes32 private constant ROTATE_ADDRESS = keccak256("attestry/quote/rotate-address");
    bytes32 private constant REPLACE_ADDRESS = keccak256("attestry/quote/replace-address");
    bytes32 private constant REPLACE_AK = keccak256("attestry/quote/replace-ak");
    bytes32 private constant CLAIM_TYPEHASH = keccak256("LedgerAddressClaim(bytes32 hostId,bytes32 akHash)");
    bytes32 private constant ROTATION_TYPEHASH = keccak256(
        "AddressRotation(bytes32 hostId,address from,address to,uint64 overlapBlocks)"
    );
    bytes32 private constant REPLACEMENT_TYPEHASH = keccak256(
        "AddressReplacement(bytes32 hostId,address from,address to)"
    );
    bytes32 private constant CHANGE_TYPEHASH = keccak256(
        "RegistrarChange(address registrar,bool isRegistrar,uint64 nonce,address approver,uint32 term,uint64 deadline)"
    );

    uint64 private constant MAX_OVERLAP_BLOCKS = 100_000;

    IApprovers private immutable APPROVERS;

    /// @inheritdoc IHostRegistry
    mapping(address ledgerAddress => bytes32 hostId) public override hostOf;
    mapping(bytes32 akQualifiedName => bytes32 hostId) private _hostOfAk;
    mapping(bytes32 hostId => Entry) private _hosts;
    mapping(bytes32 hostId => Checkpoints.Trace208 statuses) private _statuses;
    mapping(address account => Registrar) private _registrars;

    constructor(IApprovers approvers, address[] memory registrars) {
        require(registrars.length > 0, RegistrarsMissing());
        APPROVERS = approvers;
        for (uint256 i = 0; i < registrars.length; ++i) {
            _requireChange(registrars[i], true);
            _setRegistrar(registrars[i], true);
        }
    }

    modifier onlyRegistrar() {
        require(_registrars[msg.sender].isRegistrar, NotRegistrar(msg.sender));
        _;
    }

    // -------------------------------------------------------------------------
    // Identity
    // -------------------------------------------------------------------------

    /// @inheritdoc IHostRegistry
    function register(
        Registration calldata registration,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata addressSignature
    ) external onlyRegistrar returns (bytes32 hostId) {
        hostId = sha256(registration.ekPublic);
        address ledgerAddress = registration.ledgerAddress;
        require(_hosts[hostId].status == HostStatus.None, HostExists(hostId));
        require(hostOf[ledgerAddress] == 0, LedgerAddressTaken(ledgerAddress));
        require(registration.assurance != Assurance.None, AssuranceMissing());

        bytes32 akQualifiedName = TpmQuote.requireAttestationKey(quote.akPublic);
        require(_hostOfAk[akQualifiedName] == 0, AttestationKeyTaken(_hostOfAk[akQualifiedName]));
        _requireBond(REGISTER, hostId, ledgerAddress, akQualifiedName, anchorBlock, quote, addressSignature);

        hostOf[ledgerAddress] = hostId;
        _hostOfAk[akQualifiedName] = hostId;
        Entry storage h = _hosts[hostId];
        h.status = HostStatus.Active;
        h.assurance = registration.assurance;
        h.since = uint64(block.number);
        h.ledgerAddress = ledgerAddress;
        h.akQualifiedName = akQualifiedName;
        emit HostRegistered({
            hostId: hostId,
            ledgerAddress: ledgerAddress,
            assurance: registration.assurance,
            registrar: msg.sender,
            anchorBlock: anchorBlock,
            ekPublic: registration.ekPublic,
            ekCertificate: registration.ekCertificate,
            quote: quote
        });
    }

    /// @inheritdoc IHostRegistry
    function rotateAddress(
        bytes32 hostId,
        address to,
        uint64 overlapBlocks,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata fromSignature,
        bytes calldata toSignature
    ) external {
        Entry storage h = _inService(hostId);
        address from = h.ledgerAddress;
        require(overlapBlocks <= MAX_OVERLAP_BLOCKS, OverlapTooLong(overlapBlocks));
        require(block.number > h.previousUntil, OverlapRunning(h.previousUntil));
        require(hostOf[to] == 0, LedgerAddressTaken(to));

        bytes32 payloadHash = keccak256(abi.encode(from, to, overlapBlocks));
        bytes32 qualifyingData = TpmQuote.qualifyingData(ROTATE_ADDRESS, hostId, payloadHash, anchorBlock);
        TpmQuote.verify(quote, h.akQualifiedName, qualifyingData);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(ROTATION_TYPEHASH, hostId, from, to, overlapBlocks)));
        _requireConsent(from, digest, fromSignature);
        _requireConsent(to, digest, toSignature);

        uint64 overlapUntil = uint64(block.number) + overlapBlocks;
        hostOf[to] = hostId;
        h.ledgerAddress = to;
        h.previousAddress = from;
        h.previousUntil = uint48(overlapUntil);
        emit LedgerAddressRotated({
            hostId: hostId,
            from: from,
            to: to,
            overlapUntil: overlapUntil,
            anchorBlock: anchorBlock,
            quote: quote
        });
    }

    /// @inheritdoc IHostRegistry
    function replaceAddress(
        bytes32 hostId,
        address to,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata toSignature
    ) external onlyRegistrar {
        Entry storage h = _known(hostId);
        require(h.status == HostStatus.Suspended, HostNotSuspended(hostId));
        address from = h.ledgerAddress;
        require(hostOf[to] == 0, LedgerAddressTaken(to));

        bytes32 payloadHash = keccak256(abi.encode(from, to));
        bytes32 qualifyingData = TpmQuote.qualifyingData(REPLACE_ADDRESS, hostId, payloadHash, anchorBlock);
        TpmQuote.verify(quote, h.akQualifiedName, qualifyingData);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REPLACEMENT_TYPEHASH, hostId, from, to)));
        _requireConsent(to, digest, toSignature);

        hostOf[to] = hostId;
        h.ledgerAddress = to;
        h.previousAddress = from;
        // Ends the overlap of an earlier rotation too.
        h.previousUntil = 0;
        emit LedgerAddressReplaced({
            hostId: hostId,
            from: from,
            to: to,
            registrar: msg.sender,
            anchorBlock: anchorBlock,
            quote: quote
        });
    }

    /// @inheritdoc IHostRegistry
    function replaceAk(
        bytes32 hostId,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata addressSignature
    ) external onlyRegistrar {
        Entry storage h = _inService(hostId);
        // The quote of an earlier replacement is anchored before the block that accepted it.
        require(anchorBlock >= h.akReplacedIn, QuoteOutdated(h.akReplacedIn));
        bytes32 akQualifiedName = TpmQuote.requireAttestationKey(quote.akPublic);
        bytes32 holder = _hostOfAk[akQualifiedName];
        // It may be the host's own from earlier, but not its present one.
        require((holder == 0 || holder == hostId) && akQualifiedName != h.akQualifiedName, AttestationKeyTaken(holder));
        _requireBond(REPLACE_AK, hostId, h.ledgerAddress, akQualifiedName, anchorBlock, quote, addressSignature);

        _hostOfAk[akQualifiedName] = hostId;
        h.akQualifiedName = akQualifiedName;
        h.akReplacedIn = uint48(block.number);
        emit AttestationKeyReplaced({
            hostId: hostId,
            akQualifiedName: akQualifiedName,
            registrar: msg.sender,
            anchorBlock: anchorBlock,
            quote: quote
        });
    }

    // -------------------------------------------------------------------------
    // Status
    // -------------------------------------------------------------------------

    /// @inheritdoc IHostRegistry
    function suspend(bytes32 hostId) external {
        require(
            _registrars[msg.sender].isRegistrar || APPROVERS.isApprover(msg.sender),
            NotRegistrarNorApprover(msg.sender)
        );
        HostStatus status = _known(hostId).status;
        require(status == HostStatus.Active, StatusUnchangeable(status, HostStatus.Suspended));
        _setStatus(hostId, HostStatus.Suspended);
    }

    /// @inheritdoc IHostRegistry
    function reinstate(bytes32 hostId) external onlyRegistrar {
        HostStatus status = _known(hostId).status;
        require(status == HostStatus.Suspended, StatusUnchangeable(status, HostStatus.Active));
        _setStatus(hostId, HostStatus.Active);
    }

    /// @inheritdoc IHostRegistry
    function retire(bytes32 hostId) external onlyRegistrar {
        HostStatus status = _known(hostId).status;
        require(status != HostStatus.Retired, StatusUnchangeable(status, HostStatus.Retired));
        _setStatus(hostId, HostStatus.Retired);
    }

    // -------------------------------------------------------------------------
    // Registrars
    // -------------------------------------------------------------------------

    /// @inheritdoc IHostRegistry
    function changeRegistrar(
        address registrar,
        bool isRegistrar_,
        uint64 nonce,
        SignedApproval[] calldata approvals
    ) external {
        uint64 expected = _registrars[registrar].nonce;
        require(nonce == expected, NonceIs(expected));
        _requireChange(registrar, isRegistrar_);
        if (_decide(abi.encode(CHANGE_TYPEHASH, registrar, isRegistrar_, nonce), approvals)) {
            _setRegistrar(registrar, isRegistrar_);
        }
    }

    // -------------------------------------------------------------------------
    // Views
    // -------------------------------------------------------------------------

    /// @inheritdoc IHostRegistry
    function host(bytes32 hostId) external view returns (Host memory) {
        Entry storage h = _hosts[hostId];
        return
            Host({
                status: h.status,
                assurance: h.assurance,
                since: h.since,
                ledgerAddress: h.ledgerAddress,
                akQualifiedName: h.akQualifiedName,
                previousAddress: h.previousAddress,
                previousUntil: h.previousUntil
            });
    }

    /// @inheritdoc IHostRegistry
    function attester(
        bytes32 hostId,
        address account
    ) external view returns (HostStatus status, bytes32 akQualifiedName, bool maySpeak) {
        Entry storage h = _hosts[hostId];
        status = h.status;
        akQualifiedName = h.akQualifiedName;
        maySpeak =
            status != HostStatus.None &&
            (account == h.ledgerAddress || (account == h.previousAddress && block.number <= h.previousUntil));
    }

    /// @inheritdoc IHostRegistry
    function standingAt(bytes32 hostId, uint64 asOf) external view returns (HostStatus status, Assurance assurance) {
        Entry storage h = _hosts[hostId];
        assurance = h.assurance;
        status = h.since <= asOf ? h.status : HostStatus(_statuses[hostId].valueAt(asOf));
    }

    /// @inheritdoc IHostRegistry
    function isRegistrar(address account) external view returns (bool) {
        return _registrars[account].isRegistrar;
    }

    /// @inheritdoc IHostRegistry
    function registrarNonce(address account) external view returns (uint64) {
        return _registrars[account].nonce;
    }

    // -------------------------------------------------------------------------
    // Internals
    // -------------------------------------------------------------------------

    function _deciders() internal view override returns (IApprovers) {
        return APPROVERS;
    }

    function _known(bytes32 hostId) private view returns (Entry storage h) {
        h = _hosts[hostId];
        require(h.status != HostStatus.None, HostUnknown(hostId));
    }

    function _inService(bytes32 hostId) private view returns (Entry storage h) {
        h = _known(hostId);
        require(h.status != HostStatus.Retired, HostIsRetired(hostId));
    }

    function _setStatus(bytes32 hostId, HostStatus status) private {
        Entry storage h = _hosts[hostId];
        _statuses[hostId].archive(uint8(h.status), h.since);
        h.status = status;
        h.since = uint64(block.number);
        emit HostStatusChanged(hostId, status, msg.sender);
    }

    function _setRegistrar(address registrar, bool isRegistrar_) private {
        Registrar storage r = _registrars[registrar];
        r.isRegistrar = isRegistrar_;
        emit RegistrarChanged(registrar, isRegistrar_, ++r.nonce);
    }

    function _requireChange(address registrar, bool isRegistrar_) private view {
        require(registrar != address(0), RegistrarZero());
        require(_registrars[registrar].isRegistrar != isRegistrar_, RegistrarUnchanged(registrar));
    }

    /// @dev That TPM and HSM speak for one host: the AK quoted the ledger address, and the ledger key signed the AK.
    function _requireBond(
        bytes32 purpose,
        bytes32 hostId,
        address ledgerAddress,
        bytes32 akQualifiedName,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata addressSignature
    ) private view {
        bytes32 akHash = keccak256(quote.akPublic);
        bytes32 payloadHash = keccak256(abi.encode(ledgerAddress, akHash));
        TpmQuote.verify(quote, akQualifiedName, TpmQuote.qualifyingData(purpose, hostId, payloadHash, anchorBlock));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(CLAIM_TYPEHASH, hostId, akHash)));
        _requireConsent(ledgerAddress, digest, addressSignature);
    }

    function _requireConsent(address ledgerAddress, bytes32 digest, bytes calldata signature) private pure {
        require(SignerCheck.isSignedByKey(ledgerAddress, digest, signature), LedgerAddressNotConsenting(ledgerAddress));
    }
}
