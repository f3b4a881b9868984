// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The reason codes that the ledger itself answers with (docs/formats.md, "Reason codes").
library Reason {
    uint16 internal constant DONE = 0;
    uint16 internal constant HOST_UNKNOWN = 1;
    uint16 internal constant HOST_NOT_ACTIVE = 2;
    uint16 internal constant VMM_NOT_AUTHORISED = 3;
    uint16 internal constant DATA_UNKNOWN = 4;
    uint16 internal constant GRANT_MISSING = 5;
    uint16 internal constant GRANT_UNKNOWN = 6;
    uint16 internal constant GRANT_OTHER_DATA = 7;
    uint16 internal constant GRANT_OTHER_GRANTEE = 8;
    uint16 internal constant GRANT_REVOKED = 9;
    uint16 internal constant GRANT_NOT_YET_VALID = 10;
    uint16 internal constant GRANT_EXPIRED = 11;
    uint16 internal constant GRANT_EXHAUSTED = 12;
    uint16 internal constant GRANT_OTHER_OPERATION = 13;
    uint16 internal constant GRANT_OTHER_HOST = 14;
    uint16 internal constant GRANT_OTHER_VMM = 15;
    uint16 internal constant GRANT_ASSURANCE = 16;
}
