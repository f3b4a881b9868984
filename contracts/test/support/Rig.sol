// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check} from "./Check.sol";
import {IAccessPolicy} from "../../src/interfaces/IAccessPolicy.sol";
import {IAuditLog} from "../../src/interfaces/IAuditLog.sol";
import {IHostRegistry} from "../../src/interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "../../src/interfaces/IVmmRegistry.sol";
import {Assurance, Quote, Registration} from "../../src/interfaces/Types.sol";

/// @title The four contracts as they are deployed, from the artifacts in build/contracts, and TPMs whose keys the test holds.
abstract contract Rig is Check {
    /// @param akKey The private P-256 scalar of the attestation key.
    struct Tpm {
        bytes ekPublic;
        bytes akPublic;
        bytes32 hostId;
        bytes32 qualifiedName;
        uint256 akKey;
        uint256 ledgerKey;
        address ledgerAddress;
    }

    /// @notice The parts of a TPMS_ATTEST that tests vary.
    struct Attest {
        bytes32 qualifiedSigner;
        bytes32 extraData;
        uint64 clockMs;
        uint32 resetCount;
        uint32 restartCount;
        bytes3 select;
        bytes32 pcrDigest;
    }

    uint256 internal constant P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;
    bytes32 internal constant REGISTER = keccak256("attestry/quote/register");
    bytes32 internal constant VMM = keccak256("attestry/quote/vmm");
    bytes32 internal constant COMMIT = keccak256("attestry/quote/commit");
    bytes32 internal constant MANIFEST = keccak256("manifest");
    bytes3 internal constant PCR_13 = 0x002000;

    address internal constant REGISTRAR = address(0xe911);
    address internal constant APPROVER_1 = address(0xa1);
    address internal constant APPROVER_2 = address(0xa2);
    address internal constant APPROVER_3 = address(0xa3);

    IHostRegistry internal hosts;
    IVmmRegistry internal vmms;
    IAccessPolicy internal policy;
    IAuditLog internal log;

    /// @notice What the next quote will say of clock and PCRs; the clock runs on with each quote.
    Attest internal tpmState;

    function deployAll() internal {
        VM.roll(1000);
        VM.warp(1_700_000_000);
        address[] memory registrars = new address[](1);
        registrars[0] = REGISTRAR;
        hosts = IHostRegistry(deploy("HostRegistry", abi.encode(registrars)));
        vmms = IVmmRegistry(deploy("VmmRegistry", abi.encode(hosts, approvers(), 2)));
        // This contract's nonces start at 1 and each creation takes one: the log comes right after the policy.
        address next = addressAfter(address(vmms));
        policy = IAccessPolicy(deploy("AccessPolicy", abi.encode(hosts, vmms, next)));
        log = IAuditLog(deploy("AuditLog", abi.encode(hosts, vmms, policy)));
        equal(address(log), next, "predicted address of the log");
        tpmState = Attest(0, 0, 5000, 3, 1, PCR_13, keccak256("pcr 13"));
    }

    function approvers() internal pure returns (address[] memory list) {
        list = new address[](3);
        (list[0], list[1], list[2]) = (APPROVER_1, APPROVER_2, APPROVER_3);
    }

    /// @notice The address two creations after the one that made `last`, for nonces below 128 (RLP of one byte).
    function addressAfter(address last) private view returns (address) {
        for (uint8 nonce = 1; nonce < 126; ++nonce) {
            if (createAddress(nonce) == last) return createAddress(nonce + 2);
        }
        revert("no such nonce");
    }

    function createAddress(uint8 nonce) private view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes2(0xd694), address(this), nonce)))));
    }

    function deploy(string memory name, bytes memory arguments) internal returns (address deployed) {
        bytes memory initCode = bytes.concat(artifact(name, ".bytecode"), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(initCode, 0x20), mload(initCode))
            // A constructor's custom error is the caller's.
            if iszero(deployed) {
                returndatacopy(mload(0x40), 0, returndatasize())
                revert(mload(0x40), returndatasize())
            }
        }
    }

    function artifact(string memory name, string memory key) internal view returns (bytes memory) {
        return VM.parseJsonBytes(VM.readFile(string.concat("build/contracts/", name, ".json")), key);
    }

    // -------------------------------------------------------------------------
    // TPMs
    // -------------------------------------------------------------------------

    function makeTpm(uint256 seed) internal pure returns (Tpm memory tpm) {
        tpm.akKey = 1000 + seed;
        tpm.ledgerKey = 2000 + seed;
        tpm.ledgerAddress = VM.addr(tpm.ledgerKey);
        tpm.ekPublic = abi.encodePacked("EK ", seed);
        tpm.hostId = sha256(tpm.ekPublic);
        (uint256 x, uint256 y) = VM.publicKeyP256(tpm.akKey);
        tpm.akPublic = akPublicOf(0x00050472, x, y);
        tpm.qualifiedName = sha256(abi.encodePacked(hex"4000000b000b", sha256(tpm.akPublic)));
    }

    function akPublicOf(uint32 attributes, uint256 x, uint256 y) internal pure returns (bytes memory) {
        return abi.encodePacked(hex"0023000b", attributes, hex"000000100018000b000300100020", x, hex"0020", y);
    }

    function encode(Attest memory a) internal pure returns (bytes memory) {
        return
            bytes.concat(
                abi.encodePacked(hex"ff5443478018", hex"0022000b", a.qualifiedSigner, hex"0020", a.extraData),
                abi.encodePacked(a.clockMs, a.resetCount, a.restartCount, hex"01", hex"2019102300163636"),
                quoteInfoOf(a.select, a.pcrDigest)
            );
    }

    function quoteInfoOf(bytes3 select, bytes32 pcrDigest) internal pure returns (bytes memory) {
        return abi.encodePacked(hex"00000001000b03", select, hex"0020", pcrDigest);
    }

    function vmmHashNow() internal view returns (bytes32) {
        return keccak256(quoteInfoOf(tpmState.select, tpmState.pcrDigest));
    }

    function signed(bytes memory attest, uint256 akKey) internal pure returns (Quote memory) {
        (bytes32 r, bytes32 s) = VM.signP256(akKey, sha256(attest));
        if (uint256(s) > P256_N / 2) s = bytes32(P256_N - uint256(s));
        return Quote(attest, r, s);
    }

    /// @notice A quote as the TPM's state stands, bound to a purpose, a contract, a payload and the block before this one.
    function makeQuote(
        Tpm memory tpm,
        bytes32 purpose,
        address contract_,
        bytes32 payload
    ) internal returns (Quote memory) {
        return makeQuoteAt(tpm, purpose, contract_, payload, block.number - 1);
    }

    function makeQuoteAt(
        Tpm memory tpm,
        bytes32 purpose,
        address contract_,
        bytes32 payload,
        uint256 anchor
    ) internal returns (Quote memory) {
        tpmState.clockMs += 100;
        Attest memory a = tpmState;
        a.qualifiedSigner = tpm.qualifiedName;
        a.extraData = sha256(abi.encode(purpose, block.chainid, contract_, tpm.hostId, payload, blockhash(anchor)));
        return signed(encode(a), tpm.akKey);
    }

    // -------------------------------------------------------------------------
    // Enrolment
    // -------------------------------------------------------------------------

    function registrationOf(Tpm memory tpm, Assurance assurance) internal pure returns (Registration memory) {
        return Registration(tpm.ekPublic, tpm.akPublic, "certificate", tpm.ledgerAddress, assurance);
    }

    function registrationQuote(Tpm memory tpm) internal returns (Quote memory) {
        bytes32 payload = keccak256(abi.encode(tpm.ledgerAddress, keccak256(tpm.akPublic)));
        return makeQuote(tpm, REGISTER, address(hosts), payload);
    }

    function consent(Tpm memory tpm) internal view returns (bytes memory) {
        bytes32 typeHash = keccak256("LedgerAddressClaim(bytes32 hostId,bytes32 akHash)");
        bytes32 claim = keccak256(abi.encode(typeHash, tpm.hostId, keccak256(tpm.akPublic)));
        return signedBy(tpm.ledgerKey, typedDigest(address(hosts), claim));
    }

    function enrol(Tpm memory tpm, Assurance assurance) internal {
        Quote memory quote = registrationQuote(tpm);
        bytes memory signature = consent(tpm);
        VM.prank(REGISTRAR);
        hosts.register(registrationOf(tpm, assurance), uint64(block.number - 1), quote, signature);
    }

    /// @notice Proposes what the TPM shows now, and has it authorised.
    function authorise(Tpm memory tpm) internal returns (bytes32 vmmHash) {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        vmmHash = vmms.propose(tpm.hostId, MANIFEST, uint64(block.number - 1), quote);
        uint32 epoch = vmms.vmm(vmmHash).epoch;
        VM.prank(APPROVER_1);
        vmms.approve(vmmHash, epoch);
        VM.prank(APPROVER_2);
        vmms.approve(vmmHash, epoch);
    }

    // -------------------------------------------------------------------------
    // EIP-712, from its text
    // -------------------------------------------------------------------------

    function typedDigest(address contract_, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Attestry"),
                keccak256("1"),
                block.chainid,
                contract_
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function signedBy(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
