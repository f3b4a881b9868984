// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PolicyModel} from "./PolicyModel.sol";
import {Grant} from "../../src/interfaces/Types.sol";

/// @title What the fuzzer does to the policy and its model.
/// @notice Each action makes one call, right or wrong as its seed has it, and foretells whether it is taken.
contract PolicyActions is PolicyModel {
    function pass(uint256 seed) external {
        _block += 1 + uint64(seed % 20);
        _time += uint64(seed >> 64) % 60;
    }

    // -------------------------------------------------------------------------
    // Owners
    // -------------------------------------------------------------------------

    function registerData(uint256 seed) external inTime {
        uint256 d = seed % OWNERS;
        address sender = _people[d == 2 ? WALLET : d];
        bool isTaken = _data[d].owners.length == 0;
        bytes memory data = abi.encodeCall(policy.registerData, ("salt"));
        if (calls("registerData", sender, address(policy), data, isTaken)) _data[d].owners.push(Owner(_block, sender));
    }

    function offerOwnership(uint256 seed) external inTime {
        uint256 d = seed % OWNERS;
        address owner = _ownerAt(d, _block);
        address sender = (seed >> 8) % 4 == 0 || owner == address(0) ? _person(seed >> 16) : owner;
        address candidate = (seed >> 24) % 4 == 0 ? address(0) : _person(seed >> 32);
        bytes memory data = abi.encodeCall(policy.offerOwnership, (_data[d].id, candidate));
        if (calls("offerOwnership", sender, address(policy), data, sender == owner)) _data[d].candidate = candidate;
    }

    function acceptOwnership(uint256 seed) external inTime {
        uint256 d = seed % OWNERS;
        address candidate = _data[d].candidate;
        address sender = (seed >> 8) % 4 == 0 ? _person(seed >> 16) : candidate;
        bool isTaken = sender == candidate && _data[d].owners.length > 0;
        if (sender == address(0)) return; // nobody sends as nobody
        bytes memory data = abi.encodeCall(policy.acceptOwnership, (_data[d].id));
        if (!calls("acceptOwnership", sender, address(policy), data, isTaken)) return;
        _data[d].owners.push(Owner(_block, sender));
        _data[d].candidate = address(0);
    }

    // -------------------------------------------------------------------------
    // Grants
    // -------------------------------------------------------------------------

    function grant(uint256 seed) external inTime {
        uint256 dice = uint256(keccak256(abi.encode(seed)));
        (Grant memory g, address grantor) = _draw(dice);
        _enters("grant", grantor, grantor, g, abi.encodeCall(policy.grant, (g)), true);
    }

    function grantBySignature(uint256 seed) external inTime {
        uint256 dice = uint256(keccak256(abi.encode(seed)));
        (Grant memory g, address grantor) = _draw(dice);
        uint256 signer = (dice >> 200) % 8 == 0 ? (dice >> 208) % PEOPLE : _indexOfPerson(grantor);
        if (signer == PEOPLE) return; // not a person, so it signs nothing
        bytes memory signature = signedBy(_keyOf(signer), policy.grantId(g));
        bool isSigned = _people[signer] == grantor;
        bytes memory data = abi.encodeCall(policy.grantBySignature, (g, grantor, signature));
        _enters("grantBySignature", _person(dice >> 216), grantor, g, data, isSigned);
    }

    /// @dev Of one of few grants that their owners may sign.
    function cancel(uint256 seed) external inTime {
        Grant memory g = _template(seed);
        bytes32 id = policy.grantId(g);
        address owner = _ownerOfIdAt(g.dataId, _block);
        address sender = (seed >> 8) % 2 == 0 || owner == address(0) ? _person(seed >> 16) : owner;
        bool isTaken = _indexOf[id] == 0 && !_cancelled[sender][id];
        bytes memory data = abi.encodeCall(policy.cancel, (id));
        if (calls("cancel", sender, address(policy), data, isTaken)) _cancelled[sender][id] = true;
    }

    function revoke(uint256 seed) external inTime {
        if (_grants.length < 2 || seed % 3 != 0) return; // or few grants would live
        GrantModel storage m = _grants[1 + ((seed >> 8) % (_grants.length - 1))];
        address owner = _ownerOfIdAt(m.g.dataId, _block);
        address sender = _person(seed >> 24);
        if ((seed >> 16) % 2 == 0) sender = (seed >> 17) % 2 == 0 ? owner : m.grantor;
        bool isTaken = (sender == owner || sender == m.grantor) && m.revokedAt == 0;
        bytes memory data = abi.encodeCall(policy.revoke, (m.id));
        if (calls("revoke", sender, address(policy), data, isTaken)) m.revokedAt = _block;
    }

    // -------------------------------------------------------------------------
    // Use
    // -------------------------------------------------------------------------

    function consume(uint256 seed) external inTime {
        uint256 n = seed % _grants.length;
        bytes32 id = n == 0 ? keccak256("unknown") : _grants[n].id;
        address sender = (seed >> 8) % 8 == 0 ? _person(seed >> 16) : address(log);
        uint64 wanted = uint64(seed >> 24) % 4;
        bytes memory data = abi.encodeCall(policy.consume, (id, wanted));
        bool isTaken = sender == address(log) && n != 0;
        (bool done, bytes memory answer) = callsWith("consume", sender, address(policy), data, isTaken);
        if (!done) return;
        uint64 within = _usesLeft(n) < wanted ? _usesLeft(n) : wanted;
        if (abi.decode(answer, (uint64)) != within) differs("another number of uses was taken");
        if (within < wanted) reached["exhaust"]++;
        for (; n != 0; n = _grants[n].parent) _grants[n].uses += within;
    }

    // -------------------------------------------------------------------------
    // Drawing grants
    // -------------------------------------------------------------------------

    /// @dev An owner's grant, one of few that are also cancelled, or a delegation.
    function _draw(uint256 dice) private view returns (Grant memory g, address grantor) {
        uint256 kind = dice % 4;
        if (kind == 0) g = _template(dice >> 8);
        else if (kind == 1 || _grants.length == 1) g = _anything(dice >> 8);
        else return _delegation(dice >> 8);
        grantor = _ownerOfIdAt(g.dataId, _block);
        if ((dice >> 240) % 8 == 0 || grantor == address(0)) grantor = _person(dice >> 244);
    }

    function _template(uint256 dice) private view returns (Grant memory g) {
        g = _anything(dice % 6);
        (g.dataId, g.notAfter) = (_data[dice % 3].id, NO_END);
    }

    function _anything(uint256 dice) private view returns (Grant memory) {
        uint64 maxUses = uint64(1 + ((dice >> 64) % 6));
        if ((dice >> 72) % 4 == 0) maxUses = (dice >> 74) % 8 == 0 ? 0 : NO_END;
        return
            Grant({
                dataId: _dataId(dice),
                grantee: (dice >> 8) % 32 == 31 ? address(0) : _person(dice >> 16),
                operationId: (dice >> 24) % 2 == 0 ? bytes32(0) : _operation(dice >> 32),
                notBefore: (dice >> 40) % 2 == 0 ? 0 : _timeNear(dice >> 48),
                notAfter: (dice >> 56) % 2 == 0 ? NO_END : _timeNear(dice >> 60) + 200,
                maxUses: maxUses,
                vmmHash: (dice >> 80) % 2 == 0 ? bytes32(0) : _vmmHashes[(dice >> 88) % 2],
                hostId: (dice >> 96) % 2 == 0 ? bytes32(0) : _hostIds[(dice >> 104) % 2],
                minAssurance: (dice >> 112) % 32 == 31 ? 3 : uint8((dice >> 120) % 3),
                delegationDepth: (dice >> 128) % 32 == 31 ? 9 : uint8(5 + ((dice >> 136) % 4)),
                parent: 0,
                salt: bytes32((dice >> 144) % 4)
            });
    }

    /// @dev Narrower than its parent, but for what one throw changes to anything at all.
    function _delegation(uint256 dice) private view returns (Grant memory g, address grantor) {
        GrantModel storage parent = _grants[1 + (dice % (_grants.length - 1))];
        Grant memory other = _anything(dice >> 16);
        (g, grantor) = (parent.g, parent.g.grantee);
        (g.parent, g.salt, g.grantee) = (parent.id, other.salt, other.grantee);
        g.delegationDepth = g.delegationDepth == 0 ? 0 : g.delegationDepth - 1;
        uint256 change = (dice >> 8) % 16;
        if (change == 0) g.operationId = other.operationId;
        else if (change == 1) g.notBefore = other.notBefore;
        else if (change == 2) g.notAfter = other.notAfter;
        else if (change == 3) g.maxUses = other.maxUses;
        else if (change == 4) g.vmmHash = other.vmmHash;
        else if (change == 5) g.hostId = other.hostId;
        else if (change == 6) g.minAssurance = other.minAssurance;
        else if (change == 7) g.delegationDepth = other.delegationDepth % 8;
        else if (change == 8) g.dataId = other.dataId;
        else if (change == 9) grantor = other.grantee == address(0) ? grantor : other.grantee;
        else if (change == 10) g.parent = keccak256("unknown");
    }

    // -------------------------------------------------------------------------
    // Entering grants
    // -------------------------------------------------------------------------

    function _enters(
        string memory action,
        address sender,
        address grantor,
        Grant memory g,
        bytes memory data,
        bool isSigned
    ) private {
        // A run that goes on granting would only get slower.
        if (_grants.length > MOST_GRANTS) return;
        bytes32 id = policy.grantId(g);
        if (!calls(action, sender, address(policy), data, isSigned && _mayEnter(id, g, grantor))) return;
        if (g.parent != 0) reached["delegate"]++;
        if (grantor == _people[WALLET]) reached["wallet"]++;
        _indexOf[id] = _grants.length;
        _grants.push(GrantModel(g, id, grantor, _block, 0, 0, _indexOf[g.parent]));
    }

    function _mayEnter(bytes32 id, Grant memory g, address grantor) private view returns (bool) {
        address owner = _ownerOfIdAt(g.dataId, _block);
        if (owner == address(0) || _indexOf[id] != 0 || _cancelled[grantor][id]) return false;
        if (g.grantee == address(0) || g.maxUses == 0 || g.notBefore > g.notAfter) return false;
        if (g.minAssurance > 2 || g.delegationDepth > 8) return false;
        if (g.parent == 0) return grantor == owner;
        uint256 n = _indexOf[g.parent];
        if (n == 0 || _grants[n].g.grantee != grantor || _grants[n].g.delegationDepth <= g.delegationDepth)
            return false;
        for (; n != 0; n = _grants[n].parent) {
            if (_grants[n].revokedAt != 0 || _time > _grants[n].g.notAfter || _isWider(g, _grants[n].g)) return false;
        }
        return true;
    }

    /// @dev Whether a grant allows anything that one above it does not.
    function _isWider(Grant memory g, Grant memory above) private pure returns (bool) {
        return
            g.dataId != above.dataId ||
            g.notBefore < above.notBefore ||
            g.notAfter > above.notAfter ||
            g.maxUses > above.maxUses ||
            g.minAssurance < above.minAssurance ||
            (above.operationId != 0 && g.operationId != above.operationId) ||
            (above.vmmHash != 0 && g.vmmHash != above.vmmHash) ||
            (above.hostId != 0 && g.hostId != above.hostId);
    }

    function _indexOfPerson(address account) private view returns (uint256) {
        for (uint256 i = 0; i < PEOPLE; ++i) if (_people[i] == account) return i;
        return PEOPLE;
    }
}
