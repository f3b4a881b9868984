// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Whether an account signed a digest.
/// @dev OpenZeppelin's SignatureChecker needs the opcode MCOPY, which the oldest supported chains lack.
library SignerCheck {
    /// @notice A key by ECDSA (65 bytes, low s), a contract by ERC-1271. An account may be both (EIP-7702): its key never ceases to
    /// speak for it.
    function isSignedBy(address account, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (isSignedByKey(account, digest, signature)) return true;
        if (account.code.length == 0) return false;
        (bool answered, bytes memory answer) = account.staticcall(
            abi.encodeCall(IERC1271.isValidSignature, (digest, signature))
        );
        return answered && answer.length >= 32 && bytes32(answer) == bytes32(IERC1271.isValidSignature.selector);
    }

    /// @notice A key only: for ledger addresses, which are keys in HSMs and never contracts. Never true of the address 0.
    function isSignedByKey(address account, bytes32 digest, bytes calldata signature) internal pure returns (bool) {
        (address signer, ECDSA.RecoverError fault, ) = ECDSA.tryRecover(digest, signature);
        return fault == ECDSA.RecoverError.NoError && signer == account;
    }
}
