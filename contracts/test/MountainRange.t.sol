// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogRig} from "./support/LogRig.sol";
import {Record, Records} from "./support/Records.sol";
import {MerkleTree} from "../src/MerkleTree.sol";
import {MountainRange} from "../src/MountainRange.sol";
import {BatchHeader, ReceiptGroup} from "../src/interfaces/Types.sol";

contract MountainRangeTest is LogRig {
    using MountainRange for mapping(uint8 height => bytes32);

    uint32 private constant MANY = 70;

    mapping(uint8 height => bytes32) private _peaks;
    mapping(uint8 height => bytes32) private _edge;

    /// @dev The peak at each height whose bit is set is the root of the leaves that it covers.
    function test_keepsARootForEachSetBitOfItsSize() public {
        bytes32[] memory leaves = _leaves(MANY);
        for (uint32 size = 1; size <= MANY; ++size) {
            _peaks.append(size - 1, leaves[size - 1]);
            uint256 covered = 0;
            for (uint8 height = 7; height < 8; height = height == 0 ? 8 : height - 1) {
                if ((size >> height) & 1 == 0) continue;
                uint256 end = covered + (uint256(1) << height);
                equal(_peaks[height], MerkleTree.rootOf(Records.slice(leaves, covered, end)), "peak");
                covered = end;
            }
            equal(covered, size, "all covered");
        }
    }

    function test_includesEachLeafAtItsPlaceAlone() public {
        bytes32[] memory leaves = _leaves(13);
        for (uint32 size = 1; size <= 13; ++size) {
            _peaks.append(size - 1, leaves[size - 1]);
            bytes32[] memory appended = Records.slice(leaves, 0, size);
            for (uint32 index = 0; index < size; ++index) {
                bytes32[] memory path = Records.pathToPeak(appended, index);
                for (uint32 claimed = 0; claimed < 16; ++claimed) {
                    isTrue(this.isIncluded(size, claimed, leaves[index], path) == (claimed == index), "at its place");
                }
                isFalse(this.isIncluded(size, index, leaves[index], Records.append(path, 0)), "path too long");
                if (path.length == 0) continue;
                bytes32[] memory shorter = Records.slice(path, 0, path.length - 1);
                isFalse(this.isIncluded(size, index, leaves[index], shorter), "path too short");
            }
        }
    }

    function test_includesNothingWhereThereIsNothing() public view {
        isFalse(this.isIncluded(0, 0, 0, new bytes32[](0)), "empty");
    }

    function testFuzz_includesNothingElse(uint256 dice, bytes32 noise) public {
        uint32 size = 1 + uint32(dice % 20);
        bytes32[] memory leaves = _leaves(size);
        for (uint32 i = 0; i < size; ++i) _peaks.append(i, leaves[i]);
        uint32 index = uint32((dice >> 32) % size);
        bytes32[] memory path = Records.pathToPeak(leaves, index);
        VM.assume(noise != 0);
        isFalse(this.isIncluded(size, index, leaves[index] ^ noise, path), "another leaf");
        if (path.length == 0) return;
        path[(dice >> 64) % path.length] ^= noise;
        isFalse(this.isIncluded(size, index, leaves[index], path), "another path");
    }

    /// @dev The last size that its type allows: one leaf more is the log's to refuse.
    function test_reachesTheEndOfItsNumbers() public {
        for (uint8 height = 0; height < 32; ++height) _edge[height] = bytes32(uint256(height) + 1);
        bytes32 leaf = keccak256("last");
        _edge.append(type(uint32).max - 1, leaf);
        equal(_edge[0], leaf, "a peak of its own");
        _edge.append(type(uint32).max, leaf);
        bytes32 node = MerkleTree.nodeOf(leaf, leaf);
        for (uint256 height = 1; height < 32; ++height) node = MerkleTree.nodeOf(bytes32(height + 1), node);
        equal(_edge[32], node, "one peak over all");
    }

    // -------------------------------------------------------------------------
    // Where light clients find it (docs/formats.md, "Storage")
    // -------------------------------------------------------------------------

    function test_standsInTheDocumentedSlots() public {
        deployLog();
        for (uint64 i = 1; i <= 3; ++i) {
            Record[] memory records = makeRecords(i);
            commit(headerOver(records, i + 10), records);
        }
        ReceiptGroup memory group = ReceiptGroup(tpm.hostId, 0, 6, 1, 1005);
        log.proveOmission(group, signatureOf(group));
        bytes32 hostId = tpm.hostId;
        equal(_slot(_at(hostId, 2)), log.head(hostId), "head");
        bytes32 position = _slot(_at(hostId, 3));
        equal(uint48(uint256(position)), 6, "nextSeq: bits 0 to 47");
        equal(uint32(uint256(position) >> 48), 3, "batches: bits 48 to 79");
        equal(uint64(uint256(position) >> 80), 13, "nvCounter: bits 80 to 143");
        equal(uint32(uint256(position) >> 144), tpmState.resetCount, "resetCount: bits 144 to 175");
        equal(uint32(uint256(position) >> 176), tpmState.restartCount, "restartCount: bits 176 to 207");
        equal(uint256(position) >> 208, tpmState.clockMs, "clock: bits 208 to 255");
        bytes32 peaks = _at(hostId, 4);
        for (uint256 height = 0; height < 2; ++height) {
            equal(_slot(_at(bytes32(height), uint256(peaks))), log.peak(hostId, uint8(height)), "peak");
        }
        equal(_slot(_at(hostId, 5)), log.fraudOf(hostId), "fraudOf");
        isTrue(log.fraudOf(hostId) != 0, "marked");
        equal(_slot(_at(log.fraudOf(hostId), 6)), bytes32(uint256(1)), "isProven");
    }

    // -------------------------------------------------------------------------

    function isIncluded(uint32 size, uint32 index, bytes32 leaf, bytes32[] calldata path) external view returns (bool) {
        return _peaks.isIncluded(size, index, leaf, path);
    }

    function _leaves(uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) leaves[i] = keccak256(abi.encode("leaf", i));
    }

    function _at(bytes32 key, uint256 mappingSlot) private pure returns (bytes32) {
        return keccak256(abi.encode(key, mappingSlot));
    }

    function _slot(bytes32 slot) private view returns (bytes32) {
        return VM.load(address(log), slot);
    }
}
