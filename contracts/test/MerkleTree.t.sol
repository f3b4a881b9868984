// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check} from "./support/Check.sol";
import {MerkleTree} from "../src/MerkleTree.sol";

contract MerkleTreeTest is Check {
    string private vectors;

    function setUp() public {
        vectors = VM.readFile("test/vectors/formats.json");
    }

    function test_agreesWithTheWorkedExamples() public view {
        for (uint256 count = 1; count <= 9; ++count) {
            bytes32[] memory leaves = new bytes32[](count);
            for (uint256 i = 0; i < count; ++i) {
                string memory record = string.concat(".records[", VM.toString(i), "]");
                leaves[i] = MerkleTree.leafOf(VM.parseJsonBytes32(vectors, string.concat(record, ".structHash")));
                equal(leaves[i], VM.parseJsonBytes32(vectors, string.concat(record, ".leaf")), "leaf");
            }
            string memory root = string.concat(".trees[", VM.toString(count - 1), "].root");
            equal(MerkleTree.rootOf(leaves), VM.parseJsonBytes32(vectors, root), "root");
        }
    }

    /// @dev RFC 9162, section 2.1.1, as it is written there: by recursion.
    function testFuzz_hasTheShapeOfTheRfc(bytes32[] memory leaves) public pure {
        VM.assume(leaves.length > 0);
        bytes32 expected = _root(leaves, 0, leaves.length);
        equal(MerkleTree.rootOf(leaves), expected, "root");
    }

    function _root(bytes32[] memory leaves, uint256 from, uint256 to) private pure returns (bytes32) {
        uint256 count = to - from;
        if (count == 1) return leaves[from];
        uint256 split = 1;
        while (2 * split < count) split *= 2;
        return keccak256(abi.encodePacked(hex"01", _root(leaves, from, from + split), _root(leaves, from + split, to)));
    }
}
