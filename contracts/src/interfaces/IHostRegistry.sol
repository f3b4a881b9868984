// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assurance, Host, HostStatus, Quote, Registration} from "./Types.sol";

/// @title The hosts, their attestation keys and their ledger addresses.
/// @notice A hostId is the SHA-256 of an EK's public area, so no other TPM can take it over.
interface IHostRegistry {
    /// @notice A host was entered; everything an auditor needs to appraise its identity from the ledger alone.
    event HostRegistered(
        bytes32 indexed hostId,
        address indexed ledgerAddress,
        Assurance assurance,
        address registrar,
        uint64 anchorBlock,
        bytes ekPublic,
        bytes akPublic,
        bytes ekCertificate,
        Quote quote
    );

    event HostStatusChanged(bytes32 indexed hostId, HostStatus status, address by);

    error NotRegistrar(address caller);
    error HostExists(bytes32 hostId);
    error HostUnknown(bytes32 hostId);
    error LedgerAddressTaken(address ledgerAddress);
    error LedgerAddressNotConsenting(address ledgerAddress);
    error AssuranceMissing();
    error StatusUnchangeable(HostStatus from, HostStatus to);

    /// @notice Enters a host. The quote's payload is `keccak256(abi.encode(ledgerAddress, keccak256(akPublic)))`, its
    /// purpose `keccak256("attestry/quote/register")`, the contract this one.
    /// @param addressSignature The ledger key's EIP-712 signature over `LedgerAddressClaim(bytes32 hostId,bytes32 akHash)`
    /// with `akHash = keccak256(akPublic)`: the HSM's side of the bond.
    /// @dev Only registrars.
    function register(
        Registration calldata registration,
        uint64 anchorBlock,
        Quote calldata quote,
        bytes calldata addressSignature
    ) external returns (bytes32 hostId);

    /// @notice Takes a host out of service at once. Only registrars.
    function suspend(bytes32 hostId) external;

    /// @notice Puts a suspended host back. Only registrars.
    function reinstate(bytes32 hostId) external;

    function host(bytes32 hostId) external view returns (Host memory);

    /// @notice The host that an address speaks for, 0 for none.
    function hostOf(address ledgerAddress) external view returns (bytes32 hostId);

    function isRegistrar(address account) external view returns (bool);

    /// @notice The host's status at the end of block `asOf`; None before it was registered.
    function statusAt(bytes32 hostId, uint64 asOf) external view returns (HostStatus);

    /// @notice Whether the host counted as active at the end of block `asOf`.
    function wasActive(bytes32 hostId, uint64 asOf) external view returns (bool);
}
