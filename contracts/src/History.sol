// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title What a value was at the end of every block before its last change.
/// @notice The present value and the block since which it stands are the caller's to keep, in a slot that it reads anyway; only
/// what they replace comes here.
library History {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice Keeps the value that is about to be replaced.
    /// @param value What stood until now.
    /// @param since The block in which it was set, 0 where nothing was. What is replaced within its own block stood at the end of
    /// none, and is not kept.
    function archive(Checkpoints.Trace208 storage history, uint208 value, uint64 since) internal {
        if (since != 0 && since != block.number) history.push(uint48(since), value);
    }

    /// @notice The value at the end of block `asOf`, 0 before it was first set.
    /// @dev Warning: only for blocks before the present value's.
    function valueAt(Checkpoints.Trace208 storage history, uint64 asOf) internal view returns (uint208) {
        return history.upperLookupRecent(uint48(asOf));
    }
}
