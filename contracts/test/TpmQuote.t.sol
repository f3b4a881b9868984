// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "./support/Rig.sol";
import {QuoteHarness} from "./harness/QuoteHarness.sol";
import {TpmQuote} from "../src/TpmQuote.sol";
import {Quote} from "../src/interfaces/Types.sol";

contract TpmQuoteTest is Rig {
    bytes2 private constant SHA1 = 0x0004;
    bytes2 private constant SHA256 = 0x000b;
    bytes2 private constant SHA384 = 0x000c;
    bytes14 private constant RSA_HEADER = 0x00100014000b0800000000000100;

    QuoteHarness private harness;
    string private ecc;
    string private rsa;
    string private rsaLow;

    function setUp() public {
        VM.roll(1000);
        harness = QuoteHarness(deploy("harness/QuoteHarness", ""));
        ecc = VM.readFile("test/vectors/tpm-quote.json");
        rsa = VM.readFile("test/vectors/tpm-quote-rsa.json");
        rsaLow = VM.readFile("test/vectors/tpm-quote-rsa-low.json");
    }

    // -------------------------------------------------------------------------
    // What a real TPM made
    // -------------------------------------------------------------------------

    function test_verifiesACapturedQuote() public view {
        _verifyCapturedEcc();
    }

    /// forge-config: default.evm_version = "osaka"
    function test_verifiesACapturedQuoteByPrecompile() public {
        isTrue(_hasPrecompile(), "precompile at osaka");
        _verifyCapturedEcc();
        Quote memory quote = _capturedEcc();
        quote.signature[0] ^= 0x01;
        _refuses(quote, _name(ecc), _nonce(ecc), abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
    }

    function test_verifiesACapturedQuoteByRsaOverTwoBanks() public view {
        TpmQuote.Attested memory attested = harness.verify(_capturedRsa(), _name(rsa), _nonce(rsa));
        bytes memory info = harness.quoteInfo(_capturedRsa().attest);
        equal(
            keccak256(info),
            keccak256(
                hex"00000002000b03952000000c030020000020c67cb20f15e463525564bfe8002ece3ea1192c05f066d2d9ae28ac9bdf1b739e"
            ),
            "quote info"
        );
        equal(attested.vmmHash, keccak256(info), "vmmHash");
        equal(attested.resetCount, 2, "resetCount");
        harness.requireMeaningful(info);
    }

    /// forge-config: default.evm_version = "osaka"
    function test_verifiesRsaAlikeAtOsaka() public {
        harness.verify(_capturedRsa(), _name(rsa), _nonce(rsa));
        Quote memory quote = _capturedRsa();
        quote.signature[255] ^= 0x01;
        _refuses(quote, _name(rsa), _nonce(rsa), abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
    }

    function test_readsCapturedAttestationKeys() public view {
        equal(harness.requireAttestationKey(_capturedEcc().akPublic), _name(ecc), "qualified name, ECC");
        equal(harness.requireAttestationKey(_capturedRsa().akPublic), _name(rsa), "qualified name, RSA");
    }

    function _verifyCapturedEcc() private view {
        TpmQuote.Attested memory attested = harness.verify(_capturedEcc(), _name(ecc), _nonce(ecc));
        equal(attested.extraData, _nonce(ecc), "extraData");
        equal(attested.clockMs, 0xac, "clock");
        equal(attested.resetCount, 2, "resetCount");
        equal(attested.restartCount, 0, "restartCount");
        bytes memory info =
            hex"00000001000b0395200000206f9e6ebcd08756746d041863ef616cacb97452d9d672660251670f0bc20812d6";
        equal(attested.vmmHash, keccak256(info), "vmmHash");
    }

    // -------------------------------------------------------------------------
    // The attest
    // -------------------------------------------------------------------------

    function test_refusesEveryTruncationAndAnyTrailingByte() public {
        bytes memory attest = _attest();
        for (uint256 length = 0; length <= 152; ++length) {
            if (length == 145 || length == 151) continue;
            bytes memory other =
                length < attest.length
                    ? _prefix(attest, length)
                    : bytes.concat(attest, new bytes(length - attest.length));
            _refusesAttest(other, abi.encodeWithSelector(TpmQuote.AttestLengthIs.selector, length));
        }
    }

    function test_refusesOtherMagicAndOtherType() public {
        for (uint256 i = 0; i < 6; ++i) _refusesByte(i, 0x01, TpmQuote.AttestNotQuote.selector);
        bytes memory certify = _attest();
        certify[5] = 0x17;
        _refusesAttest(certify, abi.encodeWithSelector(TpmQuote.AttestNotQuote.selector));
    }

    function test_refusesOtherLengthsNameAlgorithmsAndFlags() public {
        for (uint256 i = 6; i < 10; ++i) _refusesByte(i, 0x01, TpmQuote.AttestMalformed.selector);
        for (uint256 i = 42; i < 44; ++i) _refusesByte(i, 0x01, TpmQuote.AttestMalformed.selector);
        _refusesByte(92, 0x02, TpmQuote.AttestMalformed.selector);
    }

    function test_takesAClockThatIsNotSafe() public view {
        bytes memory attest = _attest();
        attest[92] = 0x00;
        harness.verify(signed(makeTpm(1), attest), makeTpm(1).qualifiedName, keccak256("nonce"));
    }

    function test_refusesAnotherCountBankOrSizeOfSelection() public {
        for (uint256 i = 101; i < 108; ++i) _refusesByte(i, 0x01, TpmQuote.SelectionUnsupported.selector);
        for (uint256 i = 111; i < 113; ++i) _refusesByte(i, 0x80, TpmQuote.QuoteInfoMalformed.selector);
    }

    function test_takesEachBankOnce() public {
        Tpm memory tpm = makeTpm(1);
        bytes2[4] memory banks = [SHA256, SHA384, SHA1, bytes2(0x000d)];
        for (uint256 i = 0; i < 4; ++i) {
            _verifyInfo(tpm, _info(banks[i]), i < 2);
            for (uint256 j = 0; j < 4; ++j) _verifyInfo(tpm, _info(banks[i], banks[j]), i < 2 && j < 2 && i != j);
        }
        bytes memory two = _info(SHA256, SHA384);
        two[3] = 0x01;
        _verifyInfo(tpm, two, false);
        two[3] = 0x02;
        two[12] = 0x02;
        _verifyInfo(tpm, two, false);
    }

    function testFuzz_readsBackWhatWasWritten(
        bytes32 extraData,
        uint64 clockMs,
        uint32 resetCount,
        uint32 restartCount,
        bytes3 select,
        bytes32 pcrDigest
    ) public view {
        Tpm memory tpm = makeTpm(1);
        Attest memory a = Attest(tpm.qualifiedName, extraData, clockMs, resetCount, restartCount, select, pcrDigest);
        Quote memory quote = signed(tpm, encode(a));
        TpmQuote.Attested memory read = harness.verify(quote, tpm.qualifiedName, extraData);
        equal(read.extraData, extraData, "extraData");
        equal(read.clockMs, clockMs, "clock");
        equal(read.resetCount, resetCount, "resetCount");
        equal(read.restartCount, restartCount, "restartCount");
        equal(read.vmmHash, keccak256(quoteInfoOf(select, pcrDigest)), "vmmHash");
        equal(keccak256(harness.quoteInfo(quote.attest)), read.vmmHash, "quoteInfo");
    }

    function testFuzz_refusesBytesOfAnyOtherShape(bytes calldata noise) public {
        VM.assume(noise.length < 6 || bytes6(noise[0:6]) != 0xff5443478018);
        Tpm memory tpm = makeTpm(1);
        Quote memory quote = signed(tpm, noise);
        VM.expectRevert();
        harness.verify(quote, tpm.qualifiedName, 0);
    }

    // -------------------------------------------------------------------------
    // What a selection proves
    // -------------------------------------------------------------------------

    function test_refusesSelectionsThatProveNothing() public {
        harness.requireMeaningful(quoteInfoOf(PCR_13, 0));
        harness.requireMeaningful(quoteInfoOf(0x00007e, 0));
        harness.requireMeaningful(_info(SHA384, SHA256));
        bytes3[4] memory useless = [bytes3(0), 0x000001, 0x000080, 0x002001];
        for (uint256 i = 0; i < useless.length; ++i) {
            _meaningless(quoteInfoOf(useless[i], 0), TpmQuote.SelectionMeaningless.selector);
            bytes memory two = abi.encodePacked(hex"00000002000b03002000000c03", useless[i], hex"0020", bytes32(0));
            _meaningless(two, TpmQuote.SelectionMeaningless.selector);
            two = abi.encodePacked(hex"00000002000b03", useless[i], hex"000c030020000020", bytes32(0));
            _meaningless(two, TpmQuote.SelectionMeaningless.selector);
        }
    }

    function test_readsABareQuoteInfoAsStrictlyAsAQuote() public {
        bytes memory info = quoteInfoOf(PCR_13, 0);
        for (uint256 length = 0; length < 52; ++length) {
            if (length == 44 || length == 50) continue;
            bytes memory other = length < 44 ? _prefix(info, length) : bytes.concat(info, new bytes(length - 44));
            _meaningless(other, TpmQuote.QuoteInfoMalformed.selector);
        }
        _meaningless(bytes.concat(info, new bytes(6)), TpmQuote.SelectionUnsupported.selector);
        _meaningless(_info(SHA1), TpmQuote.SelectionUnsupported.selector);
        _meaningless(_info(SHA256, SHA256), TpmQuote.SelectionUnsupported.selector);
        info[11] = 0x30;
        _meaningless(info, TpmQuote.QuoteInfoMalformed.selector);
    }

    // -------------------------------------------------------------------------
    // Verification refuses
    // -------------------------------------------------------------------------

    function test_refusesEveryFlippedByte() public {
        (Quote memory quote, bytes32 name, bytes32 nonce) = (_capturedEcc(), _name(ecc), _nonce(ecc));
        bytes[3] memory parts = [quote.akPublic, quote.attest, quote.signature];
        for (uint256 p = 0; p < 3; ++p) {
            for (uint256 i = 0; i < parts[p].length; ++i) {
                parts[p][i] ^= 0x04;
                VM.expectRevert();
                harness.verify(quote, name, nonce);
                parts[p][i] ^= 0x04;
            }
        }
        harness.verify(quote, name, nonce);
    }

    function test_refusesAnotherAttestationKey() public {
        bytes memory error_ = abi.encodeWithSelector(TpmQuote.AttestationKeyIs.selector, _name(ecc));
        _refuses(_capturedEcc(), keccak256("another"), _nonce(ecc), error_);
        // Another's quote that claims to be by this key.
        Tpm memory forger = makeTpm(2);
        bytes memory attest = _attest();
        error_ = abi.encodeWithSelector(TpmQuote.AttestationKeyIs.selector, forger.qualifiedName);
        _refuses(signed(forger, attest), makeTpm(1).qualifiedName, keccak256("nonce"), error_);
        // And with this key's area beside it.
        Quote memory forged = signed(forger, attest);
        forged.akPublic = makeTpm(1).akPublic;
        error_ = abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector);
        _refuses(forged, makeTpm(1).qualifiedName, keccak256("nonce"), error_);
    }

    function test_refusesAnAttestThatNamesAnotherSigner() public {
        Tpm memory tpm = makeTpm(2);
        bytes memory error_ = abi.encodeWithSelector(TpmQuote.SignerIs.selector, makeTpm(1).qualifiedName);
        _refuses(signed(tpm, _attest()), tpm.qualifiedName, keccak256("nonce"), error_);
    }

    function test_refusesAnotherNonce() public {
        bytes memory error_ = abi.encodeWithSelector(TpmQuote.BindingIs.selector, _nonce(ecc));
        _refuses(_capturedEcc(), _name(ecc), keccak256("another"), error_);
    }

    function test_refusesASecondFormOfAnEcdsaSignature() public {
        Quote memory quote = _capturedEcc();
        bytes32 r = VM.parseJsonBytes32(ecc, ".r");
        bytes32 s = VM.parseJsonBytes32(ecc, ".s");
        bytes[8] memory forms = [
            abi.encodePacked(r, P256_N - uint256(s)),
            abi.encodePacked(r, P256_N),
            abi.encodePacked(bytes32(0), s),
            abi.encodePacked(r, bytes32(0)),
            abi.encodePacked(P256_N, s),
            abi.encodePacked(s, r),
            abi.encodePacked(r, s, hex"1b"),
            bytes("")
        ];
        for (uint256 i = 0; i < forms.length; ++i) {
            quote.signature = forms[i];
            _refuses(quote, _name(ecc), _nonce(ecc), abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector));
        }
    }

    function test_refusesASecondFormOfAnRsaSignature() public {
        Quote memory quote = _capturedRsa(rsaLow);
        harness.verify(quote, _name(rsaLow), _nonce(rsaLow));
        bytes memory modulus = _suffix(quote.akPublic, 256);
        bytes[6] memory forms = [
            bytes.concat(hex"00", quote.signature),
            _prefix(quote.signature, 255),
            modulus,
            new bytes(256),
            _sum(quote.signature, modulus),
            bytes("")
        ];
        for (uint256 i = 0; i < forms.length; ++i) {
            quote.signature = forms[i];
            bytes memory error_ = abi.encodeWithSelector(TpmQuote.QuoteSignatureInvalid.selector);
            _refuses(quote, _name(rsaLow), _nonce(rsaLow), error_);
        }
    }

    // -------------------------------------------------------------------------
    // Binding
    // -------------------------------------------------------------------------

    function test_refusesAnAnchorOutOfReach() public {
        uint64[4] memory unreachable = [uint64(1000), 1001, 743, type(uint64).max];
        for (uint256 i = 0; i < unreachable.length; ++i) {
            VM.expectRevert(abi.encodeWithSelector(TpmQuote.AnchorOutOfReach.selector, unreachable[i]));
            harness.qualifyingData(REGISTER, 0, 0, unreachable[i]);
        }
        harness.qualifyingData(REGISTER, 0, 0, 999);
        harness.qualifyingData(REGISTER, 0, 0, 744);
    }

    /// @dev Whatever differs, even by one bit, what the contract expects differs, and with it the quote is refused.
    function testFuzz_neverTakesAQuoteForAnotherPurposeHostPayloadAnchorChainOrContract(
        bytes32 purpose,
        bytes32 hostId,
        bytes32 payload,
        uint8 back,
        bytes32 mask,
        uint8 which
    ) public {
        VM.assume(mask != 0);
        uint64 anchor = 999 - (back % 255);
        VM.setBlockhash(anchor, keccak256("anchor"));
        VM.setBlockhash(anchor - 1, keccak256("before"));
        bytes32 data = harness.qualifyingData(purpose, hostId, payload, anchor);
        Tpm memory tpm = makeTpm(1);
        Attest memory a = Attest(tpm.qualifiedName, data, 1, 2, 3, PCR_13, 0);
        Quote memory quote = signed(tpm, encode(a));
        harness.verify(quote, tpm.qualifiedName, data);

        QuoteHarness other = harness;
        which %= 6;
        if (which == 0) purpose ^= mask;
        if (which == 1) hostId ^= mask;
        if (which == 2) payload ^= mask;
        if (which == 3) anchor -= 1;
        if (which == 4) VM.chainId(block.chainid + 1 + (uint256(mask) % 1_000_000));
        if (which == 5) other = QuoteHarness(deploy("harness/QuoteHarness", ""));
        bytes32 expected = other.qualifyingData(purpose, hostId, payload, anchor);
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.BindingIs.selector, data));
        other.verify(quote, tpm.qualifiedName, expected);
    }

    // -------------------------------------------------------------------------
    // Attestation keys
    // -------------------------------------------------------------------------

    function test_refusesATruncatedOrLengthenedKey() public {
        bytes[2] memory keys = [makeTpm(1).akPublic, _capturedRsa().akPublic];
        for (uint256 k = 0; k < 2; ++k) {
            for (uint256 length = 0; length < keys[k].length; ++length) _unsupported(_prefix(keys[k], length));
            _unsupported(bytes.concat(keys[k], hex"00"));
        }
    }

    function test_refusesOtherTypesAlgorithmsSizesAndCurves() public {
        for (uint256 i = 0; i < 56; ++i) {
            if ((i >= 4 && i < 8) || (i >= 22 && i < 54)) continue;
            bytes memory public_ = makeTpm(1).akPublic;
            public_[i] ^= 0x01;
            _unsupported(public_);
        }
        for (uint256 i = 0; i < 24; ++i) {
            if (i >= 4 && i < 8) continue;
            bytes memory public_ = _capturedRsa().akPublic;
            public_[i] ^= 0x01;
            _unsupported(public_);
        }
    }

    function test_demandsEachAttributeAndRefusesTheOthers() public {
        (uint256 x, uint256 y) = VM.publicKeyP256(5);
        bytes memory modulus = _suffix(_capturedRsa().akPublic, 256);
        harness.requireAttestationKey(akPublicOf(0x00050032, x, y));
        for (uint32 bit = 0; bit < 32; ++bit) {
            uint32 attributes = 0x00050032 ^ (uint32(1) << bit);
            bytes[2] memory keys = [
                akPublicOf(attributes, x, y),
                abi.encodePacked(hex"0001000b", attributes, hex"0000", RSA_HEADER, modulus)
            ];
            for (uint256 k = 0; k < 2; ++k) {
                // userWithAuth, adminWithPolicy and noDA may be there or not; bits that are not defined may not.
                if (bit == 6 || bit == 7 || bit == 10) {
                    harness.requireAttestationKey(keys[k]);
                } else if (bit == 0 || bit == 3 || (bit >= 12 && bit < 16) || bit >= 20) {
                    _unsupported(keys[k]);
                } else {
                    bytes4 selector = TpmQuote.AttestationKeyAttributesAre.selector;
                    VM.expectRevert(abi.encodeWithSelector(selector, attributes));
                    harness.requireAttestationKey(keys[k]);
                }
            }
        }
    }

    function test_refusesAPointThatIsNotOnTheCurve() public {
        (uint256 x, uint256 y) = VM.publicKeyP256(5);
        _invalid(akPublicOf(0x00050472, x, y ^ 1));
        _invalid(akPublicOf(0x00050472, y, x));
        _invalid(akPublicOf(0x00050472, 0, 0));
        // Not reduced: the field's prime in place of 0.
        _invalid(akPublicOf(0x00050472, 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff, y));
    }

    function test_refusesAModulusThatIsShortOrEven() public {
        bytes memory public_ = _capturedRsa().akPublic;
        public_[24] &= 0x7f;
        _unsupported(public_);
        public_ = _capturedRsa().akPublic;
        public_[279] &= 0xfe;
        _invalid(public_);
    }

    function test_takesAKeyWithAPolicy() public view {
        Tpm memory tpm = makeTpm(1);
        (uint256 x, uint256 y) = VM.publicKeyP256(tpm.akKey);
        bytes memory tail = abi.encodePacked(hex"00100018000b000300100020", x, hex"0020", y);
        tpm.akPublic = abi.encodePacked(hex"0023000b000504720020", keccak256("policy"), tail);
        tpm.qualifiedName = harness.requireAttestationKey(tpm.akPublic);
        Attest memory a = Attest(tpm.qualifiedName, keccak256("nonce"), 1, 2, 3, PCR_13, 0);
        harness.verify(signed(tpm, encode(a)), tpm.qualifiedName, keccak256("nonce"));

        bytes memory modulus = _suffix(_capturedRsa().akPublic, 256);
        bytes memory policy = abi.encodePacked(hex"0020", keccak256("policy"));
        harness.requireAttestationKey(abi.encodePacked(hex"0001000b00050472", policy, RSA_HEADER, modulus));
    }

    function test_refusesCoordinatesWithoutTheirLeadingZeros() public {
        // The first small scalar whose x starts with a zero byte. A TPM pads coordinates (Part 1, C.8), so a name has one form.
        uint256 key = 1;
        (uint256 x, uint256 y) = VM.publicKeyP256(key);
        while (x >> 248 != 0) (x, y) = VM.publicKeyP256(++key);
        harness.requireAttestationKey(akPublicOf(0x00050472, x, y));
        bytes memory head = hex"0023000b00050472000000100018000b00030010";
        _unsupported(abi.encodePacked(head, hex"001f", bytes31(bytes32(x << 8)), hex"0020", y));
    }

    // -------------------------------------------------------------------------

    /// @dev The precompile answers a good signature with one word, and an absent one with nothing.
    function _hasPrecompile() private view returns (bool) {
        Quote memory quote = _capturedEcc();
        bytes memory point = abi.encodePacked(_slice(quote.akPublic, 22, 32), _suffix(quote.akPublic, 32));
        (, bytes memory answer) = address(0x100).staticcall(bytes.concat(sha256(quote.attest), quote.signature, point));
        return answer.length == 32;
    }

    function _refuses(Quote memory quote, bytes32 name, bytes32 nonce, bytes memory error_) private {
        VM.expectRevert(error_);
        harness.verify(quote, name, nonce);
    }

    function _refusesAttest(bytes memory attest, bytes memory error_) private {
        _refuses(signed(makeTpm(1), attest), makeTpm(1).qualifiedName, keccak256("nonce"), error_);
    }

    function _refusesByte(uint256 index, uint8 mask, bytes4 error_) private {
        bytes memory attest = _attest();
        attest[index] ^= bytes1(mask);
        _refusesAttest(attest, abi.encodeWithSelector(error_));
    }

    function _verifyInfo(Tpm memory tpm, bytes memory info, bool isTaken) private {
        Quote memory quote = signed(tpm, bytes.concat(_prefix(_attest(), 101), info));
        if (!isTaken) VM.expectRevert(abi.encodeWithSelector(TpmQuote.SelectionUnsupported.selector));
        harness.verify(quote, tpm.qualifiedName, keccak256("nonce"));
    }

    function _meaningless(bytes memory info, bytes4 error_) private {
        VM.expectRevert(abi.encodeWithSelector(error_));
        harness.requireMeaningful(info);
    }

    function _unsupported(bytes memory public_) private {
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.AttestationKeyUnsupported.selector));
        harness.requireAttestationKey(public_);
    }

    function _invalid(bytes memory public_) private {
        VM.expectRevert(abi.encodeWithSelector(TpmQuote.AttestationKeyInvalid.selector));
        harness.requireAttestationKey(public_);
    }

    function _attest() private pure returns (bytes memory) {
        bytes32 name = makeTpm(1).qualifiedName;
        return encode(Attest(name, keccak256("nonce"), 1, 2, 3, PCR_13, keccak256("pcr")));
    }

    function _info(bytes2 bank) private pure returns (bytes memory) {
        return abi.encodePacked(hex"00000001", bank, hex"03", PCR_13, hex"0020", keccak256("pcr"));
    }

    function _info(bytes2 first, bytes2 second) private pure returns (bytes memory) {
        bytes memory selections = abi.encodePacked(first, hex"03", PCR_13, second, hex"03", PCR_13);
        return abi.encodePacked(hex"00000002", selections, hex"0020", keccak256("pcr"));
    }

    function _prefix(bytes memory whole, uint256 length) private pure returns (bytes memory) {
        return _slice(whole, 0, length);
    }

    function _suffix(bytes memory whole, uint256 length) private pure returns (bytes memory) {
        return _slice(whole, whole.length - length, length);
    }

    function _slice(bytes memory whole, uint256 offset, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) part[i] = whole[offset + i];
    }

    /// @dev The sum of two numbers of the same length, big-endian. It has that length too, or it would be another number's form.
    function _sum(bytes memory a, bytes memory b) private pure returns (bytes memory sum) {
        sum = new bytes(a.length);
        uint256 carry = 0;
        for (uint256 i = a.length; i > 0; --i) {
            carry += uint256(uint8(a[i - 1])) + uint8(b[i - 1]);
            sum[i - 1] = bytes1(uint8(carry));
            carry >>= 8;
        }
        equal(carry, 0, "the sum fits");
    }

    function _capturedEcc() private view returns (Quote memory) {
        bytes memory signature = abi.encodePacked(VM.parseJsonBytes32(ecc, ".r"), VM.parseJsonBytes32(ecc, ".s"));
        return Quote(VM.parseJsonBytes(ecc, ".akPublic"), VM.parseJsonBytes(ecc, ".attest"), signature);
    }

    function _capturedRsa() private view returns (Quote memory) {
        return _capturedRsa(rsa);
    }

    function _capturedRsa(string memory captured) private pure returns (Quote memory) {
        return
            Quote(
                VM.parseJsonBytes(captured, ".akPublic"),
                VM.parseJsonBytes(captured, ".attest"),
                VM.parseJsonBytes(captured, ".signature")
            );
    }

    /// @dev What is behind the name algorithm.
    function _name(string memory captured) private pure returns (bytes32) {
        return bytes32(_suffix(VM.parseJsonBytes(captured, ".qualifiedName"), 32));
    }

    function _nonce(string memory captured) private pure returns (bytes32) {
        return VM.parseJsonBytes32(captured, ".nonce");
    }
}
