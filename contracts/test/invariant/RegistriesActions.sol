// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RegistriesModel} from "./RegistriesModel.sol";
import {Assurance, Quote} from "../../src/interfaces/Types.sol";

/// @title What the fuzzer does to the registries and their model.
/// @notice Each action makes one call, right or wrong as its seed has it, and foretells whether it is taken. Who acts is anybody:
/// approvers of the present term and of former ones, a contract among them, registrars, dismissed ones, and outsiders.
contract RegistriesActions is RegistriesModel {
    // -------------------------------------------------------------------------
    // Time
    // -------------------------------------------------------------------------

    function pass(uint256 seed) external {
        _block += 1 + uint64(seed % 20);
        _time += uint64(seed >> 64) % 300;
    }

    // -------------------------------------------------------------------------
    // Hosts. TPMs and keys are counted from 1, so that 0 is none.
    // -------------------------------------------------------------------------

    function register(uint256 seed) external inTime {
        (uint256 n, uint256 akKey, uint256 ledgerKey) = (_tpm(seed), _akKey(seed >> 16), _ledgerKey(seed >> 32));
        Tpm memory tpm = _make(n, akKey, ledgerKey);
        address sender = _registrarOrOther(seed >> 48);
        bool isTaken =
            _isRegistrar[sender] && _hosts[n].status == 0 && _tpmOfKey[ledgerKey] == 0 && _tpmOfAk[akKey] == 0;
        Quote memory quote = registrationQuote(tpm);
        bytes memory data = abi.encodeCall(
            hosts.register,
            (registrationOf(tpm, Assurance.Software), _block - 1, quote, consent(tpm))
        );
        if (!calls("register", sender, address(hosts), data, isTaken)) return;
        _taken.push(Taken(sender, address(hosts), data));
        (_tpmOfKey[ledgerKey], _tpmOfAk[akKey]) = (n, n);
        (_hosts[n].ledgerKey, _hosts[n].akKey) = (ledgerKey, akKey);
        _becomes(n, 1);
    }

    function rotateAddress(uint256 seed) external inTime {
        uint256 n = _tpm(seed);
        HostModel storage h = _hosts[n];
        uint256 akKey = seed & (7 << 100) == 0 ? _akKey(seed >> 16) : h.akKey;
        uint256 fromKey = seed & (7 << 104) == 0 || h.ledgerKey == 0 ? _ledgerKey(seed >> 32) : h.ledgerKey;
        uint256 toKey = _ledgerKey(seed >> 48);
        uint64 overlap = seed & (7 << 108) == 0 ? 100_001 : uint64(seed >> 64) % 15;
        if (akKey == 0) akKey = _akKey(seed >> 16);
        Tpm memory tpm = _make(n, akKey, fromKey);
        bool isTaken =
            (h.status == 1 || h.status == 2) &&
                akKey == h.akKey &&
                fromKey == h.ledgerKey &&
                _tpmOfKey[toKey] == 0 &&
                overlap <= 100_000 &&
                _block > h.previousUntil;
        bytes memory data = _rotation(tpm, toKey, overlap);
        if (!calls("rotateAddress", address(this), address(hosts), data, isTaken)) return;
        _taken.push(Taken(address(this), address(hosts), data));
        _tpmOfKey[toKey] = n;
        (h.previousKey, h.ledgerKey, h.previousUntil) = (fromKey, toKey, _block + overlap);
    }

    /// @dev The new key may sign what it signs when a host is entered, which is not enough.
    function replaceAddress(uint256 seed) external inTime {
        uint256 n = _tpm(seed);
        HostModel storage h = _hosts[n];
        uint256 akKey = h.akKey == 0 || seed & (7 << 100) == 0 ? _akKey(seed >> 16) : h.akKey;
        uint256 fromKey = h.ledgerKey == 0 || seed & (7 << 104) == 0 ? _ledgerKey(seed >> 32) : h.ledgerKey;
        uint256 toKey = _ledgerKey(seed >> 64);
        address sender = _registrarOrOther(seed >> 48);
        bool isClaim = seed & (15 << 108) == 0;
        bool isTaken =
            _isRegistrar[sender] &&
                h.status == 2 &&
                akKey == h.akKey &&
                fromKey == h.ledgerKey &&
                _tpmOfKey[toKey] == 0 &&
                !isClaim;
        bytes memory data = _replacement(_make(n, akKey, fromKey), toKey, isClaim);
        if (!calls("replaceAddress", sender, address(hosts), data, isTaken)) return;
        _taken.push(Taken(sender, address(hosts), data));
        _tpmOfKey[toKey] = n;
        (h.previousKey, h.ledgerKey, h.previousUntil) = (fromKey, toKey, 0);
    }

    function replaceAk(uint256 seed) external inTime {
        uint256 n = _tpm(seed);
        HostModel storage h = _hosts[n];
        uint256 akKey = _akKey(seed >> 16);
        address sender = _registrarOrOther(seed >> 48);
        Tpm memory tpm = _make(n, akKey, h.ledgerKey == 0 ? _ledgerKey(seed >> 32) : h.ledgerKey);
        Quote memory quote = makeQuote(tpm, REPLACE_AK, address(hosts), bondOf(tpm));
        bytes memory data = abi.encodeCall(hosts.replaceAk, (tpm.hostId, _block - 1, quote, consent(tpm)));
        bool isTaken =
            _isRegistrar[sender] &&
                (h.status == 1 || h.status == 2) &&
                (_tpmOfAk[akKey] == 0 || _tpmOfAk[akKey] == n) &&
                akKey != h.akKey &&
                _block - 1 >= h.akReplacedIn;
        if (!calls("replaceAk", sender, address(hosts), data, isTaken)) return;
        _taken.push(Taken(sender, address(hosts), data));
        (_tpmOfAk[akKey], h.akKey, h.akReplacedIn) = (n, akKey, _block);
    }

    function suspend(uint256 seed) external inTime {
        uint256 n = _tpm(seed);
        address sender = seed & (1 << 32) == 0 ? _registrarOrOther(seed >> 48) : _voter(seed >> 48);
        bool isTaken = (_isRegistrar[sender] || _isIn(_list, sender)) && _hosts[n].status == 1;
        bytes memory data = abi.encodeCall(hosts.suspend, (_hostId(n)));
        if (calls("suspend", sender, address(hosts), data, isTaken)) _becomes(n, 2);
    }

    function reinstate(uint256 seed) external inTime {
        uint256 n = _tpm(seed);
        address sender = _registrarOrOther(seed >> 48);
        bytes memory data = abi.encodeCall(hosts.reinstate, (_hostId(n)));
        bool isTaken = _isRegistrar[sender] && _hosts[n].status == 2;
        if (calls("reinstate", sender, address(hosts), data, isTaken)) _becomes(n, 1);
    }

    function retire(uint256 seed) external inTime {
        if (seed % 4 != 0) return; // or few hosts would live
        uint256 n = _tpm(seed >> 8);
        address sender = _registrarOrOther(seed >> 48);
        bytes memory data = abi.encodeCall(hosts.retire, (_hostId(n)));
        bool isTaken = _isRegistrar[sender] && (_hosts[n].status == 1 || _hosts[n].status == 2);
        if (calls("retire", sender, address(hosts), data, isTaken)) _becomes(n, 3);
    }

    /// @notice The very same call again, at any time later: no quote has an effect twice.
    function replay(uint256 seed) external inTime {
        if (_taken.length == 0) return;
        Taken memory again = _taken[seed % _taken.length];
        calls("replay", again.sender, again.target, again.data, false);
        reached["replay"]++;
    }

    // -------------------------------------------------------------------------
    // VMMs
    // -------------------------------------------------------------------------

    function propose(uint256 seed) external inTime {
        (uint256 n, uint256 m) = (_tpm(seed), _vmm(seed >> 16));
        HostModel storage h = _hosts[n];
        VmmModel storage v = _vmms[m];
        uint256 akKey = h.akKey == 0 || seed & (7 << 100) == 0 ? _akKey(seed >> 32) : h.akKey;
        bytes32 manifestHash = seed & (3 << 104) == 0 ? keccak256("another") : MANIFEST;
        tpmState.pcrDigest = bytes32(m);
        Quote memory quote = makeQuote(_make(n, akKey, _ledgerKey(seed)), VMM, address(vmms), manifestHash);
        bool isVacant = _isVacant(v);
        bool isTaken =
            h.status == 1 &&
                akKey == h.akKey &&
                (isVacant || (!v.isProven && v.manifestHash == manifestHash)) &&
                _block - 1 >= v.quotesFrom;
        bytes memory data = abi.encodeCall(vmms.propose, (_hostId(n), manifestHash, _block - 1, quote));
        if (!calls(isVacant ? "propose" : "prove", address(this), address(vmms), data, isTaken)) return;
        _taken.push(Taken(address(this), address(vmms), data));
        v.quotesFrom = _block;
        if (isVacant) _begins(m, manifestHash);
        v.isProven = true;
    }

    function predict(uint256 seed) external inTime {
        uint256 m = _vmm(seed);
        address sender = _voter(seed >> 16);
        bool isTaken = _isIn(_list, sender) && _isVacant(_vmms[m]);
        bytes memory data = abi.encodeCall(vmms.predict, (quoteInfoOf(PCR_13, bytes32(m)), MANIFEST));
        if (!calls("predict", sender, address(vmms), data, isTaken)) return;
        _begins(m, MANIFEST);
        _vmms[m].isProven = false;
        _vmms[m].quotesFrom = _block;
    }

    function approve(uint256 seed) external inTime {
        uint256 m = _vmm(seed);
        VmmModel storage v = _vmms[m];
        bytes32 vmmHash = _vmmHash(m);
        uint32 epoch = seed & (7 << 100) == 0 && v.epoch > 0 ? v.epoch - 1 : v.epoch;
        // Few different ends, so that approvals meet.
        uint64 validUntil = seed & (1 << 104) == 0 ? NO_END : (_time / 600 + (uint64(seed >> 105) % 3)) * 600;
        bytes32 manifestHash = seed & (7 << 107) == 0 || v.manifestHash == 0 ? keccak256("signed") : v.manifestHash;
        bytes memory members = vmmApproval(vmmHash, epoch, manifestHash, validUntil);
        Ballot memory ballot = _ballot(address(vmms), members, seed >> 128);
        bool isTaken =
            epoch == v.epoch &&
                v.status == 1 &&
                manifestHash == v.manifestHash &&
                validUntil >= _time &&
                ballot.isTaken;
        bytes memory data = abi.encodeCall(vmms.approve, (vmmHash, epoch, manifestHash, validUntil, ballot.approvals));
        if (!calls("approve", ballot.sender, address(vmms), data, isTaken)) return;
        if (!_completes(address(vmms), members, ballot)) return;
        v.validUntil = validUntil;
        reached["authorise"]++;
        _becomesVmm(m, 2);
    }

    function revoke(uint256 seed) external inTime {
        uint256 m = _vmm(seed);
        address sender = _voter(seed >> 16);
        uint8 status = _vmms[m].status;
        bool isTaken = _isIn(_list, sender) && (status == 1 || status == 2);
        bytes memory data = abi.encodeCall(vmms.revoke, (_vmmHash(m)));
        if (calls("revoke", sender, address(vmms), data, isTaken)) _becomesVmm(m, 3);
    }

    // -------------------------------------------------------------------------
    // Approvers and registrars
    // -------------------------------------------------------------------------

    /// @dev Few different sets, so that approvals meet; some of them make no sense.
    function changeApprovers(uint256 seed) external inTime {
        uint32 term = seed & (7 << 100) == 0 ? _term - 1 : _term;
        address[] memory list = new address[](seed % 6);
        for (uint256 i = 0; i < list.length; ++i) list[i] = _voters[(i + ((seed >> 8) % 2)) % 7];
        bool hasDuplicate = seed & (15 << 104) == 0 && list.length > 1;
        if (hasDuplicate) list[0] = list[1];
        uint32 threshold = uint32(list.length / 2 + ((seed >> 16) % 2));
        bytes memory members = approversChange(list, threshold);
        Ballot memory ballot = _ballot(address(vmms), members, seed >> 128);
        bool isTaken = term == _term && !hasDuplicate && threshold > 0 && threshold <= list.length && ballot.isTaken;
        bytes memory data = abi.encodeCall(vmms.changeApprovers, (list, threshold, term, ballot.approvals));
        if (!calls("changeApprovers", ballot.sender, address(vmms), data, isTaken)) return;
        if (!_completes(address(vmms), members, ballot)) return;
        (_list, _threshold, _term) = (list, threshold, _term + 1);
        reached["newTerm"]++;
    }

    function changeRegistrar(uint256 seed) external inTime {
        address registrar = _registrarOrOther(seed);
        bool isRegistrar = !_isRegistrar[registrar];
        if (seed & (7 << 96) == 0) isRegistrar = !isRegistrar;
        uint64 nonce = _nonces[registrar];
        if (seed & (7 << 100) == 0 && nonce > 0) nonce--;
        bytes memory members = registrarChange(registrar, isRegistrar, nonce);
        Ballot memory ballot = _ballot(address(hosts), members, seed >> 128);
        bool isTaken = nonce == _nonces[registrar] && isRegistrar != _isRegistrar[registrar] && ballot.isTaken;
        bytes memory data = abi.encodeCall(hosts.changeRegistrar, (registrar, isRegistrar, nonce, ballot.approvals));
        if (!calls("changeRegistrar", ballot.sender, address(hosts), data, isTaken)) return;
        if (!_completes(address(hosts), members, ballot)) return;
        _isRegistrar[registrar] = isRegistrar;
        _nonces[registrar]++;
        reached[isRegistrar ? "appoint" : "dismiss"]++;
    }

    // -------------------------------------------------------------------------

    function _replacement(Tpm memory tpm, uint256 toKey, bool isClaim) private returns (bytes memory) {
        address to = _addresses[toKey];
        Quote memory quote = replacementQuote(tpm, to);
        bytes memory signature = signedBy(toKey, replacementDigest(tpm, to));
        if (isClaim) signature = consent(useLedgerKey(tpm, toKey));
        return abi.encodeCall(hosts.replaceAddress, (tpm.hostId, to, _block - 1, quote, signature));
    }

    function _rotation(Tpm memory tpm, uint256 toKey, uint64 overlap) private returns (bytes memory) {
        address to = _addresses[toKey];
        Quote memory quote = rotationQuote(tpm, to, overlap);
        bytes32 digest = rotationDigest(tpm, to, overlap);
        return
            abi.encodeCall(
                hosts.rotateAddress,
                (tpm.hostId, to, overlap, _block - 1, quote, signedBy(tpm.ledgerKey, digest), signedBy(toKey, digest))
            );
    }
}
