// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the ledger finds against a record: bits of one byte (docs/formats.md, "Verdict bits").
library Verdict {
    uint8 internal constant VMM_UNKNOWN = 1 << 0;
    uint8 internal constant VMM_UNPROVEN = 1 << 1;
    uint8 internal constant GRANT_INVALID = 1 << 2;
    uint8 internal constant GRANT_OVERUSED = 1 << 3;
    uint8 internal constant CLOCK_NOT_FORWARD = 1 << 4;
    uint8 internal constant TIMESTAMP_FAR = 1 << 5;
    uint8 internal constant HOST_NOT_ACTIVE = 1 << 6;
    uint8 internal constant NV_NOT_FORWARD = 1 << 7;
}
