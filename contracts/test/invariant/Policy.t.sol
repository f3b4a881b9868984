// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {Model} from "./Model.sol";
import {PolicyActions} from "./PolicyActions.sol";
import {Reason} from "../../src/Reason.sol";

/// @notice Whatever is called in whatever order, the policy answers as a model that knows nothing of narrowing and asks every grant
/// of a chain: no sequence of calls widens a grant; what was revoked or has expired never answers yes, nor does what hangs below;
/// uses never pass the maximum anywhere in the tree; a grant is entered once, and never after it was cancelled.
/// forge-config: default.evm_version = "osaka"
contract PolicyInvariantTest is Campaign {
    PolicyActions private policies;

    function setUp() public {
        policies = new PolicyActions();
    }

    function test_theModelReachesEverything() public {
        drive(1200);
        hasReached("registerData");
        hasReached("offerOwnership");
        hasReached("acceptOwnership");
        hasReached("grant");
        hasReached("grantBySignature");
        hasReached("wallet");
        hasReached("delegate");
        hasReached("cancel");
        hasReached("revoke");
        hasReached("consume");
        hasReached("exhaust");
        for (uint16 reason = 0; reason <= Reason.GRANT_ASSURANCE; ++reason) {
            bool isNever = reason == Reason.HOST_NOT_ACTIVE; // all hosts are
            isTrue((policies.answered(reason) == 0) == isNever, string.concat("answered ", VM.toString(reason)));
        }
    }

    function model() internal view override returns (Model) {
        return policies;
    }

    function actions() internal view override returns (bytes4[] memory list) {
        // What it all hangs on comes more often.
        bytes4[12] memory all = [
            policies.pass.selector,
            policies.registerData.selector,
            policies.offerOwnership.selector,
            policies.acceptOwnership.selector,
            policies.grant.selector,
            policies.grant.selector,
            policies.grantBySignature.selector,
            policies.grantBySignature.selector,
            policies.cancel.selector,
            policies.revoke.selector,
            policies.consume.selector,
            policies.consume.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i = 0; i < all.length; ++i) list[i] = all[i];
    }
}
