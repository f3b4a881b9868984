// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Trees of RFC 9162's shape (section 2.1) with keccak256.
library MerkleTree {
    /// @notice The leaf of what has this EIP-712 struct hash.
    function leafOf(bytes32 structHash) internal pure returns (bytes32 leaf) {
        // 33 bytes of the scratch space.
        assembly ("memory-safe") {
            mstore8(0x00, 0x00)
            mstore(0x01, structHash)
            leaf := keccak256(0x00, 0x21)
        }
    }

    /// @notice The root over some leaves, of which there is at least one. Joining neighbours level by level, an odd one going
    /// up as it is, gives the RFC's shape.
    /// @dev Works in the given array: its content is spent.
    function rootOf(bytes32[] memory nodes) internal pure returns (bytes32) {
        uint256 width = nodes.length;
        while (width > 1) {
            uint256 pairs = width / 2;
            _joinPairs(nodes, pairs);
            if (width % 2 == 1) {
                nodes[pairs] = nodes[width - 1];
                ++pairs;
            }
            width = pairs;
        }
        return nodes[0];
    }

    /// @notice Whether a leaf stands at `index` in the tree of `count` leaves with this root (RFC 9162, 2.1.3.2).
    /// @param path Siblings from the leaf up.
    function isIncluded(
        bytes32 root,
        bytes32 leaf,
        uint256 index,
        uint256 count,
        bytes32[] calldata path
    ) internal pure returns (bool) {
        if (index >= count) return false;
        uint256 last = count - 1;
        bytes32 node = leaf;
        for (uint256 i = 0; i < path.length; ++i) {
            if (last == 0) return false;
            if (index % 2 == 1 || index == last) {
                node = nodeOf(path[i], node);
                while (index % 2 == 0 && index != 0) {
                    index /= 2;
                    last /= 2;
                }
            } else {
                node = nodeOf(node, path[i]);
            }
            index /= 2;
            last /= 2;
        }
        return last == 0 && node == root;
    }

    /// @dev 65 bytes beyond the free memory, which is left as it was: a tree of 256 leaves would otherwise leave 40 KB of them
    /// behind, and memory costs by its square.
    function nodeOf(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            let at_ := mload(0x40)
            mstore8(at_, 0x01)
            mstore(add(at_, 0x01), left)
            mstore(add(at_, 0x21), right)
            node := keccak256(at_, 0x41)
        }
    }

    /// @dev Puts the nodes of so many pairs in the place of their first half. The same as nodeOf of each two neighbours, without checks of
    /// the index for each.
    function _joinPairs(bytes32[] memory nodes, uint256 pairs) private pure {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0x01)
            let to := add(nodes, 0x20)
            let from := to
            for {
                let end := add(to, shl(5, pairs))
            } lt(to, end) {
                to := add(to, 0x20)
            } {
                mstore(add(free, 0x01), mload(from))
                mstore(add(free, 0x21), mload(add(from, 0x20)))
                mstore(to, keccak256(free, 0x41))
                from := add(from, 0x40)
            }
        }
    }
}
