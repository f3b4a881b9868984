// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assurance, Host, HostStatus, Quote, Registration, SignedApproval} from "./Types.sol";

/// @title The hosts, their attestation keys and their ledger addresses.
/// @notice A hostId is the SHA-256 of an EK's public area, so no other TPM can take it over. A ledger address or an
/// attestation key that a host once had is never another host's.
interface IHostRegistry {
    /// @notice A host was entered; everything an auditor needs to appraise its identity from the ledger alone.
    event HostRegistered(
        bytes32 indexed hostId,
        address indexed ledgerAddress,
        Assurance assurance,
        address registrar,
        uint64 anchorBlock,
        bytes ekPublic,
        bytes ekCertificate,
        Quote quote
    );

    event HostStatusChanged(bytes32 indexed hostId, HostStatus status, address by);

    /// @param overlapUntil The last block in which `from` may still submit.
    event LedgerAddressRotated(
        bytes32 indexed hostId,
        address indexed from,
        address indexed to,
        uint64 overlapUntil,
        uint64 anchorBlock,
        Quote quote
    );

    event LedgerAddressReplaced(
        bytes32 indexed hostId,
        address indexed from,
        address indexed to,
        address registrar,
        uint64 anchorBlock,
        Quote quote
    );

    event AttestationKeyReplaced(
        bytes32 indexed hostId,
        bytes32 akQualifiedName,
        address registrar,
        uint64 anchorBlock,
        Quote quote
    );

    /// @param nonce Counts the decisions about this account, this one included.
    event RegistrarChanged(address indexed registrar, bool isRegistrar, uint64 nonce);

    error NotRegistrar(address caller);
    error NotRegistrarNorApprover(address caller);
    error RegistrarsMissing();
    error RegistrarZero();
    error RegistrarUnchanged(address registrar);
    error NonceIs(uint64 nonce);
    error HostExists(bytes32 hostId);
    error HostUnknown(bytes32 hostId);
    error HostIsRetired(bytes32 hostId);
    error HostNotSuspended(bytes32 hostId);
    error LedgerAddressTaken(address ledgerAddress);
    error LedgerAddressNotConsenting(address ledgerAddress);
    error AttestationKeyTaken(bytes32 hostId);
    error AssuranceMissing();
    error OverlapTooLong(uint64 overlapBlocks);
    error OverlapRunning(uint64 until);
    error StatusUnchangeable(HostStatus from, HostStatus to);

    /// @notice The quote is anchored before the block in which the host's AK was last replaced: it may be that very quote.
    error QuoteOutdated(uint64 acceptedIn);

    /// @notice Enters a host. The quote's payload is `keccak256(abi.encode(ledgerAddress, keccak256(quote.akPublic)))`, its
    /// purpose `keccak256("attestry/quote/register")`, the contract this one.
    /// @param addressSignature The ledger key's EIP-712 signature over `LedgerAddressClaim(bytes32 hostId,bytes32 akHash)`
    /// with `akHash = keccak256(quote.akPublic)`: the HSM's side of the bond.
    /// @dev Only registrars.
    function register(
        Registration calldata registration,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata addressSignature
    ) external returns (bytes32 hostId);

    /// @notice Gives a host a new ledger address. Both may submit until `overlapBlocks` blocks from now have passed. Anybody
    /// may send it; a host that is retired cannot. The quote is by the host's AK, its payload
    /// `keccak256(abi.encode(from, to, overlapBlocks))` with `from` the present address, its purpose
    /// `keccak256("attestry/quote/rotate-address")`, the contract this one. No address ever comes back, so none of this can be replayed.
    /// @param overlapBlocks At most 100000.
    /// @param fromSignature The present ledger key's EIP-712 signature over
    /// `AddressRotation(bytes32 hostId,address from,address to,uint64 overlapBlocks)`.
    /// @param toSignature The new ledger key's over the same.
    function rotateAddress(
        bytes32 hostId,
        address to,
        uint64 overlapBlocks,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata fromSignature,
        bytes calldata toSignature
    ) external;

    /// @notice Gives a suspended host a new ledger address without the old key, which is lost or stolen. From this call on no earlier
    /// address speaks for the host; receipts that they signed stay its receipts. The quote is by the host's AK, its payload
    /// `keccak256(abi.encode(from, to))` with `from` the present address, its purpose
    /// `keccak256("attestry/quote/replace-address")`, the contract this one. No address ever comes back, so none of this can be
    /// replayed.
    /// @param toSignature The new ledger key's EIP-712 signature over `AddressReplacement(bytes32 hostId,address from,address to)`.
    /// Not a `LedgerAddressClaim`: one of an enrolment that came to nothing would do for ever.
    /// @dev Only registrars.
    function replaceAddress(
        bytes32 hostId,
        address to,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata toSignature
    ) external;

    /// @notice Gives a host a new attestation key, whose bond with the EK the registrar checked again. The new key makes the
    /// quote; payload and `addressSignature` are as in `register`, the purpose is `keccak256("attestry/quote/replace-ak")`.
    /// @dev Only registrars. Not for a retired host.
    function replaceAk(
        bytes32 hostId,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata addressSignature
    ) external;

    /// @notice Takes a host out of service at once. Any registrar, any approver.
    function suspend(bytes32 hostId) external;

    /// @notice Puts a suspended host back. Only registrars.
    function reinstate(bytes32 hostId) external;

    /// @notice Takes a host out of service for good. Only registrars.
    function retire(bytes32 hostId) external;

    /// @notice Appoints or dismisses a registrar, by the approvers' k-of-n. Signed as `RegistrarChange(address registrar,bool
    /// isRegistrar,uint64 nonce,address approver,uint32 term,uint64 deadline)`, `term` being the present one.
    /// @param nonce `registrarNonce(registrar)`, so that no old signature appoints anybody again.
    function changeRegistrar(
        address registrar,
        bool isRegistrar_,
        uint64 nonce,
        SignedApproval[] calldata approvals
    ) external;

    function host(bytes32 hostId) external view returns (Host memory);

    /// @notice The host that an address speaks for or ever spoke for, 0 for none.
    function hostOf(address ledgerAddress) external view returns (bytes32 hostId);

    /// @notice What a contract needs to take a host's word: its status, its AK, and whether `account` may speak for it in
    /// this block.
    function attester(
        bytes32 hostId,
        address account
    ) external view returns (HostStatus status, bytes32 akQualifiedName, bool maySpeak);

    /// @notice The host's status at the end of block `asOf` (None before it was registered), and its assurance.
    function standingAt(bytes32 hostId, uint64 asOf) external view returns (HostStatus status, Assurance assurance);

    function isRegistrar(address account) external view returns (bool);

    function registrarNonce(address account) external view returns (uint64);
}
