// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Model} from "./Model.sol";
import {Wallet} from "../harness/Wallet.sol";
import {Reason} from "../../src/Reason.sol";
import {AccessRequest, Assurance, Grant, HostStatus, VmmStatus} from "../../src/interfaces/Types.sol";

/// @title AccessPolicy beside a model that looks at every limit of every grant of a chain; what is done to both is in
/// PolicyActions.
/// @notice Hosts and VMMs are few, and their standing is taken from the registries, which have a model of their own.
abstract contract PolicyModel is Model {
    struct Owner {
        uint64 inBlock;
        address owner;
    }

    struct DataModel {
        bytes32 id;
        address candidate;
        Owner[] owners;
    }

    /// @param parent Which grant it hangs below, counted from 1; 0 for none.
    struct GrantModel {
        Grant g;
        bytes32 id;
        address grantor;
        uint64 grantedAt;
        uint64 revokedAt;
        uint64 uses;
        uint256 parent;
    }

    uint256 internal constant PEOPLE = 5;
    uint256 internal constant WALLET = 4;
    uint256 internal constant OWNERS = 3;
    uint256 internal constant MOST_GRANTS = 24;

    /// @notice Which answer was given how often.
    mapping(uint16 reason => uint256 times) public answered;

    // Counted from 0.
    address[] internal _people;
    bytes32[] internal _hostIds;
    bytes32[] internal _vmmHashes;
    DataModel[] internal _data;

    // Counted from 1, so that 0 is none.
    GrantModel[] internal _grants;
    mapping(bytes32 grantId => uint256) internal _indexOf;
    mapping(address grantor => mapping(bytes32 grantId => bool)) internal _cancelled;

    constructor() {
        deployAll();
        for (uint256 i = 0; i < PEOPLE; ++i) {
            address key = VM.addr(_keyOf(i));
            _people.push(i == WALLET ? address(new Wallet(key)) : key);
        }
        for (uint256 i = 0; i < 2; ++i) {
            Tpm memory tpm = makeTpm(i);
            enrol(tpm, i == 0 ? Assurance.Software : Assurance.Hardware);
            _hostIds.push(tpm.hostId);
            tpmState.pcrDigest = bytes32(i);
            _vmmHashes.push(authorise(tpm, i == 0 ? NO_END : uint64(block.timestamp + 2000)));
        }
        _hostIds.push(keccak256("unknown"));
        _vmmHashes.push(keccak256("unknown"));
        for (uint256 i = 0; i < OWNERS; ++i) {
            _data.push();
            // The wallet is the owner of the last.
            _data[i].id = keccak256(abi.encode(_people[i == 2 ? WALLET : i], bytes32("salt")));
        }
        _grants.push();
        VM.roll(block.number + 1);
        startClock();
    }

    // -------------------------------------------------------------------------
    // Comparison
    // -------------------------------------------------------------------------

    function compareNow() internal override {
        for (uint256 d = 0; d < OWNERS; ++d) {
            equal(policy.ownerOf(_data[d].id), _ownerAt(d, _block), "owner");
            equal(policy.candidateOf(_data[d].id), _data[d].candidate, "candidate");
        }
        if (_grants.length > 1) _compareGrant(1 + (_turn % (_grants.length - 1)));
        for (uint256 i = 0; i < 3; ++i) _compareAnswer(_requestOf(uint256(keccak256(abi.encode(_turn, i)))));
    }

    function compareAtEnd() external view override {
        for (uint256 n = 1; n < _grants.length; ++n) _compareGrant(n);
    }

    /// @dev What it says stands for ever; only its uses and its revocation are added, and the uses never pass the limit.
    function _compareGrant(uint256 n) private view {
        GrantModel storage m = _grants[n];
        (Grant memory g, address grantor, uint64 grantedAt, uint64 revokedAt, uint64 uses) = policy.grantOf(m.id);
        equal(keccak256(abi.encode(g)), keccak256(abi.encode(m.g)), "grant");
        equal(grantor, m.grantor, "grantor");
        equal(grantedAt, m.grantedAt, "grantedAt");
        equal(revokedAt, m.revokedAt, "revokedAt");
        equal(uses, m.uses, "uses");
        isTrue(uses <= g.maxUses, "no more uses than allowed");
        uint256 below = 0;
        for (uint256 i = 1; i < _grants.length; ++i) if (_grants[i].parent == n) below += _grants[i].uses;
        isTrue(below <= uses, "uses of what hangs below are its own");
    }

    function _compareAnswer(AccessRequest memory request) private {
        uint16 expected = _answer(request);
        uint16 found = policy.checkAccess(request);
        equal(found, expected, "checkAccess");
        ++answered[found];
        if (found != Reason.DONE) return;
        // Said once more, plainly: nothing that was revoked or has expired lets anybody in.
        isTrue(vmms.isAuthorised(request.vmmHash) || request.asOf < _block, "the VMM is authorised");
        for (uint256 n = _indexOf[request.grantId]; n != 0; n = _grants[n].parent) {
            isTrue(_grants[n].revokedAt == 0 || _grants[n].revokedAt > request.asOf, "not revoked");
            isTrue(request.timestamp <= _grants[n].g.notAfter, "not expired");
        }
    }

    // -------------------------------------------------------------------------
    // The model's answer: docs/formats.md, "Reason codes", each reason asked of the whole chain
    // -------------------------------------------------------------------------

    function _answer(AccessRequest memory r) internal view returns (uint16) {
        (HostStatus status, Assurance assurance) = hosts.standingAt(r.hostId, r.asOf);
        if (status == HostStatus.None) return Reason.HOST_UNKNOWN;
        if (status != HostStatus.Active) return Reason.HOST_NOT_ACTIVE;
        (VmmStatus vmm, uint64 validUntil) = vmms.standingAt(r.vmmHash, r.asOf);
        if (vmm != VmmStatus.Authorised || r.timestamp > validUntil) return Reason.VMM_NOT_AUTHORISED;
        address owner = _ownerOfIdAt(r.dataId, r.asOf);
        if (owner == address(0)) return Reason.DATA_UNKNOWN;
        if (r.grantId == 0) return r.requester == owner ? Reason.DONE : Reason.GRANT_MISSING;
        uint256 leaf = _indexOf[r.grantId];
        if (leaf == 0 || _grants[leaf].grantedAt > r.asOf) return Reason.GRANT_UNKNOWN;
        if (_grants[leaf].g.dataId != r.dataId) return Reason.GRANT_OTHER_DATA;
        if (_grants[leaf].g.grantee != r.requester) return Reason.GRANT_OTHER_GRANTEE;
        uint16 lowest = type(uint16).max;
        for (uint256 n = leaf; n != 0; n = _grants[n].parent) {
            uint16 reason = _answerOfLink(_grants[n], r, assurance);
            if (reason != Reason.DONE && reason < lowest) lowest = reason;
        }
        return lowest == type(uint16).max ? Reason.DONE : lowest;
    }

    function _answerOfLink(
        GrantModel storage m,
        AccessRequest memory r,
        Assurance assurance
    ) private view returns (uint16) {
        if (m.revokedAt != 0 && m.revokedAt <= r.asOf) return Reason.GRANT_REVOKED;
        if (r.timestamp < m.g.notBefore) return Reason.GRANT_NOT_YET_VALID;
        if (r.timestamp > m.g.notAfter) return Reason.GRANT_EXPIRED;
        if (m.uses >= m.g.maxUses) return Reason.GRANT_EXHAUSTED;
        if (m.g.operationId != 0 && m.g.operationId != r.operationId) return Reason.GRANT_OTHER_OPERATION;
        if (m.g.hostId != 0 && m.g.hostId != r.hostId) return Reason.GRANT_OTHER_HOST;
        if (m.g.vmmHash != 0 && m.g.vmmHash != r.vmmHash) return Reason.GRANT_OTHER_VMM;
        if (uint8(assurance) < m.g.minAssurance) return Reason.GRANT_ASSURANCE;
        return Reason.DONE;
    }

    /// @dev Mostly what some grant allows, with one thing or two that may differ, now or at a block of the past.
    function _requestOf(uint256 dice) private view returns (AccessRequest memory r) {
        uint256 n = _grants.length > 1 && dice % 8 != 0 ? 1 + ((dice >> 8) % (_grants.length - 1)) : 0;
        Grant memory g = _grants[n].g;
        r = AccessRequest({
            dataId: n == 0 ? _dataId(dice >> 16) : g.dataId,
            grantId: _grants[n].id,
            requester: n == 0 ? _person(dice >> 24) : g.grantee,
            operationId: g.operationId == 0 ? _operation(dice >> 32) : g.operationId,
            hostId: g.hostId == 0 ? _hostIds[(dice >> 40) % 2] : g.hostId,
            vmmHash: g.vmmHash == 0 ? _vmmHashes[(dice >> 48) % 2] : g.vmmHash,
            timestamp: (dice >> 56) % 4 == 0 ? _timeNear(dice >> 64) : _time,
            asOf: (dice >> 80) % 4 == 0 ? _block - uint64((dice >> 88) % 60) : _block
        });
        uint256 odd = (dice >> 96) % 12;
        if (odd == 0) r.dataId = _dataId(dice >> 104);
        else if (odd == 1) r.requester = _person(dice >> 104);
        else if (odd == 2) r.operationId = _operation(dice >> 104);
        else if (odd == 3) r.hostId = _hostIds[(dice >> 104) % 3];
        else if (odd == 4) r.vmmHash = _vmmHashes[(dice >> 104) % 3];
        else if (odd == 5) r.grantId = keccak256("unknown");
    }

    // -------------------------------------------------------------------------
    // Parts
    // -------------------------------------------------------------------------

    function _ownerAt(uint256 d, uint64 asOf) internal view returns (address owner) {
        Owner[] storage owners = _data[d].owners;
        for (uint256 i = 0; i < owners.length && owners[i].inBlock <= asOf; ++i) owner = owners[i].owner;
    }

    function _ownerOfIdAt(bytes32 dataId, uint64 asOf) internal view returns (address) {
        for (uint256 d = 0; d < OWNERS; ++d) if (_data[d].id == dataId) return _ownerAt(d, asOf);
        return address(0);
    }

    function _usesLeft(uint256 n) internal view returns (uint64 left) {
        left = type(uint64).max;
        for (; n != 0; n = _grants[n].parent) {
            uint64 own = _grants[n].g.maxUses - _grants[n].uses;
            if (own < left) left = own;
        }
    }

    function _keyOf(uint256 person) internal pure returns (uint256) {
        return 0x51 + person;
    }

    function _person(uint256 dice) internal view returns (address) {
        return _people[dice % PEOPLE];
    }

    function _dataId(uint256 dice) internal view returns (bytes32) {
        return dice % 8 == 0 ? keccak256("unknown") : _data[dice % OWNERS].id;
    }

    function _operation(uint256 dice) internal pure returns (bytes32) {
        return bytes32(1 + (dice % 2));
    }

    function _timeNear(uint256 dice) internal view returns (uint64) {
        return _time + uint64(dice % 400) - 200;
    }
}
