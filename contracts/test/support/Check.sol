// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @title Comparisons that say what was expected and what was found.
abstract contract Check {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Differs(string what, bytes32 expected, bytes32 found);

    function equal(uint256 found, uint256 expected, string memory what) internal pure {
        equal(bytes32(found), bytes32(expected), what);
    }

    function equal(bytes32 found, bytes32 expected, string memory what) internal pure {
        require(found == expected, Differs(what, expected, found));
    }

    function equal(address found, address expected, string memory what) internal pure {
        equal(uint160(found), uint160(expected), what);
    }

    function isTrue(bool condition, string memory what) internal pure {
        equal(condition ? 1 : 0, 1, what);
    }

    function isFalse(bool condition, string memory what) internal pure {
        equal(condition ? 1 : 0, 0, what);
    }
}
