// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleTree} from "../../src/MerkleTree.sol";
import {BatchHeader, ReceiptGroup, RecordBody, RecordContext} from "../../src/interfaces/Types.sol";

/// @notice A whole record, as docs/formats.md has it.
struct Record {
    bytes32 hostId;
    uint64 seq;
    bytes32 vmmHash;
    bytes32 operationId;
    address requester;
    bytes32 requestHash;
    bytes32 dataId;
    bytes32 grantId;
    uint64 policyBlock;
    bytes32 dataHash;
    bytes32 resultHash;
    uint16 status;
    uint64 timestamp;
}

/// @title Records, headers and trees as docs/formats.md has them, without the contracts' own ways.
library Records {
    /// @notice What goes into the calldata: each context once, in the order of first appearance.
    function split(
        Record[] memory records
    ) internal pure returns (RecordContext[] memory contexts, RecordBody[] memory bodies) {
        contexts = new RecordContext[](records.length);
        bodies = new RecordBody[](records.length);
        uint256 count = 0;
        for (uint256 i = 0; i < records.length; ++i) {
            Record memory r = records[i];
            RecordContext memory context = RecordContext(
                r.vmmHash,
                r.operationId,
                r.requester,
                r.dataId,
                r.grantId,
                r.policyBlock
            );
            uint16 index = 0;
            while (index < count && keccak256(abi.encode(contexts[index])) != keccak256(abi.encode(context))) ++index;
            if (index == count) contexts[count++] = context;
            bodies[i] = RecordBody(index, r.status, r.timestamp, r.requestHash, r.dataHash, r.resultHash);
        }
        // A shorter array in the same place.
        assembly ("memory-safe") {
            mstore(contexts, count)
        }
    }

    function leafOf(Record memory record) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Record(bytes32 hostId,uint64 seq,bytes32 vmmHash,bytes32 operationId,address requester,bytes32 requestHash,bytes32 dataId,bytes32 grantId,uint64 policyBlock,bytes32 dataHash,bytes32 resultHash,uint16 status,uint64 timestamp)"
        );
        return keccak256(bytes.concat(hex"00", keccak256(abi.encode(typeHash, record))));
    }

    function leavesOf(Record[] memory records) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](records.length);
        for (uint256 i = 0; i < records.length; ++i) leaves[i] = leafOf(records[i]);
    }

    function rootOf(Record[] memory records) internal pure returns (bytes32) {
        return MerkleTree.rootOf(leavesOf(records));
    }

    function hashOf(BatchHeader memory header) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "BatchHeader(bytes32 hostId,uint64 firstSeq,uint32 count,bytes32 root,bytes32 prevHead,uint64 anchorBlock,uint64 nvCounter)"
        );
        return keccak256(abi.encode(typeHash, header));
    }

    function hashOf(ReceiptGroup memory group) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "ReceiptGroup(bytes32 hostId,bytes32 groupRoot,uint64 firstSeq,uint32 count,uint64 includeBy)"
        );
        return keccak256(abi.encode(typeHash, group));
    }

    function headAfter(BatchHeader memory header) internal pure returns (bytes32) {
        return keccak256(bytes.concat(header.prevHead, hashOf(header)));
    }

    /// @notice A batch's leaf in its host's mountain range.
    function batchLeafOf(BatchHeader memory header) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", hashOf(header)));
    }

    /// @notice RFC 9162, 2.1.3.1, by its recursion.
    function path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory) {
        if (leaves.length == 1) return new bytes32[](0);
        uint256 k = 1;
        while (2 * k < leaves.length) k *= 2;
        bytes32[] memory left = slice(leaves, 0, k);
        bytes32[] memory right = slice(leaves, k, leaves.length);
        return
            index < k
                ? append(path(left, index), MerkleTree.rootOf(right))
                : append(path(right, index - k), MerkleTree.rootOf(left));
    }

    /// @notice The path of a leaf up to its peak in the range of these leaves.
    function pathToPeak(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory) {
        uint256 first = 0;
        uint256 size = leaves.length;
        while (true) {
            uint256 peak = 1;
            while (2 * peak <= size - first) peak *= 2;
            if (index < first + peak) return path(slice(leaves, first, first + peak), index - first);
            first += peak;
        }
        revert("unreachable");
    }

    function slice(bytes32[] memory list, uint256 from, uint256 to) internal pure returns (bytes32[] memory part) {
        part = new bytes32[](to - from);
        for (uint256 i = from; i < to; ++i) part[i - from] = list[i];
    }

    function append(bytes32[] memory list, bytes32 last) internal pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) longer[i] = list[i];
        longer[list.length] = last;
    }
}
