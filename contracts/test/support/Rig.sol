// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check} from "./Check.sol";
import {IAccessPolicy} from "../../src/interfaces/IAccessPolicy.sol";
import {IAuditLog} from "../../src/interfaces/IAuditLog.sol";
import {IHostRegistry} from "../../src/interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "../../src/interfaces/IVmmRegistry.sol";
import {Assurance, Quote, Registration, SignedApproval} from "../../src/interfaces/Types.sol";

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
    bytes32 internal constant ROTATE_ADDRESS = keccak256("attestry/quote/rotate-address");
    bytes32 internal constant REPLACE_ADDRESS = keccak256("attestry/quote/replace-address");
    bytes32 internal constant REPLACE_AK = keccak256("attestry/quote/replace-ak");
    bytes32 internal constant COMMIT = keccak256("attestry/quote/commit");
    bytes32 internal constant MANIFEST = keccak256("manifest");
    bytes3 internal constant PCR_13 = 0x002000;

    uint64 internal constant NO_END = type(uint64).max;

    address internal constant REGISTRAR = address(0xe911);
    uint256 internal constant APPROVER_1_KEY = 0xa1;
    uint256 internal constant APPROVER_2_KEY = 0xa2;
    uint256 internal constant APPROVER_3_KEY = 0xa3;
    address internal constant APPROVER_1 = 0xd2431CA38735C2fd438e2cAa23F094191D89675b;
    address internal constant APPROVER_2 = 0x612B7be154A64292AAe070aaA86fCd66Ba218071;
    address internal constant APPROVER_3 = 0x681ce2F439FDC80e70C1eEA8b8a085DFb976D32A;

    IHostRegistry internal hosts;
    IVmmRegistry internal vmms;
    IAccessPolicy internal policy;
    IAuditLog internal log;

    /// @notice What the next quote will say of clock and PCRs; the clock runs on with each quote.
    Attest internal tpmState;

    function deployAll() internal {
        deployRegistries();
        address next = VM.computeCreateAddress(address(this), VM.getNonce(address(this)) + 1);
        policy = IAccessPolicy(deploy("AccessPolicy", abi.encode(hosts, vmms, next)));
        log = IAuditLog(deploy("AuditLog", abi.encode(hosts, vmms, policy)));
        equal(address(log), next, "predicted address of the log");
    }

    function deployRegistries() internal {
        VM.roll(1000);
        VM.warp(1_700_000_000);
        tpmState = Attest(0, 0, 5000, 3, 1, PCR_13, keccak256("pcr 13"));
        address next = VM.computeCreateAddress(address(this), VM.getNonce(address(this)) + 1);
        address[] memory registrars = new address[](1);
        registrars[0] = REGISTRAR;
        hosts = IHostRegistry(deploy("HostRegistry", abi.encode(next, registrars)));
        vmms = IVmmRegistry(deploy("VmmRegistry", abi.encode(hosts, approvers(), 2)));
        equal(address(vmms), next, "predicted address of the VMMs");
    }

    function approvers() internal pure returns (address[] memory list) {
        list = new address[](3);
        (list[0], list[1], list[2]) = (APPROVER_1, APPROVER_2, APPROVER_3);
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
        tpm.ekPublic = abi.encodePacked("EK ", seed);
        tpm.hostId = sha256(tpm.ekPublic);
        useAk(tpm, 1000 + seed);
        useLedgerKey(tpm, 2000 + seed);
    }

    /// @notice Changes the TPM given, where that is in memory, and returns it.
    function useAk(Tpm memory tpm, uint256 akKey) internal pure returns (Tpm memory) {
        tpm.akKey = akKey;
        (uint256 x, uint256 y) = VM.publicKeyP256(akKey);
        tpm.akPublic = akPublicOf(0x00050472, x, y);
        tpm.qualifiedName = sha256(abi.encodePacked(hex"4000000b000b", sha256(tpm.akPublic)));
        return tpm;
    }

    /// @notice Changes the TPM given, where that is in memory, and returns it.
    function useLedgerKey(Tpm memory tpm, uint256 ledgerKey) internal pure returns (Tpm memory) {
        tpm.ledgerKey = ledgerKey;
        tpm.ledgerAddress = VM.addr(ledgerKey);
        return tpm;
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

    function signed(Tpm memory tpm, bytes memory attest) internal pure returns (Quote memory) {
        (bytes32 r, bytes32 s) = VM.signP256(tpm.akKey, sha256(attest));
        if (uint256(s) > P256_N / 2) s = bytes32(P256_N - uint256(s));
        return Quote(tpm.akPublic, attest, abi.encodePacked(r, s));
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
        return signed(tpm, encode(a));
    }

    // -------------------------------------------------------------------------
    // Enrolment
    // -------------------------------------------------------------------------

    function registrationOf(Tpm memory tpm, Assurance assurance) internal pure returns (Registration memory) {
        return Registration(tpm.ekPublic, "certificate", tpm.ledgerAddress, assurance);
    }

    function registrationQuote(Tpm memory tpm) internal returns (Quote memory) {
        return makeQuote(tpm, REGISTER, address(hosts), bondOf(tpm));
    }

    /// @notice The payload by which an AK speaks for a ledger address.
    function bondOf(Tpm memory tpm) internal pure returns (bytes32) {
        return keccak256(abi.encode(tpm.ledgerAddress, keccak256(tpm.akPublic)));
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

    /// @notice Gives the host a new ledger key; changes the TPM given, where that is in memory, and returns it.
    function rotate(Tpm memory tpm, uint256 newLedgerKey, uint64 overlapBlocks) internal returns (Tpm memory) {
        address to = VM.addr(newLedgerKey);
        Quote memory quote = rotationQuote(tpm, to, overlapBlocks);
        bytes32 digest = rotationDigest(tpm, to, overlapBlocks);
        hosts.rotateAddress(
            tpm.hostId,
            to,
            overlapBlocks,
            uint64(block.number - 1),
            quote,
            signedBy(tpm.ledgerKey, digest),
            signedBy(newLedgerKey, digest)
        );
        return useLedgerKey(tpm, newLedgerKey);
    }

    function rotationQuote(Tpm memory tpm, address to, uint64 overlapBlocks) internal returns (Quote memory) {
        bytes32 payload = keccak256(abi.encode(tpm.ledgerAddress, to, overlapBlocks));
        return makeQuote(tpm, ROTATE_ADDRESS, address(hosts), payload);
    }

    function rotationDigest(Tpm memory tpm, address to, uint64 overlapBlocks) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("AddressRotation(bytes32 hostId,address from,address to,uint64 overlapBlocks)");
        return
            typedDigest(
                address(hosts),
                keccak256(abi.encode(typeHash, tpm.hostId, tpm.ledgerAddress, to, overlapBlocks))
            );
    }

    /// @notice Gives a suspended host a new ledger key without the old one; changes the TPM given, where that is in memory, and
    /// returns it.
    function replaceAddress(Tpm memory tpm, uint256 newLedgerKey) internal returns (Tpm memory) {
        address to = VM.addr(newLedgerKey);
        Quote memory quote = replacementQuote(tpm, to);
        bytes memory signature = signedBy(newLedgerKey, replacementDigest(tpm, to));
        VM.prank(REGISTRAR);
        hosts.replaceAddress(tpm.hostId, to, uint64(block.number - 1), quote, signature);
        return useLedgerKey(tpm, newLedgerKey);
    }

    function replacementQuote(Tpm memory tpm, address to) internal returns (Quote memory) {
        return makeQuote(tpm, REPLACE_ADDRESS, address(hosts), keccak256(abi.encode(tpm.ledgerAddress, to)));
    }

    function replacementDigest(Tpm memory tpm, address to) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("AddressReplacement(bytes32 hostId,address from,address to)");
        return typedDigest(address(hosts), keccak256(abi.encode(typeHash, tpm.hostId, tpm.ledgerAddress, to)));
    }

    /// @notice Gives the host a new AK; changes the TPM given, where that is in memory, and returns it.
    function replaceAk(Tpm memory tpm, uint256 newAkKey) internal returns (Tpm memory) {
        useAk(tpm, newAkKey);
        Quote memory quote = makeQuote(tpm, REPLACE_AK, address(hosts), bondOf(tpm));
        bytes memory signature = consent(tpm);
        VM.prank(REGISTRAR);
        hosts.replaceAk(tpm.hostId, uint64(block.number - 1), quote, signature);
        return tpm;
    }

    /// @notice Proposes what the TPM shows now, and has it authorised.
    function authorise(Tpm memory tpm) internal returns (bytes32 vmmHash) {
        return authorise(tpm, NO_END);
    }

    function authorise(Tpm memory tpm, uint64 validUntil) internal returns (bytes32 vmmHash) {
        vmmHash = propose(tpm);
        uint32 epoch = vmms.vmm(vmmHash).epoch;
        approve(APPROVER_1, vmmHash, epoch, validUntil);
        approve(APPROVER_2, vmmHash, epoch, validUntil);
    }

    function propose(Tpm memory tpm) internal returns (bytes32 vmmHash) {
        Quote memory quote = makeQuote(tpm, VMM, address(vmms), MANIFEST);
        return vmms.propose(tpm.hostId, MANIFEST, uint64(block.number - 1), quote);
    }

    function approve(address approver, bytes32 vmmHash, uint32 epoch, uint64 validUntil) internal {
        VM.prank(approver);
        vmms.approve(vmmHash, epoch, MANIFEST, validUntil, noApprovals());
    }

    // -------------------------------------------------------------------------
    // Decisions. Their members are `abi.encode(typeHash, members…)` without approver, term and deadline.
    // -------------------------------------------------------------------------

    function vmmApproval(bytes32 vmmHash, uint32 epoch, uint64 validUntil) internal pure returns (bytes memory) {
        return vmmApproval(vmmHash, epoch, MANIFEST, validUntil);
    }

    function vmmApproval(
        bytes32 vmmHash,
        uint32 epoch,
        bytes32 manifestHash,
        uint64 validUntil
    ) internal pure returns (bytes memory) {
        bytes32 typeHash = keccak256(
            "VmmApproval(bytes32 vmmHash,uint32 epoch,bytes32 manifestHash,uint64 validUntil,address approver,uint32 term,uint64 deadline)"
        );
        return abi.encode(typeHash, vmmHash, epoch, manifestHash, validUntil);
    }

    function registrarChange(address registrar, bool isRegistrar, uint64 nonce) internal pure returns (bytes memory) {
        bytes32 typeHash = keccak256(
            "RegistrarChange(address registrar,bool isRegistrar,uint64 nonce,address approver,uint32 term,uint64 deadline)"
        );
        return abi.encode(typeHash, registrar, isRegistrar, nonce);
    }

    function approversChange(address[] memory list, uint32 threshold) internal pure returns (bytes memory) {
        bytes32 typeHash = keccak256(
            "ApproversChange(address[] approvers,uint32 threshold,address approver,uint32 term,uint64 deadline)"
        );
        bytes memory words;
        for (uint256 i = 0; i < list.length; ++i) words = bytes.concat(words, abi.encode(list[i]));
        return abi.encode(typeHash, keccak256(words), threshold);
    }

    /// @notice A decision's id in a term.
    function decisionOf(bytes memory members, uint32 term) internal pure returns (bytes32) {
        return keccak256(bytes.concat(members, abi.encode(term)));
    }

    function noApprovals() internal pure returns (SignedApproval[] memory) {
        return new SignedApproval[](0);
    }

    function one(SignedApproval memory approval) internal pure returns (SignedApproval[] memory list) {
        list = new SignedApproval[](1);
        list[0] = approval;
    }

    /// @notice A key's signed approval of a decision of `contract_`, in the present term.
    function approvalBy(
        uint256 key,
        address contract_,
        bytes memory members,
        uint64 deadline
    ) internal view returns (SignedApproval memory) {
        address approver = VM.addr(key);
        bytes32 digest = approvalDigest(contract_, members, approver, vmms.term(), deadline);
        return SignedApproval(approver, deadline, signedBy(key, digest));
    }

    function approvalDigest(
        address contract_,
        bytes memory members,
        address approver,
        uint32 term,
        uint64 deadline
    ) internal view returns (bytes32) {
        return typedDigest(contract_, keccak256(bytes.concat(members, abi.encode(approver, term, deadline))));
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
