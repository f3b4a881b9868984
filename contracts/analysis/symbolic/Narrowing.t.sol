// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessPolicy} from "../../src/AccessPolicy.sol";
import {IHostRegistry} from "../../src/interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "../../src/interfaces/IVmmRegistry.sol";
import {Grant} from "../../src/interfaces/Types.sol";

interface Vm {
    function prank(address sender) external;
    function assume(bool condition) external pure;
}

/// @notice For every grant, every delegation of it and whoever enters them: what is taken narrows in every dimension. Halmos tries all
/// values at once (scripts/analyse-contracts.mjs).
contract NarrowingTest {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant OWNER = address(0xa);

    AccessPolicy private policy;
    bytes32 private dataId;
    bytes32 private otherData;

    function setUp() public {
        policy = new AccessPolicy(IHostRegistry(address(1)), IVmmRegistry(address(2)), address(3));
        VM.prank(OWNER);
        dataId = policy.registerData("salt");
        VM.prank(OWNER);
        otherData = policy.registerData("another");
    }

    function check_whatIsDelegatedIsNarrower(
        Grant memory above,
        Grant memory below,
        address grantor,
        bool isOfOtherData
    ) public {
        (above.dataId, above.parent) = (dataId, 0);
        VM.prank(OWNER);
        bytes32 id = policy.grant(above);
        below.dataId = isOfOtherData ? otherData : dataId;
        below.parent = id;
        VM.prank(grantor);
        (bool isTaken, ) = address(policy).call(abi.encodeCall(policy.grant, (below)));
        if (!isTaken) return;
        assert(grantor == above.grantee);
        assert(below.dataId == above.dataId);
        assert(below.delegationDepth < above.delegationDepth);
        assert(above.delegationDepth <= 8);
        assert(below.notBefore >= above.notBefore);
        assert(below.notAfter <= above.notAfter);
        assert(below.notBefore <= below.notAfter);
        assert(below.maxUses <= above.maxUses);
        assert(below.maxUses > 0);
        assert(below.minAssurance >= above.minAssurance);
        assert(above.operationId == 0 || below.operationId == above.operationId);
        assert(above.vmmHash == 0 || below.vmmHash == above.vmmHash);
        assert(above.hostId == 0 || below.hostId == above.hostId);
    }

    /// @notice And nothing is delegated from what was revoked, or is over.
    function check_nothingIsDelegatedFromWhatIsOver(Grant memory above, Grant memory below, bool isRevoked) public {
        (above.dataId, above.parent) = (dataId, 0);
        VM.prank(OWNER);
        bytes32 id = policy.grant(above);
        if (isRevoked) {
            VM.prank(OWNER);
            policy.revoke(id);
        }
        below.parent = id;
        VM.prank(above.grantee);
        (bool isTaken, ) = address(policy).call(abi.encodeCall(policy.grant, (below)));
        assert(!isTaken || (!isRevoked && above.notAfter >= block.timestamp));
    }
}
