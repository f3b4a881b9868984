// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogInvariantTest} from "./Log.t.sol";
import {PolicyInvariantTest} from "./Policy.t.sol";
import {RegistriesInvariantTest} from "./Registries.t.sol";

// The same campaigns under the rules of a GoQuorum network. Quotes are verified in Solidity there, which takes most of the time: a
// quarter of the runs.

/// forge-config: default.evm_version = "berlin"
/// forge-config: default.invariant.runs = 64
contract RegistriesOnBerlinInvariantTest is RegistriesInvariantTest {}

/// forge-config: default.evm_version = "berlin"
/// forge-config: default.invariant.runs = 64
contract PolicyOnBerlinInvariantTest is PolicyInvariantTest {}

/// forge-config: default.evm_version = "berlin"
/// forge-config: default.invariant.runs = 64
contract LogOnBerlinInvariantTest is LogInvariantTest {
    /// @dev To a signature that holds a precompile would answer with a word.
    function test_runsWithoutAPrecompile() public view {
        (uint256 x, uint256 y) = VM.publicKeyP256(1);
        (bytes32 r, bytes32 s) = VM.signP256(1, keccak256("digest"));
        (, bytes memory answer) = address(0x100).staticcall(abi.encode(keccak256("digest"), r, s, x, y));
        equal(answer.length, 0, "the precompile's answer");
    }
}
