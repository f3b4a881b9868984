// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check} from "../support/Check.sol";
import {Model} from "./Model.sol";

/// @title What forge drives: the actions of one model, in any order, with the comparison after each.
abstract contract Campaign is Check {
    /// @dev What forge asks for by `targetSelectors`.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @notice The model whose actions are called. An action takes one seed and never reverts.
    function model() internal view virtual returns (Model);

    function actions() internal view virtual returns (bytes4[] memory);

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(model());
    }

    function targetSelectors() public view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(model()), actions());
    }

    function invariant_areAsTheModelSays() public {
        model().compare();
    }

    function afterInvariant() public {
        model().compareAtEnd();
    }

    /// @notice So many actions of a fixed sequence, with a comparison now and then.
    function drive(uint256 times) internal {
        bytes4[] memory choices = actions();
        uint256 seed = 1;
        for (uint256 i = 0; i < times; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            (bool done, ) = address(model()).call(
                abi.encodeWithSelector(choices[seed % choices.length], uint256(keccak256(abi.encode("action", seed))))
            );
            isTrue(done, "an action never reverts");
            if (i % 4 == 0) model().compare();
        }
        model().compare();
        model().compareAtEnd();
    }

    /// @notice That the model is not idle.
    function hasReached(string memory success) internal view {
        isTrue(model().reached(success) > 0, success);
    }
}
