// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {Quote} from "./interfaces/Types.sol";

/// @title TPM 2.0 quotes and attestation keys, read strictly and verified.
/// @notice Everything here treats its bytes as untrusted. Section numbers are those of the TPM 2.0 Library, Part 2. The
/// TypeScript verifier (src/evidence/quote.ts) makes the same checks in the same order.
library TpmQuote {
    error AttestLengthIs(uint256 length);
    error AttestNotQuote();
    error AttestMalformed();
    error SelectionUnsupported();
    error SelectionMeaningless();
    error QuoteInfoMalformed();
    error AttestationKeyUnsupported();
    error AttestationKeyInvalid();
    error AttestationKeyAttributesAre(uint32 attributes);
    error AttestationKeyIs(bytes32 qualifiedName);
    error SignerIs(bytes32 qualifiedName);
    error BindingIs(bytes32 extraData);
    error AnchorOutOfReach(uint64 anchorBlock);
    error QuoteSignatureInvalid();

    /// @notice What a verified quote says.
    /// @param clockMs Milliseconds that the TPM was powered, over its whole life.
    /// @param resetCount Reboots of the host.
    /// @param restartCount Resumes since the last reboot.
    /// @param vmmHash keccak256 of the TPMS_QUOTE_INFO: the selections and the digest, as they stand.
    struct Attested {
        bytes32 extraData;
        uint64 clockMs;
        uint32 resetCount;
        uint32 restartCount;
        bytes32 vmmHash;
    }

    // TPMS_ATTEST of a quote (10.12.12). With one name algorithm, 32 bytes of qualifying data and selections of 24 PCRs, each field
    // has its fixed place, and full consumption is one comparison: no length is ever followed.
    uint256 private constant QUOTE_INFO = 101;
    bytes6 private constant MAGIC_AND_TYPE = 0xff5443478018;
    bytes4 private constant NAME_HEADER = 0x0022000b;
    bytes2 private constant SIZE_32 = 0x0020;

    // TPMS_QUOTE_INFO (10.12.1): count, one or two TPMS_PCR_SELECTION (10.6.2), the digest with its size.
    uint256 private constant ONE_SELECTION = 44;
    uint256 private constant TWO_SELECTIONS = 50;
    bytes7 private constant SHA256_ALONE = 0x00000001000b03;
    bytes7 private constant SHA384_ALONE = 0x00000001000c03;
    bytes7 private constant SHA256_FIRST = 0x00000002000b03;
    bytes7 private constant SHA384_FIRST = 0x00000002000c03;
    bytes3 private constant SHA256_SECOND = 0x000b03;
    bytes3 private constant SHA384_SECOND = 0x000c03;
    /// @dev PCR 16 and 23, the lowest bit and the highest of the last byte, can be reset by anybody who can talk to the TPM (TCG
    /// PC Client Platform TPM Profile, 4.6).
    bytes3 private constant RESETTABLE = 0x000081;

    // TPMT_PUBLIC (12.2.4). Behind the policy: symmetric none, scheme with SHA-256, then curve P-256, kdf none, size of x; or
    // 2048 bits, the usual exponent (written as 0), size of the modulus.
    bytes4 private constant ECC = 0x0023000b;
    bytes4 private constant RSA = 0x0001000b;
    bytes12 private constant ECDSA_P256 = 0x00100018000b000300100020;
    bytes14 private constant RSASSA_2048 = 0x00100014000b0800000000000100;
    uint256 private constant ECC_LENGTH = 78;
    uint256 private constant RSA_LENGTH = 270;

    // TPMA_OBJECT (8.3): fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign; userWithAuth, adminWithPolicy, noDA.
    uint32 private constant REQUIRED = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 16) | (1 << 18);
    uint32 private constant TOLERATED = (1 << 6) | (1 << 7) | (1 << 10);
    uint32 private constant DEFINED = 0x000f0ff6;

    // -------------------------------------------------------------------------
    // Quotes
    // -------------------------------------------------------------------------

    /// @notice Verifies that the attestation key of this qualified name signed a quote over exactly this qualifying data.
    /// @param akQualifiedName SHA-256 part of the qualified name of a primary key in the endorsement hierarchy.
    function verify(
        Quote calldata quote,
        bytes32 akQualifiedName,
        bytes32 qualifyingData_
    ) internal view returns (Attested memory attested) {
        bytes calldata attest = quote.attest;
        bytes calldata akPublic = quote.akPublic;
        _requireQuote(attest);
        bytes32 qualifiedName = requireAttestationKey(akPublic);
        require(qualifiedName == akQualifiedName, AttestationKeyIs(qualifiedName));
        bytes32 signer = bytes32(attest[10:42]);
        require(signer == akQualifiedName, SignerIs(signer));
        attested.extraData = bytes32(attest[44:76]);
        require(attested.extraData == qualifyingData_, BindingIs(attested.extraData));
        requireSignature(akPublic, attest, quote.signature);
        uint128 clock = uint128(bytes16(attest[76:92]));
        attested.clockMs = uint64(clock >> 64);
        attested.resetCount = uint32(clock >> 32);
        attested.restartCount = uint32(clock);
        attested.vmmHash = keccak256(attest[QUOTE_INFO:]);
    }

    /// @notice The TPMS_QUOTE_INFO of an attest that was verified: its keccak256 is the vmmHash.
    function quoteInfo(bytes calldata attest) internal pure returns (bytes calldata) {
        return attest[QUOTE_INFO:];
    }

    /// @notice Refuses what is no TPMS_QUOTE_INFO, and a selection that proves nothing: an empty one, or one with PCRs that
    /// anybody can reset.
    function requireMeaningful(bytes calldata quoteInfo_) internal pure {
        uint256 length = quoteInfo_.length;
        require(length == ONE_SELECTION || length == TWO_SELECTIONS, QuoteInfoMalformed());
        _requireQuoteInfo(quoteInfo_);
        _requireMeaningfulSelect(bytes3(quoteInfo_[7:10]));
        if (length == TWO_SELECTIONS) _requireMeaningfulSelect(bytes3(quoteInfo_[13:16]));
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

    function _requireQuote(bytes calldata attest) private pure {
        uint256 length = attest.length;
        require(length == QUOTE_INFO + ONE_SELECTION || length == QUOTE_INFO + TWO_SELECTIONS, AttestLengthIs(length));
        require(bytes6(attest[0:6]) == MAGIC_AND_TYPE, AttestNotQuote());
        require(
            bytes4(attest[6:10]) == NAME_HEADER && bytes2(attest[42:44]) == SIZE_32 && uint8(attest[92]) <= 1,
            AttestMalformed()
        );
        _requireQuoteInfo(attest[QUOTE_INFO:]);
    }

    /// @dev One of the two lengths is given.
    function _requireQuoteInfo(bytes calldata info) private pure {
        bytes7 first = bytes7(info[0:7]);
        if (info.length == ONE_SELECTION) {
            require(first == SHA256_ALONE || first == SHA384_ALONE, SelectionUnsupported());
        } else {
            bytes3 second = bytes3(info[10:13]);
            require(
                (first == SHA256_FIRST && second == SHA384_SECOND) ||
                    (first == SHA384_FIRST && second == SHA256_SECOND),
                SelectionUnsupported()
            );
        }
        require(bytes2(info[info.length - 34:info.length - 32]) == SIZE_32, QuoteInfoMalformed());
    }

    function _requireMeaningfulSelect(bytes3 select) private pure {
        require(select != 0 && select & RESETTABLE == 0, SelectionMeaningless());
    }

    // -------------------------------------------------------------------------
    // Attestation keys
    // -------------------------------------------------------------------------

    /// @notice Requires that a TPMT_PUBLIC is a restricted signing key which cannot leave its TPM: ECDSA on P-256 or RSASSA with
    /// 2048 bits, both with SHA-256.
    /// @return SHA-256 part of its qualified name, were it a primary key in the endorsement hierarchy (Part 1, 16.3).
    function requireAttestationKey(bytes calldata akPublic) internal pure returns (bytes32) {
        require(akPublic.length >= 10, AttestationKeyUnsupported());
        bytes4 kind = bytes4(akPublic[0:4]);
        uint256 policyLength = uint16(bytes2(akPublic[8:10]));
        uint32 attributes = uint32(bytes4(akPublic[4:8]));
        require(
            attributes & ~DEFINED == 0 &&
                (policyLength == 0 || policyLength == 32) &&
                akPublic.length > 10 + policyLength,
            AttestationKeyUnsupported()
        );
        bytes calldata key = akPublic[10 + policyLength:];
        if (kind == ECC) {
            require(
                key.length == ECC_LENGTH && bytes12(key[0:12]) == ECDSA_P256 && bytes2(key[44:46]) == SIZE_32,
                AttestationKeyUnsupported()
            );
            require(P256.isValidPublicKey(bytes32(key[12:44]), bytes32(key[46:78])), AttestationKeyInvalid());
        } else {
            require(
                kind == RSA && key.length == RSA_LENGTH && bytes14(key[0:14]) == RSASSA_2048 && uint8(key[14]) >= 0x80,
                AttestationKeyUnsupported()
            );
            require(uint8(key[269]) & 1 == 1, AttestationKeyInvalid());
        }
        require(attributes & ~TOLERATED == REQUIRED, AttestationKeyAttributesAre(attributes));
        return sha256(abi.encodePacked(hex"4000000b000b", sha256(akPublic)));
    }

    /// @notice Requires the signature over an attest by a key that `requireAttestationKey` took.
    function requireSignature(bytes calldata akPublic, bytes calldata attest, bytes calldata signature) internal view {
        bool isValid =
            bytes2(akPublic[0:2]) == bytes2(ECC)
                ? _isEcdsa(akPublic[akPublic.length - 66:], sha256(attest), signature)
                : _isRsassa(akPublic[akPublic.length - 256:], sha256(attest), signature);
        require(isValid, QuoteSignatureInvalid());
    }

    /// @param point x, the size of y, y.
    function _isEcdsa(bytes calldata point, bytes32 digest, bytes calldata signature) private view returns (bool) {
        return
            signature.length == 64 &&
            P256.verify(
                digest,
                bytes32(signature[0:32]),
                bytes32(signature[32:64]),
                bytes32(point[0:32]),
                bytes32(point[34:66])
            );
    }

    /// @dev RFC 8017, 8.2.2: encodes what must be signed and compares, so there is nothing to parse. OpenZeppelin's RSA also takes
    /// a DigestInfo without parameters, and costs more.
    function _isRsassa(bytes calldata modulus, bytes32 digest, bytes calldata signature) private view returns (bool) {
        if (signature.length != 256 || !_isBelow(signature, modulus)) return false;
        (bool done, bytes memory encoded) = address(5).staticcall(
            abi.encodePacked(uint256(256), uint256(3), uint256(256), signature, hex"010001", modulus)
        );
        bytes memory expected = abi.encodePacked(
            bytes32(hex"0001ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
            [~bytes32(0), ~bytes32(0), ~bytes32(0), ~bytes32(0), ~bytes32(0)],
            hex"ffffffffffffffffffffffff00",
            hex"3031300d060960864801650304020105000420",
            digest
        );
        return done && keccak256(encoded) == keccak256(expected);
    }

    /// @dev Both have 256 bytes.
    function _isBelow(bytes calldata value, bytes calldata bound) private pure returns (bool) {
        for (uint256 i = 0; i < 256; i += 32) {
            bytes32 v = bytes32(value[i:i + 32]);
            bytes32 b = bytes32(bound[i:i + 32]);
            if (v != b) return v < b;
        }
        return false;
    }
}
