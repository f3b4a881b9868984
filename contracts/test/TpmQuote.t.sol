// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "./support/Rig.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {Quote} from "../src/interfaces/Types.sol";

/// @dev The library takes calldata.
contract TpmQuoteCaller {
    function parse(bytes calldata attest) external pure returns (TpmQuote.Attested memory) {
        return TpmQuote.parse(attest);
    }

    function attestationKey(bytes calldata public_) external pure returns (TpmQuote.AttestationKey memory) {
        return TpmQuote.attestationKey(public_);
    }

    function verify(
        Quote calldata quote,
        TpmQuote.AttestationKey calldata key,
        bytes32 data
    ) external view returns (TpmQuote.Attested memory) {
        return TpmQuote.verify(quote, key, data);
    }

    function qualifyingData(
        bytes32 purpose,
        bytes32 hostId,
        bytes32 payloadHash,
        uint64 anchorBlock
    ) external view returns (bytes32) {
        return TpmQuote.qualifyingData(purpose, hostId, payloadHash, anchorBlock);
    }

    function requireMeaningful(uint24 selection) external pure {
        TpmQuote.requireMeaningful(selection);
    }
}

contract TpmQuoteTest is Rig {
    TpmQuoteCaller private caller;
    string private captured;

    function setUp() public {
        VM.roll(1000);
        caller = new TpmQuoteCaller();
        captured = VM.readFile("test/vectors/tpm-quote.json");
    }

    // -------------------------------------------------------------------------
    // What a real TPM made
    // -------------------------------------------------------------------------

    function test_verifiesACapturedQuote() public view {
        isFalse(_hasPrecompile(), "precompile at paris");
        _verifyCaptured();
    }

    /// forge-config: default.evm_version = "osaka"
    function test_verifiesACapturedQuoteByPrecompile() public {
        isTrue(_hasPrecompile(), "precompile at osaka");
        _verifyCaptured();
        Quote memory quote = _capturedQuote();
        quote.r = bytes32(uint256(quote.r) ^ 1);
        TpmQuote.AttestationKey memory key = _capturedKey();
        bytes32 nonce = _bytes32("nonce");
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
        caller.verify(quote, key, nonce);
    }

    function test_readsACapturedAttestationKey() public view {
        bytes memory qualifiedName = VM.parseJsonBytes(captured, ".qualifiedName");
        equal(
            keccak256(abi.encodePacked(hex"000b", _capturedKey().qualifiedName)),
            keccak256(qualifiedName),
            "qualified name"
        );
    }

    function _verifyCaptured() private view {
        TpmQuote.Attested memory attested = caller.verify(_capturedQuote(), _capturedKey(), _bytes32("nonce"));
        equal(attested.clockMs, 0xac, "clock");
        equal(attested.resetCount, 2, "resetCount");
        equal(attested.restartCount, 0, "restartCount");
        equal(attested.selection, 0x2095, "selection of PCR 0, 2, 4, 7, 13");
        bytes memory info =
            hex"00000001000b0395200000206f9e6ebcd08756746d041863ef616cacb97452d9d672660251670f0bc20812d6";
        equal(attested.vmmHash, keccak256(info), "vmmHash");
    }

    // -------------------------------------------------------------------------
    // The parser refuses
    // -------------------------------------------------------------------------

    function test_refusesEveryTruncationAndAnyTrailingByte() public {
        bytes memory attest = _attest();
        for (uint256 length = 0; length < attest.length; ++length) {
            bytes memory cut = _prefix(attest, length);
            VM.expectRevert(abi.encodeWithSelector(TpmQuote.AttestLengthIs.selector, length));
            caller.parse(cut);
        }
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.AttestLengthIs.selector, attest.length + 1));
        caller.parse(bytes.concat(attest, hex"00"));
    }

    function test_refusesOtherMagicAndOtherType() public {
        for (uint256 i = 0; i < 6; ++i) _refuses(i, 0x01, TpmQuote.AttestNotQuote.selector);
        bytes memory certify = _attest();
        certify[5] = 0x17;
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.AttestNotQuote.selector));
        caller.parse(certify);
    }

    function test_refusesOtherLengthsAndNameAlgorithms() public {
        for (uint256 i = 6; i < 10; ++i) _refuses(i, 0x01, TpmQuote.AttestMalformed.selector);
        for (uint256 i = 42; i < 44; ++i) _refuses(i, 0x01, TpmQuote.AttestMalformed.selector);
        for (uint256 i = 111; i < 113; ++i) _refuses(i, 0x80, TpmQuote.AttestMalformed.selector);
    }

    function test_refusesASafeFlagThatIsNoBoolean() public {
        _refuses(92, 0x02, TpmQuote.AttestMalformed.selector);
    }

    function test_refusesAnotherCountBankOrSizeOfSelection() public {
        for (uint256 i = 101; i < 108; ++i) _refuses(i, 0x01, TpmQuote.SelectionUnsupported.selector);
    }

    function testFuzz_readsBackWhatWasWritten(
        bytes32 signer,
        bytes32 extraData,
        uint64 clockMs,
        uint32 resetCount,
        uint32 restartCount,
        bytes3 select,
        bytes32 pcrDigest
    ) public view {
        Attest memory a = Attest(signer, extraData, clockMs, resetCount, restartCount, select, pcrDigest);
        TpmQuote.Attested memory read = caller.parse(encode(a));
        equal(read.qualifiedSigner, signer, "signer");
        equal(read.extraData, extraData, "extraData");
        equal(read.clockMs, clockMs, "clock");
        equal(read.resetCount, resetCount, "resetCount");
        equal(read.restartCount, restartCount, "restartCount");
        for (uint256 pcr = 0; pcr < 24; ++pcr) {
            bool selected = (uint8(select[pcr / 8]) >> (pcr % 8)) & 1 == 1;
            equal((read.selection >> pcr) & 1, selected ? 1 : 0, "selected PCR");
        }
        equal(read.vmmHash, keccak256(quoteInfoOf(select, pcrDigest)), "vmmHash");
    }

    function testFuzz_refusesBytesOfAnyOtherShape(bytes calldata noise) public {
        VM.assume(noise.length < 6 || bytes6(noise[0:6]) != 0xff5443478018);
        VM.expectRevert();
        caller.parse(noise);
    }

    function test_refusesSelectionsThatProveNothing() public {
        caller.requireMeaningful(1 << 13);
        caller.requireMeaningful(1 << 22);
        uint24[4] memory useless = [uint24(0), 1 << 16, 1 << 23, (1 << 13) | (1 << 16)];
        for (uint256 i = 0; i < useless.length; ++i) {
            VM.expectRevert(abi.encodeWithSelector(TpmQuote.SelectionUnsupported.selector));
            caller.requireMeaningful(useless[i]);
        }
    }

    // -------------------------------------------------------------------------
    // Verification refuses
    // -------------------------------------------------------------------------

    function test_refusesEveryFlippedByte() public {
        Quote memory quote = _capturedQuote();
        TpmQuote.AttestationKey memory key = _capturedKey();
        bytes32 nonce = _bytes32("nonce");
        for (uint256 i = 0; i < quote.attest.length; ++i) {
            quote.attest[i] ^= 0x04;
            VM.expectRevert();
            caller.verify(quote, key, nonce);
            quote.attest[i] ^= 0x04;
        }
        caller.verify(quote, key, nonce);
    }

    function test_refusesAnotherSigner() public {
        TpmQuote.AttestationKey memory key = _capturedKey();
        bytes32 actual = key.qualifiedName;
        key.qualifiedName = keccak256("another");
        Quote memory quote = _capturedQuote();
        bytes32 nonce = _bytes32("nonce");
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.SignerIs.selector, actual));
        caller.verify(quote, key, nonce);
    }

    function test_refusesAnotherNonce() public {
        Quote memory quote = _capturedQuote();
        TpmQuote.AttestationKey memory key = _capturedKey();
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.BindingIs.selector, _bytes32("nonce")));
        caller.verify(quote, key, keccak256("another"));
    }

    function test_refusesAnotherKeyAndASecondFormOfTheSignature() public {
        Quote memory quote = _capturedQuote();
        TpmQuote.AttestationKey memory key = _capturedKey();
        bytes32 nonce = _bytes32("nonce");
        quote.s = bytes32(P256_N - uint256(quote.s));
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
        caller.verify(quote, key, nonce);

        quote = _capturedQuote();
        (uint256 x, uint256 y) = VM.publicKeyP256(77);
        (key.x, key.y) = (bytes32(x), bytes32(y));
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
        caller.verify(quote, key, nonce);
    }

    function test_refusesAnAnchorOutOfReach() public {
        uint64[4] memory unreachable = [uint64(1000), 1001, 743, type(uint64).max];
        for (uint256 i = 0; i < unreachable.length; ++i) {
            VM.expectRevert(abi.encodeWithSelector(TpmQuote.AnchorOutOfReach.selector, unreachable[i]));
            caller.qualifyingData(REGISTER, 0, 0, unreachable[i]);
        }
        caller.qualifyingData(REGISTER, 0, 0, 999);
        caller.qualifyingData(REGISTER, 0, 0, 744);
    }

    // -------------------------------------------------------------------------
    // Attestation keys
    // -------------------------------------------------------------------------

    function test_refusesATruncatedOrLengthenedKey() public {
        bytes memory public_ = makeTpm(1).akPublic;
        for (uint256 length = 0; length < public_.length; ++length) _refusesKey(_prefix(public_, length));
        _refusesKey(bytes.concat(public_, hex"00"));
    }

    function test_refusesOtherTypesAlgorithmsAndCurves() public {
        for (uint256 i = 0; i < 24; ++i) {
            if (i >= 4 && i < 8) continue;
            bytes memory public_ = makeTpm(1).akPublic;
            public_[i] ^= 0x01;
            _refusesKey(public_);
        }
    }

    function test_demandsEachAttributeAndRefusesTheOthers() public {
        (uint256 x, uint256 y) = VM.publicKeyP256(5);
        for (uint32 bit = 0; bit < 32; ++bit) {
            // userWithAuth, adminWithPolicy and noDA may be there or not.
            if (bit == 6 || bit == 7 || bit == 10)
                caller.attestationKey(akPublicOf(0x00050032 ^ (uint32(1) << bit), x, y));
            else _refusesKey(akPublicOf(0x00050032 ^ (uint32(1) << bit), x, y));
        }
        caller.attestationKey(akPublicOf(0x00050032, x, y));
    }

    function test_refusesAPointThatIsNotOnTheCurve() public {
        (uint256 x, uint256 y) = VM.publicKeyP256(5);
        _refusesKey(akPublicOf(0x00050472, x, y ^ 1));
        _refusesKey(akPublicOf(0x00050472, 0, 0));
    }

    function test_readsAPolicyDigest() public view {
        (uint256 x, uint256 y) = VM.publicKeyP256(5);
        bytes memory tail = abi.encodePacked(hex"00100018000b000300100020", x, hex"0020", y);
        bytes memory public_ = abi.encodePacked(hex"0023000b000504720020", keccak256("policy"), tail);
        equal(caller.attestationKey(public_).x, bytes32(x), "x");
    }

    function test_readsCoordinatesWithoutTheirLeadingZeros() public view {
        // The first small scalar whose x starts with a zero byte.
        uint256 key = 1;
        (uint256 x, uint256 y) = VM.publicKeyP256(key);
        while (x >> 248 != 0) (x, y) = VM.publicKeyP256(++key);
        bytes memory head = hex"0023000b00050472000000100018000b00030010";
        bytes memory public_ = abi.encodePacked(head, hex"001f", bytes31(bytes32(x << 8)), hex"0020", y);
        equal(caller.attestationKey(public_).x, bytes32(x), "x");
        equal(caller.attestationKey(public_).y, bytes32(y), "y");
    }

    // -------------------------------------------------------------------------

    /// @dev The precompile answers a good signature with one word, and an absent one with nothing.
    function _hasPrecompile() private view returns (bool) {
        Quote memory quote = _capturedQuote();
        TpmQuote.AttestationKey memory key = _capturedKey();
        (, bytes memory answer) = address(0x100).staticcall(
            abi.encode(sha256(quote.attest), quote.r, quote.s, key.x, key.y)
        );
        return answer.length == 32;
    }

    function _refuses(uint256 index, uint8 mask, bytes4 error_) private {
        bytes memory attest = _attest();
        attest[index] ^= bytes1(mask);
        VM.expectRevert(abi.encodeWithSelector(error_));
        caller.parse(attest);
    }

    function _refusesKey(bytes memory public_) private {
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.AttestationKeyUnsupported.selector));
        caller.attestationKey(public_);
    }

    function _attest() private pure returns (bytes memory) {
        return encode(Attest(keccak256("signer"), keccak256("nonce"), 1, 2, 3, PCR_13, keccak256("pcr")));
    }

    function _prefix(bytes memory whole, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) part[i] = whole[i];
    }

    function _capturedQuote() private view returns (Quote memory) {
        return Quote(VM.parseJsonBytes(captured, ".attest"), _bytes32("r"), _bytes32("s"));
    }

    function _capturedKey() private view returns (TpmQuote.AttestationKey memory) {
        return caller.attestationKey(VM.parseJsonBytes(captured, ".akPublic"));
    }

    function _bytes32(string memory name) private view returns (bytes32) {
        return VM.parseJsonBytes32(captured, string.concat(".", name));
    }
}
