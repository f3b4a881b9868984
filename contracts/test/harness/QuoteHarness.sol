// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TpmQuote} from "../../src/TpmQuote.sol";
import {Quote} from "../../src/interfaces/Types.sol";

/// @title Lets tests call TpmQuote, alone and many times in one call. Never deployed for use.
contract QuoteHarness {
    /// @param isRefused Whether the call reverted.
    /// @param answer What it returned or reverted with.
    struct Outcome {
        bool isRefused;
        bytes answer;
    }

    /// @notice Makes many calls of this contract at once: one a quote is too slow for tens of thousands.
    function callAll(bytes[] calldata calls) external view returns (Outcome[] memory outcomes) {
        outcomes = new Outcome[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory answer) = address(this).staticcall(calls[i]);
            outcomes[i] = Outcome(!done, answer);
        }
    }

    function verify(
        Quote calldata quote,
        bytes32 akQualifiedName,
        bytes32 qualifyingData_
    ) external view returns (TpmQuote.Attested memory) {
        return TpmQuote.verify(quote, akQualifiedName, qualifyingData_);
    }

    /// @notice The signature alone, whoever the key belongs to.
    function requireSignature(bytes calldata akPublic, bytes calldata attest, bytes calldata signature) external view {
        TpmQuote.requireAttestationKey(akPublic);
        TpmQuote.requireSignature(akPublic, attest, signature);
    }

    function requireAttestationKey(bytes calldata akPublic) external pure returns (bytes32 qualifiedName) {
        return TpmQuote.requireAttestationKey(akPublic);
    }

    function requireMeaningful(bytes calldata quoteInfo_) external pure {
        TpmQuote.requireMeaningful(quoteInfo_);
    }

    function quoteInfo(bytes calldata attest) external pure returns (bytes memory) {
        return TpmQuote.quoteInfo(attest);
    }

    function qualifyingData(
        bytes32 purpose,
        bytes32 hostId,
        bytes32 payloadHash,
        uint64 anchorBlock
    ) external view returns (bytes32) {
        return TpmQuote.qualifyingData(purpose, hostId, payloadHash, anchorBlock);
    }
}
