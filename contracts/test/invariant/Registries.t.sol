// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check} from "../support/Check.sol";
import {RegistriesActions} from "./RegistriesActions.sol";

/// @notice Whatever is called in whatever order, the registries are as the model says: only k approvers of the present term
/// decide anything; n >= k >= 1; what was revoked, or is past its validity, is authorised again only by a new proposal and k new
/// approvals; a retired host never comes back; a hostId, a ledger address and an AK are never another host's; no quote has an
/// effect twice; the past is as it was.
/// forge-config: default.evm_version = "osaka"
contract RegistriesInvariantTest is Check {
    /// @dev What forge asks for by `targetSelectors`.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    RegistriesActions private model;

    function setUp() public {
        model = new RegistriesActions();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(model);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory list) {
        bytes4[14] memory actions = _actions();
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(model), new bytes4[](actions.length));
        for (uint256 i = 0; i < actions.length; ++i) list[0].selectors[i] = actions[i];
    }

    function invariant_areAsTheModelSays() public {
        model.compare();
    }

    function afterInvariant() public {
        model.compareHistories();
    }

    /// @dev That the model is not idle: so many actions reach everything there is.
    function test_theModelReachesEverything() public {
        bytes4[14] memory actions = _actions();
        uint256 seed = 1;
        for (uint256 i = 0; i < 1500; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            (bool done, ) = address(model).call(
                abi.encodeWithSelector(actions[seed % actions.length], uint256(keccak256(abi.encode("action", seed))))
            );
            isTrue(done, "an action never reverts");
            if (i % 50 == 0) model.compare();
        }
        model.compare();
        model.compareHistories();
        string[18] memory successes = [
            "register",
            "rotateAddress",
            "replaceAk",
            "suspend",
            "reinstate",
            "retire",
            "replay",
            "propose",
            "prove",
            "predict",
            "approve",
            "authorise",
            "revoke",
            "expire",
            "changeApprovers",
            "newTerm",
            "appoint",
            "dismiss"
        ];
        for (uint256 i = 0; i < successes.length; ++i) isTrue(model.reached(successes[i]) > 0, successes[i]);
    }

    function _actions() private view returns (bytes4[14] memory) {
        return
            [
                model.pass.selector,
                model.register.selector,
                model.rotateAddress.selector,
                model.replaceAk.selector,
                model.suspend.selector,
                model.reinstate.selector,
                model.retire.selector,
                model.replay.selector,
                model.propose.selector,
                model.predict.selector,
                model.approve.selector,
                model.revoke.selector,
                model.changeApprovers.selector,
                model.changeRegistrar.selector
            ];
    }
}
