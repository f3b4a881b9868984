// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title A value as it stood at the end of every block.
library History {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice Sets the value from this block on. The last one within a block is the one that stands.
    function set(Checkpoints.Trace208 storage history, uint8 value) internal {
        history.push(uint48(block.number), value);
    }

    /// @notice The value at the end of block `asOf`, 0 before it was first set.
    function valueAt(Checkpoints.Trace208 storage history, uint64 asOf) internal view returns (uint8) {
        return uint8(history.upperLookupRecent(uint48(Math.min(asOf, type(uint48).max))));
    }
}
