// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title An account that is a contract: what its one key signed, it signed (ERC-1271), and it sends what it is told to.
contract Wallet {
    address private immutable KEY;

    constructor(address key) {
        KEY = key;
    }

    function send(address target, bytes calldata data) external returns (bytes memory) {
        (bool done, bytes memory answer) = target.call(data);
        if (!done) {
            // The error is the target's.
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        return answer;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        return
            ecrecover(digest, uint8(signature[64]), r, s) == KEY ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}
