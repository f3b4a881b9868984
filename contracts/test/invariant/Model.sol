// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rig} from "../support/Rig.sol";

/// @title Contracts beside a model of them that foretells what each call comes to.
abstract contract Model is Rig {
    /// @notice What kind of success was reached how often, so that a test can tell an idle model.
    mapping(string success => uint256 times) public reached;

    /// @notice The first difference between a call's result and what the model foretold, empty where there is none.
    string public difference;

    uint64 internal _block;
    uint64 internal _time;

    /// @notice Counts the calls, so that each comparison can look at something else.
    uint256 internal _turn;

    /// @dev Block and time do not outlive a call of the fuzzer's.
    modifier inTime() {
        VM.roll(_block);
        VM.warp(_time);
        _;
    }

    /// @notice Reverts where the contracts differ from the model.
    function compare() external inTime {
        equal(bytes(difference).length, 0, difference);
        compareNow();
    }

    /// @notice The comparisons that are slow, made once a run.
    function compareAtEnd() external virtual;

    function compareNow() internal virtual;

    /// @notice To be called when the contracts are there.
    function startClock() internal {
        (_block, _time) = (uint64(block.number), uint64(block.timestamp));
    }

    /// @notice Makes a call, and notes where it does not come to what was foretold.
    function calls(
        string memory action,
        address sender,
        address target,
        bytes memory data,
        bool isTaken
    ) internal returns (bool done) {
        (done, ) = callsWith(action, sender, target, data, isTaken);
    }

    /// @notice The same, with what the call returned or reverted with.
    function callsWith(
        string memory action,
        address sender,
        address target,
        bytes memory data,
        bool isTaken
    ) internal returns (bool done, bytes memory answer) {
        ++_turn;
        VM.prank(sender);
        (done, answer) = target.call(data);
        if (done) reached[action]++;
        if (done != isTaken) differs(string.concat(action, done ? " was taken" : " was refused"));
    }

    function differs(string memory what) internal {
        if (bytes(difference).length == 0) difference = what;
    }
}
