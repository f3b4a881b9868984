// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {Model} from "./Model.sol";
import {RegistriesActions} from "./RegistriesActions.sol";

/// @notice Whatever is called in whatever order, the registries are as the model says: only k approvers of the present term
/// decide anything; n >= k >= 1; what was revoked, or is past its validity, is authorised again only by a new proposal and k new
/// approvals; a retired host never comes back; a hostId, a ledger address and an AK are never another host's; no quote has an
/// effect twice, nor before its epoch; one signature never counts for two; the past is as it was.
/// forge-config: default.evm_version = "osaka"
contract RegistriesInvariantTest is Campaign {
    RegistriesActions private registries;

    function setUp() public {
        registries = new RegistriesActions();
    }

    function test_theModelReachesEverything() public {
        drive(1500);
        hasReached("register");
        hasReached("rotateAddress");
        hasReached("replaceAddress");
        hasReached("replaceAk");
        hasReached("suspend");
        hasReached("reinstate");
        hasReached("retire");
        hasReached("replay");
        hasReached("propose");
        hasReached("prove");
        hasReached("predict");
        hasReached("approve");
        hasReached("authorise");
        hasReached("revoke");
        hasReached("expire");
        hasReached("changeApprovers");
        hasReached("newTerm");
        hasReached("appoint");
        hasReached("dismiss");
    }

    function model() internal view override returns (Model) {
        return registries;
    }

    function actions() internal view override returns (bytes4[] memory list) {
        bytes4[15] memory all = [
            registries.pass.selector,
            registries.register.selector,
            registries.rotateAddress.selector,
            registries.replaceAddress.selector,
            registries.replaceAk.selector,
            registries.suspend.selector,
            registries.reinstate.selector,
            registries.retire.selector,
            registries.replay.selector,
            registries.propose.selector,
            registries.predict.selector,
            registries.approve.selector,
            registries.revoke.selector,
            registries.changeApprovers.selector,
            registries.changeRegistrar.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i = 0; i < all.length; ++i) list[i] = all[i];
    }
}
