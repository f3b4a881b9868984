// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Says what a call costs without its transaction. Put in anybody's place by a node's state override, it calls as they would.
contract Meter {
    /// @return used Gas of the call, with the 100 of the call itself, its target's account being warm as a transaction's is; what it
    /// reads is cold.
    /// @return answer What it returned. Reverts with what it reverts with.
    function measure(address target, bytes calldata data) external returns (uint256 used, bytes memory answer) {
        // Both happen before the count begins.
        bytes memory payload = data;
        require(target.code.length > 0);
        bool done;
        used = gasleft();
        (done, answer) = target.call(payload);
        used -= gasleft();
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }
}
