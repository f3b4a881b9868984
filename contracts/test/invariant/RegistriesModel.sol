// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Model} from "./Model.sol";
import {Wallet} from "../harness/Wallet.sol";
import {IDecisions} from "../../src/interfaces/IDecisions.sol";
import {Host, HostStatus, SignedApproval, Vmm, VmmStatus} from "../../src/interfaces/Types.sol";

/// @title The two registries beside a model of them, kept in plain lists; what is done to both is in RegistriesActions.
abstract contract RegistriesModel is Model {
    struct Change {
        uint64 inBlock;
        uint8 status;
        uint64 validUntil;
    }

    struct HostModel {
        uint8 status;
        uint256 ledgerKey;
        uint256 previousKey;
        uint64 previousUntil;
        uint256 akKey;
        uint64 akReplacedIn;
        Change[] changes;
    }

    struct VmmModel {
        uint8 status;
        bool isProven;
        uint32 epoch;
        uint64 validUntil;
        bytes32 manifestHash;
        uint64 quotesFrom;
        Change[] changes;
    }

    /// @dev A call with a quote that was taken.
    struct Taken {
        address sender;
        address target;
        bytes data;
    }

    /// @dev An attempt at a decision, and who would be counted by it.
    struct Ballot {
        address sender;
        SignedApproval[] approvals;
        address[] counted;
        bool isTaken;
    }

    uint256 internal constant TPMS = 4;
    uint256 internal constant KEYS = 10;
    uint256 internal constant VMMS = 3;
    /// @dev Six keys, a contract, and one who never is an approver.
    uint256 internal constant VOTERS = 8;
    uint256 internal constant WALLET_KEY = 77;
    uint256 internal constant WALLET = 6;

    // Made once: keys are slow to make.
    address[] internal _voters;
    address[] internal _addresses;
    bytes[] internal _akPublics;
    bytes32[] internal _akQualifiedNames;

    uint32 internal _term;
    uint32 internal _threshold;
    address[] internal _list;
    mapping(bytes32 ballotBox => address[]) internal _counted;

    mapping(address account => bool) internal _isRegistrar;
    mapping(address account => uint64) internal _nonces;

    mapping(uint256 tpm => HostModel) internal _hosts;
    mapping(uint256 ledgerKey => uint256 tpm) internal _tpmOfKey;
    mapping(uint256 akKey => uint256 tpm) internal _tpmOfAk;
    mapping(uint256 vmm => VmmModel) internal _vmms;
    Taken[] internal _taken;

    constructor() {
        deployRegistries();
        for (uint256 i = 0; i < VOTERS; ++i) {
            _voters.push(i == WALLET ? address(new Wallet(VM.addr(WALLET_KEY))) : VM.addr(0xa1 + i));
        }
        for (uint256 key = 0; key <= KEYS; ++key) {
            Tpm memory tpm;
            if (key > 0) useLedgerKey(useAk(tpm, key), key);
            _addresses.push(tpm.ledgerAddress);
            _akPublics.push(tpm.akPublic);
            _akQualifiedNames.push(tpm.qualifiedName);
        }
        startClock();
        (_term, _threshold, _list) = (1, 2, approvers());
        (_isRegistrar[REGISTRAR], _nonces[REGISTRAR]) = (true, 1);
    }

    // -------------------------------------------------------------------------
    // Comparison
    // -------------------------------------------------------------------------

    function compareNow() internal view override {
        for (uint256 n = 1; n <= TPMS; ++n) _compareHost(n);
        for (uint256 m = 1; m <= VMMS; ++m) _compareVmm(m);
        uint256 key = _keyInTurn();
        uint256 holder = _tpmOfKey[key];
        equal(hosts.hostOf(_addresses[key]), holder == 0 ? bytes32(0) : _hostId(holder), "hostOf");
        for (uint256 i = 0; i < 3; ++i) {
            address account = _registrar(i);
            isTrue(hosts.isRegistrar(account) == _isRegistrar[account], "registrar");
            equal(hosts.registrarNonce(account), _nonces[account], "nonce");
        }
        equal(vmms.term(), _term, "term");
        equal(vmms.threshold(), _threshold, "threshold");
        isTrue(_threshold >= 1 && _threshold <= vmms.approvers().length, "n >= k >= 1");
        equal(keccak256(abi.encode(vmms.approvers())), keccak256(abi.encode(_list)), "approvers");
        for (uint256 i = 0; i < VOTERS; ++i) {
            isTrue(vmms.isApprover(_voters[i]) == _isIn(_list, _voters[i]), "approver");
        }
    }

    /// @dev The past is as it was, asked of every block around every change.
    function compareAtEnd() external override inTime {
        for (uint256 n = 1; n <= TPMS; ++n) {
            for (uint256 i = 0; i < _hosts[n].changes.length; ++i) {
                uint64 changed = _hosts[n].changes[i].inBlock;
                for (uint64 asOf = changed - 1; asOf <= changed + 1; ++asOf) {
                    (HostStatus status, ) = hosts.standingAt(_hostId(n), asOf);
                    equal(uint8(status), _standing(_hosts[n].changes, asOf).status, "host's past");
                }
            }
        }
        for (uint256 m = 1; m <= VMMS; ++m) {
            for (uint256 i = 0; i < _vmms[m].changes.length; ++i) {
                uint64 changed = _vmms[m].changes[i].inBlock;
                for (uint64 asOf = changed - 1; asOf <= changed + 1; ++asOf) {
                    (VmmStatus status, uint64 validUntil) = vmms.standingAt(_vmmHash(m), asOf);
                    Change memory expected = _standing(_vmms[m].changes, asOf);
                    equal(uint8(status), expected.status, "VMM's past");
                    equal(validUntil, expected.validUntil, "VMM's past end");
                }
            }
        }
    }

    function _compareHost(uint256 n) internal view {
        HostModel storage h = _hosts[n];
        Host memory host = hosts.host(_hostId(n));
        equal(uint8(host.status), h.status, "host's status");
        if (h.status == 0) return;
        equal(host.since, h.changes[h.changes.length - 1].inBlock, "host's since");
        equal(host.ledgerAddress, _addresses[h.ledgerKey], "ledger address");
        equal(host.previousUntil, h.previousUntil, "previous until");
        equal(host.previousAddress, _addresses[h.previousKey], "previous address");
        equal(host.akQualifiedName, _akQualifiedNames[h.akKey], "AK");
        _compareSpeaker(n, h.ledgerKey);
        _compareSpeaker(n, h.previousKey);
        _compareSpeaker(n, _keyInTurn());
    }

    function _compareSpeaker(uint256 n, uint256 key) internal view {
        HostModel storage h = _hosts[n];
        (, , bool maySpeak) = hosts.attester(_hostId(n), _addresses[key]);
        bool isPrevious = key == h.previousKey && _block <= h.previousUntil;
        isTrue(maySpeak == (key != 0 && (key == h.ledgerKey || isPrevious)), "may speak");
    }

    function _compareVmm(uint256 m) internal view {
        VmmModel storage v = _vmms[m];
        Vmm memory vmm = vmms.vmm(_vmmHash(m));
        equal(uint8(vmm.status), v.status, "VMM's status");
        equal(vmm.epoch, v.epoch, "epoch");
        equal(vmm.manifestHash, v.manifestHash, "manifest");
        equal(vmm.validUntil, v.validUntil, "validUntil");
        isTrue(vmm.isProven == v.isProven, "isProven");
        isTrue(vmms.isAuthorised(_vmmHash(m)) == (v.status == 2 && _time <= v.validUntil), "authorised");
    }

    function _standing(Change[] storage changes, uint64 asOf) internal view returns (Change memory standing) {
        for (uint256 i = 0; i < changes.length && changes[i].inBlock <= asOf; ++i) standing = changes[i];
    }

    // -------------------------------------------------------------------------
    // Ballots
    // -------------------------------------------------------------------------

    /// @dev A sender and up to three signatures, of which some are bad, late, or of another term.
    function _ballot(address contract_, bytes memory members, uint256 seed) internal view returns (Ballot memory b) {
        bytes32 box = keccak256(abi.encode(contract_, members, _term));
        b.sender = _voter(seed);
        b.approvals = new SignedApproval[]((seed >> 8) % 4);
        b.counted = new address[](4);
        uint256 count = 0;
        bool anybody = _isIn(_list, b.sender);
        bool isBad = false;
        if (anybody && !_isIn(_counted[box], b.sender)) b.counted[count++] = b.sender;
        for (uint256 i = 0; i < b.approvals.length; ++i) {
            uint256 choice = (seed >> (16 + 24 * i)) & 0xffffff;
            bool isGood;
            (b.approvals[i], isGood) = _approval(contract_, members, choice);
            address approver = b.approvals[i].approver;
            if (!_isIn(_list, approver)) continue;
            anybody = true;
            if (_isIn(_counted[box], approver) || _isAmong(b.counted, approver)) continue;
            b.counted[count++] = approver;
            if (!isGood) isBad = true;
        }
        b.isTaken = anybody && !isBad && count > 0;
    }

    function _approval(
        address contract_,
        bytes memory members,
        uint256 choice
    ) internal view returns (SignedApproval memory approval, bool isGood) {
        uint256 index = choice % VOTERS;
        uint256 fault = (choice >> 8) % 16;
        uint64 deadline = fault == 1 ? _time - 1 : _time;
        uint256 key = index == WALLET ? WALLET_KEY : 0xa1 + index;
        if (fault == 2) key = 0xa1 + ((index + 1) % 6);
        // Signed by the right key, but for another account.
        address named = fault == 4 ? _voters[(index + 1) % VOTERS] : _voters[index];
        bytes32 digest = approvalDigest(contract_, members, named, fault == 3 ? _term - 1 : _term, deadline);
        approval = SignedApproval(_voters[index], deadline, signedBy(key, digest));
        isGood = fault == 0 || fault > 4;
    }

    /// @dev Counts them, and says whether they are k of the present term's approvers.
    function _completes(address contract_, bytes memory members, Ballot memory b) internal returns (bool) {
        address[] storage counted = _counted[keccak256(abi.encode(contract_, members, _term))];
        for (uint256 i = 0; i < b.counted.length; ++i) {
            if (b.counted[i] == address(0)) continue;
            isTrue(_isIn(_list, b.counted[i]) && !_isIn(counted, b.counted[i]), "a new approver's");
            counted.push(b.counted[i]);
        }
        uint32 approvals = IDecisions(contract_).approvalsOf(decisionOf(members, _term));
        // A decision that began a new term has none in that.
        if (vmms.term() == _term) equal(approvals, counted.length, "approvals");
        return counted.length >= _threshold;
    }

    // -------------------------------------------------------------------------
    // Parts
    // -------------------------------------------------------------------------

    /// @dev After each action another key is compared, as all of them would be slow.
    function _keyInTurn() internal view returns (uint256) {
        return 1 + (_turn % KEYS);
    }

    function _becomes(uint256 n, uint8 status) internal {
        _hosts[n].status = status;
        _hosts[n].changes.push(Change(_block, status, 0));
    }

    function _becomesVmm(uint256 m, uint8 status) internal {
        _vmms[m].status = status;
        _vmms[m].changes.push(Change(_block, status, _vmms[m].validUntil));
    }

    function _begins(uint256 m, bytes32 manifestHash) internal {
        VmmModel storage v = _vmms[m];
        if (v.status == 2) reached["expire"]++;
        (v.epoch, v.validUntil, v.manifestHash) = (v.epoch + 1, 0, manifestHash);
        _becomesVmm(m, 1);
    }

    function _isVacant(VmmModel storage v) internal view returns (bool) {
        return v.status == 0 || v.status == 3 || (v.status == 2 && _time > v.validUntil);
    }

    function _make(uint256 n, uint256 akKey, uint256 ledgerKey) internal view returns (Tpm memory) {
        return
            Tpm({
                ekPublic: abi.encodePacked("EK ", n),
                akPublic: _akPublics[akKey],
                hostId: _hostId(n),
                qualifiedName: _akQualifiedNames[akKey],
                akKey: akKey,
                ledgerKey: ledgerKey,
                ledgerAddress: _addresses[ledgerKey]
            });
    }

    function _hostId(uint256 n) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("EK ", n));
    }

    function _vmmHash(uint256 m) internal pure returns (bytes32) {
        return keccak256(quoteInfoOf(PCR_13, bytes32(m)));
    }

    function _tpm(uint256 seed) internal pure returns (uint256) {
        return 1 + (seed % TPMS);
    }

    function _vmm(uint256 seed) internal pure returns (uint256) {
        return 1 + (seed % VMMS);
    }

    function _akKey(uint256 seed) internal pure returns (uint256) {
        return 1 + (seed % KEYS);
    }

    function _ledgerKey(uint256 seed) internal pure returns (uint256) {
        return 1 + (seed % KEYS);
    }

    function _registrar(uint256 i) internal pure returns (address) {
        return address(uint160(REGISTRAR) + uint160(i));
    }

    /// @dev The first registrar half of the time; otherwise one of two who may become registrars, or an approver.
    function _registrarOrOther(uint256 seed) internal pure returns (address) {
        uint256 choice = seed % 8;
        return choice < 7 ? _registrar(choice < 4 ? 0 : choice % 3) : APPROVER_1;
    }

    /// @dev Three times of four one of the present approvers.
    function _voter(uint256 seed) internal view returns (address) {
        return seed % 4 == 0 ? _voters[(seed >> 2) % VOTERS] : _list[(seed >> 2) % _list.length];
    }

    function _isIn(address[] storage list, address account) internal view returns (bool) {
        for (uint256 i = 0; i < list.length; ++i) if (list[i] == account) return true;
        return false;
    }

    function _isAmong(address[] memory list, address account) internal pure returns (bool) {
        for (uint256 i = 0; i < list.length; ++i) if (list[i] == account) return true;
        return false;
    }
}
