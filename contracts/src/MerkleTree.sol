// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Trees of RFC 9162's shape (section 2.1.1) with keccak256.
library MerkleTree {
    /// @notice The leaf of a record, from its EIP-712 struct hash.
    function leafOf(bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), structHash));
    }

    /// @notice The root over some leaves, of which there is at least one. Joining neighbours level by level, an odd one going
    /// up as it is, gives the RFC's shape.
    /// @dev Works in the given array: its content is spent.
    function rootOf(bytes32[] memory nodes) internal pure returns (bytes32) {
        uint256 width = nodes.length;
        while (width > 1) {
            uint256 pairs = width / 2;
            for (uint256 i = 0; i < pairs; ++i) {
                nodes[i] = keccak256(abi.encodePacked(bytes1(0x01), nodes[2 * i], nodes[2 * i + 1]));
            }
            if (width % 2 == 1) {
                nodes[pairs] = nodes[width - 1];
                ++pairs;
            }
            width = pairs;
        }
        return nodes[0];
    }
}
