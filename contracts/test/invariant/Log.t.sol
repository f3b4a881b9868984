// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {LogActions} from "./LogActions.sol";
import {Model} from "./Model.sol";

/// @notice Whatever is called in whatever order, the log is as the model says: it only grows, its head is the fold of its batches and
/// its peaks are their roots; a quote is never taken twice, nor for another chain, contract, host, payload or purpose; every record is
/// found to be what it is; uses never pass the maximum anywhere in a tree of delegation, and nothing counts as one that was
/// allowed long ago, or by a claimed VMM alone; a host is marked for what it did, and for
/// nothing else.
/// forge-config: default.evm_version = "osaka"
contract LogInvariantTest is Campaign {
    LogActions private logs;

    function setUp() public {
        logs = new LogActions();
    }

    function test_theModelReachesEverything() public {
        drive(800);
        hasReached("commit");
        hasReached("anchor");
        hasReached("replay");
        hasReached("clean");
        hasReached("use");
        hasReached("overuse");
        hasReached("old");
        hasReached("foreign");
        hasReached("updated");
        hasReached("suspend");
        hasReached("revoke");
        hasReached("proveOmission");
        hasReached("proveEquivocation");
        hasReached("proveContradiction");
    }

    function model() internal view override returns (Model) {
        return logs;
    }

    function actions() internal view override returns (bytes4[] memory list) {
        // What it all hangs on comes more often.
        bytes4[12] memory all = [
            logs.pass.selector,
            logs.pass.selector,
            logs.commit.selector,
            logs.commit.selector,
            logs.commit.selector,
            logs.anchor.selector,
            logs.replay.selector,
            logs.suspendOrReinstate.selector,
            logs.revoke.selector,
            logs.proveOmission.selector,
            logs.proveEquivocation.selector,
            logs.proveContradiction.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i = 0; i < all.length; ++i) list[i] = all[i];
    }
}
