// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleTree} from "./MerkleTree.sol";

/// @title Append-only Merkle trees that keep only their peaks: the roots of the complete subtrees of which they consist.
/// @notice A range of n leaves has a peak at each height whose bit is set in n. Others that are found in storage are spent.
library MountainRange {
    /// @notice Appends the leaf number `size`, counted from 0. Writes one slot.
    function append(mapping(uint8 height => bytes32) storage peaks, uint32 size, bytes32 leaf) internal {
        uint8 height = 0;
        while ((size >> height) & 1 == 1) {
            leaf = MerkleTree.nodeOf(peaks[height], leaf);
            ++height;
        }
        peaks[height] = leaf;
    }

    /// @notice Whether a leaf is number `index` of `size`.
    /// @param path Siblings from the leaf up to its peak.
    function isIncluded(
        mapping(uint8 height => bytes32) storage peaks,
        uint32 size,
        uint32 index,
        bytes32 leaf,
        bytes32[] calldata path
    ) internal view returns (bool) {
        if (index >= size) return false;
        // The leaf's subtree is the one at the highest bit in which its number and the size differ.
        uint8 height = 0;
        for (uint32 rest = (index ^ size) >> 1; rest != 0; rest >>= 1) ++height;
        if (path.length != height) return false;
        for (uint8 i = 0; i < height; ++i) {
            leaf = (index >> i) & 1 == 1 ? MerkleTree.nodeOf(path[i], leaf) : MerkleTree.nodeOf(leaf, path[i]);
        }
        return leaf == peaks[height];
    }
}
