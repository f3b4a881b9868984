// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {Quote} from "./interfaces/Types.sol";

/// @title TPM 2.0 quotes and attestation keys, read strictly and verified.
/// @notice Everything here treats its bytes as untrusted. Section numbers are those of the TPM 2.0 Library, Part 2.
library TpmQuote {
    error AttestLengthIs(uint256 length);
    error AttestNotQuote();
    error AttestMalformed();
    error SelectionUnsupported();
    error SignerIs(bytes32 qualifiedName);
    error BindingIs(bytes32 extraData);
    error AnchorOutOfReach(uint64 anchorBlock);
    error QuoteSignatureInvalid();
    error AttestationKeyUnsupported();

    /// @notice What a TPMS_ATTEST says once it was read.
    /// @param qualifiedSigner SHA-256 part of the signing key's qualified name.
    /// @param vmmHash keccak256 of the TPMS_QUOTE_INFO: the selection and the digest, as they stand.
    /// @param selection The PCRs, bit n for PCR n, of the SHA-256 bank.
    struct Attested {
        bytes32 qualifiedSigner;
        bytes32 extraData;
        uint64 clockMs;
        uint32 resetCount;
        uint32 restartCount;
        uint24 selection;
        bytes32 vmmHash;
    }

    /// @notice An attestation key: its point and the SHA-256 part of its qualified name.
    struct AttestationKey {
        bytes32 x;
        bytes32 y;
        bytes32 qualifiedName;
    }

    /// @dev PCR 16 and 23 can be reset by anybody who can talk to the TPM (TCG PC Client Platform TPM Profile, 4.6).
    uint24 private constant RESETTABLE = (1 << 16) | (1 << 23);

    // TPMS_ATTEST for a quote (10.12.12). With one name algorithm, a 32-byte nonce, and one selection of 24 PCRs, every length
    // is fixed, so full consumption is one comparison and no length is ever followed.
    uint256 private constant ATTEST_LENGTH = 145;
    uint256 private constant QUOTE_INFO = 101;
    bytes6 private constant MAGIC_AND_TYPE = 0xff5443478018;
    bytes4 private constant NAME_HEADER = 0x0022000b;
    bytes2 private constant SIZE_32 = 0x0020;
    bytes7 private constant SELECTION_HEADER = 0x00000001000b03;

    // TPMA_OBJECT (8.3).
    uint32 private constant REQUIRED = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 16) | (1 << 18);
    uint32 private constant TOLERATED = (1 << 6) | (1 << 7) | (1 << 10);

    // -------------------------------------------------------------------------
    // Quotes
    // -------------------------------------------------------------------------

    /// @notice Verifies that `key` signed a quote over exactly this qualifying data.
    function verify(
        Quote calldata quote,
        AttestationKey memory key,
        bytes32 qualifyingData_
    ) internal view returns (Attested memory attested) {
        attested = parse(quote.attest);
        require(attested.qualifiedSigner == key.qualifiedName, SignerIs(attested.qualifiedSigner));
        require(attested.extraData == qualifyingData_, BindingIs(attested.extraData));
        require(P256.verify(sha256(quote.attest), quote.r, quote.s, key.x, key.y), QuoteSignatureInvalid());
    }

    /// @notice Reads a TPMS_ATTEST that is a quote over one selection of the SHA-256 bank, and nothing else.
    function parse(bytes calldata attest) internal pure returns (Attested memory attested) {
        require(attest.length == ATTEST_LENGTH, AttestLengthIs(attest.length));
        require(bytes6(attest[0:6]) == MAGIC_AND_TYPE, AttestNotQuote());
        require(bytes4(attest[6:10]) == NAME_HEADER && bytes2(attest[42:44]) == SIZE_32, AttestMalformed());
        require(uint8(attest[92]) <= 1 && bytes2(attest[111:113]) == SIZE_32, AttestMalformed());
        require(bytes7(attest[QUOTE_INFO:108]) == SELECTION_HEADER, SelectionUnsupported());
        attested.qualifiedSigner = bytes32(attest[10:42]);
        attested.extraData = bytes32(attest[44:76]);
        attested.clockMs = uint64(bytes8(attest[76:84]));
        attested.resetCount = uint32(bytes4(attest[84:88]));
        attested.restartCount = uint32(bytes4(attest[88:92]));
        // The first of the three bytes has PCR 0 to 7 (10.6.2).
        attested.selection =
            uint24(uint8(attest[108])) |
            (uint24(uint8(attest[109])) << 8) |
            (uint24(uint8(attest[110])) << 16);
        attested.vmmHash = keccak256(attest[QUOTE_INFO:]);
    }

    /// @notice The TPMS_QUOTE_INFO of an attest that was parsed: its keccak256 is the vmmHash.
    function quoteInfo(bytes calldata attest) internal pure returns (bytes calldata) {
        return attest[QUOTE_INFO:];
    }

    /// @notice Refuses a selection that proves nothing: an empty one, or one with PCRs that anybody can reset.
    function requireMeaningful(uint24 selection) internal pure {
        require(selection != 0 && selection & RESETTABLE == 0, SelectionUnsupported());
    }

    /// @notice What a quote made for this contract must carry (docs/formats.md, "Quote binding"). The block hash is the nonce:
    /// it bounds the age of the quote to 256 blocks.
    function qualifyingData(
        bytes32 purpose,
        bytes32 hostId,
        bytes32 payloadHash,
        uint64 anchorBlock
    ) internal view returns (bytes32) {
        bytes32 anchor = blockhash(anchorBlock);
        require(anchor != 0, AnchorOutOfReach(anchorBlock));
        return sha256(abi.encode(purpose, block.chainid, address(this), hostId, payloadHash, anchor));
    }

    // -------------------------------------------------------------------------
    // Attestation keys
    // -------------------------------------------------------------------------

    /// @notice Reads a TPMT_PUBLIC (12.2.4) that is a restricted ECDSA P-256 signing key which cannot leave its TPM.
    /// @return key Its qualified name is that of a primary key in the endorsement hierarchy (Part 1, 16.3).
    function attestationKey(bytes calldata public_) internal pure returns (AttestationKey memory key) {
        uint256 offset = 10;
        // type ECC, nameAlg SHA-256, attributes, authPolicy
        require(public_.length >= offset && bytes4(public_[0:4]) == 0x0023000b, AttestationKeyUnsupported());
        uint32 attributes = uint32(bytes4(public_[4:8]));
        require(
            attributes & REQUIRED == REQUIRED && attributes & ~(REQUIRED | TOLERATED) == 0,
            AttestationKeyUnsupported()
        );
        uint256 policyLength = uint16(bytes2(public_[8:10]));
        require(policyLength == 0 || policyLength == 32, AttestationKeyUnsupported());
        offset += policyLength;
        // symmetric none, scheme ECDSA with SHA-256, curve P-256, kdf none
        require(
            public_.length >= offset + 10 && bytes10(public_[offset:offset + 10]) == 0x00100018000b00030010,
            AttestationKeyUnsupported()
        );
        offset += 10;
        (key.x, offset) = _coordinate(public_, offset);
        (key.y, offset) = _coordinate(public_, offset);
        require(offset == public_.length && P256.isValidPublicKey(key.x, key.y), AttestationKeyUnsupported());
        bytes32 nameDigest = sha256(public_);
        key.qualifiedName = sha256(abi.encodePacked(uint32(0x4000000b), uint16(0x000b), nameDigest));
    }

    /// @dev TPM2B_ECC_PARAMETER (11.2.5.1). A TPM may leave leading zeros out.
    function _coordinate(bytes calldata public_, uint256 offset) private pure returns (bytes32 value, uint256 end) {
        require(public_.length >= offset + 2, AttestationKeyUnsupported());
        uint256 length = uint16(bytes2(public_[offset:offset + 2]));
        end = offset + 2 + length;
        require(length >= 1 && length <= 32 && public_.length >= end, AttestationKeyUnsupported());
        value = bytes32(public_[offset + 2:end]) >> (8 * (32 - length));
    }
}
