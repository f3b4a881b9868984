// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {History} from "./History.sol";
import {TpmQuote} from "./TpmQuote.sol";
import {IHostRegistry} from "./interfaces/IHostRegistry.sol";
import {Assurance, Host, HostStatus, Quote, Registration} from "./interfaces/Types.sol";

/// @title The hosts. See IHostRegistry.
contract HostRegistry is IHostRegistry, EIP712 {
    using History for Checkpoints.Trace208;

    bytes32 private constant PURPOSE = keccak256("attestry/quote/register");
    bytes32 private constant CLAIM_TYPEHASH = keccak256("LedgerAddressClaim(bytes32 hostId,bytes32 akHash)");

    mapping(address account => bool) public override isRegistrar;
    mapping(address ledgerAddress => bytes32 hostId) public override hostOf;
    mapping(bytes32 hostId => Host) private _hosts;
    mapping(bytes32 hostId => Checkpoints.Trace208 statuses) private _statuses;

    constructor(address[] memory registrars) EIP712("Attestry", "1") {
        require(registrars.length > 0, NotRegistrar(address(0)));
        for (uint256 i = 0; i < registrars.length; ++i) {
            require(registrars[i] != address(0), NotRegistrar(address(0)));
            isRegistrar[registrars[i]] = true;
        }
    }

    modifier onlyRegistrar() {
        require(isRegistrar[msg.sender], NotRegistrar(msg.sender));
        _;
    }

    // -------------------------------------------------------------------------
    // Enrolment
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
        bytes32 akHash = keccak256(registration.akPublic);
        require(_hosts[hostId].status == HostStatus.None, HostExists(hostId));
        require(hostOf[ledgerAddress] == 0, LedgerAddressTaken(ledgerAddress));
        require(registration.assurance != Assurance.None, AssuranceMissing());

        TpmQuote.AttestationKey memory ak = TpmQuote.attestationKey(registration.akPublic);
        bytes32 payloadHash = keccak256(abi.encode(ledgerAddress, akHash));
        TpmQuote.verify(quote, ak, TpmQuote.qualifyingData(PURPOSE, hostId, payloadHash, anchorBlock));
        _requireConsent(ledgerAddress, hostId, akHash, addressSignature);

        hostOf[ledgerAddress] = hostId;
        _hosts[hostId] = Host({
            status: HostStatus.Active,
            assurance: registration.assurance,
            since: uint64(block.number),
            ledgerAddress: ledgerAddress,
            akX: ak.x,
            akY: ak.y,
            akQualifiedName: ak.qualifiedName
        });
        _statuses[hostId].set(uint8(HostStatus.Active));
        emit HostRegistered({
            hostId: hostId,
            ledgerAddress: ledgerAddress,
            assurance: registration.assurance,
            registrar: msg.sender,
            anchorBlock: anchorBlock,
            ekPublic: registration.ekPublic,
            akPublic: registration.akPublic,
            ekCertificate: registration.ekCertificate,
            quote: quote
        });
    }

    // -------------------------------------------------------------------------
    // Status
    // -------------------------------------------------------------------------

    /// @inheritdoc IHostRegistry
    function suspend(bytes32 hostId) external onlyRegistrar {
        _change(hostId, HostStatus.Active, HostStatus.Suspended);
    }

    /// @inheritdoc IHostRegistry
    function reinstate(bytes32 hostId) external onlyRegistrar {
        _change(hostId, HostStatus.Suspended, HostStatus.Active);
    }

    // -------------------------------------------------------------------------
    // Views
    // -------------------------------------------------------------------------

    /// @inheritdoc IHostRegistry
    function host(bytes32 hostId) external view returns (Host memory) {
        return _hosts[hostId];
    }

    /// @inheritdoc IHostRegistry
    function statusAt(bytes32 hostId, uint64 asOf) public view returns (HostStatus) {
        return HostStatus(_statuses[hostId].valueAt(asOf));
    }

    /// @inheritdoc IHostRegistry
    function wasActive(bytes32 hostId, uint64 asOf) external view returns (bool) {
        return statusAt(hostId, asOf) == HostStatus.Active;
    }

    // -------------------------------------------------------------------------
    // Internals
    // -------------------------------------------------------------------------

    function _change(bytes32 hostId, HostStatus from, HostStatus to) private {
        Host storage h = _hosts[hostId];
        require(h.status != HostStatus.None, HostUnknown(hostId));
        require(h.status == from, StatusUnchangeable(h.status, to));
        h.status = to;
        h.since = uint64(block.number);
        _statuses[hostId].set(uint8(to));
        emit HostStatusChanged(hostId, to, msg.sender);
    }

    /// @dev Only a key's own signature counts here: a ledger address is a key in an HSM, never a contract.
    function _requireConsent(
        address ledgerAddress,
        bytes32 hostId,
        bytes32 akHash,
        bytes calldata signature
    ) private view {
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(CLAIM_TYPEHASH, hostId, akHash)));
        (address signer, ECDSA.RecoverError fault, ) = ECDSA.tryRecover(digest, signature);
        require(
            fault == ECDSA.RecoverError.NoError && signer == ledgerAddress,
            LedgerAddressNotConsenting(ledgerAddress)
        );
    }
}
