// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {QuoteHarness} from "./harness/QuoteHarness.sol";
import {Record, Records} from "./support/Records.sol";
import {Rig} from "./support/Rig.sol";
import {IAccessPolicy} from "../src/interfaces/IAccessPolicy.sol";
import {Assurance, BatchHeader, Grant, Quote, RecordBody, RecordContext} from "../src/interfaces/Types.sol";

/// @title The worked examples of docs/formats.md, against the contracts as they are deployed.
contract VectorsTest is Rig {
    string private vectors;

    function setUp() public {
        deployAll();
        vectors = VM.readFile("test/vectors/formats.json");
        equal(block.chainid, _uint(".chainId"), "chain id");
    }

    function test_identifiers() public {
        equal(sha256(_bytes(".identifiers.hostId.ekPublic")), _hash(".identifiers.hostId.id"), "hostId");
        equal(keccak256(_bytes(".identifiers.vmmHash.quoteInfo")), _hash(".identifiers.vmmHash.id"), "vmmHash");
        VM.prank(_address(".identifiers.dataId.owner"));
        bytes32 dataId = policy.registerData(_hash(".identifiers.dataId.salt"));
        equal(dataId, _hash(".identifiers.dataId.id"), "dataId");
        for (uint256 i = 0; i < 2; ++i) {
            string memory at_ = string.concat(".identifiers.operationId[", VM.toString(i), "]");
            bytes32 id = keccak256(abi.encodePacked("attestry/op/", _string(string.concat(at_, ".name")), "/1"));
            equal(id, _hash(string.concat(at_, ".id")), "operationId");
        }
    }

    function test_theAttestationKeysQualifiedName() public {
        QuoteHarness harness = QuoteHarness(deploy("harness/QuoteHarness", ""));
        bytes32 qualifiedName = harness.requireAttestationKey(_bytes(".attestationKey.akPublic"));
        equal(
            keccak256(abi.encodePacked(hex"000b", qualifiedName)),
            keccak256(_bytes(".attestationKey.qualifiedName")),
            "qualified name"
        );
    }

    function test_theIdOfAGrant() public {
        address at_ = _address(".contracts.accessPolicy");
        VM.etch(at_, address(policy).code);
        equal(IAccessPolicy(at_).grantId(_grant(".grant.grant")), _hash(".grant.id"), "grantId");
    }

    function test_theHashOfARequest() public view {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "OperationRequest(bytes32 operationId,bytes32 dataId,bytes32 grantId,bytes32 inputHash,bytes32 hostId,bytes32 nonce,uint64 expiry)"
                ),
                _hash(".request.request.operationId"),
                _hash(".request.request.dataId"),
                _hash(".request.request.grantId"),
                _hash(".request.request.inputHash"),
                _hash(".request.request.hostId"),
                _hash(".request.request.nonce"),
                _uint(".request.request.expiry")
            )
        );
        equal(typedDigest(_address(".contracts.auditLog"), structHash), _hash(".request.digest"), "requestHash");
    }

    function test_theDigestOfAReceipt() public view {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "ReceiptGroup(bytes32 hostId,bytes32 groupRoot,uint64 firstSeq,uint32 count,uint64 includeBy)"
                ),
                _hash(".receipt.group.hostId"),
                _hash(".receipt.group.groupRoot"),
                _uint(".receipt.group.firstSeq"),
                _uint(".receipt.group.count"),
                _uint(".receipt.group.includeBy")
            )
        );
        equal(typedDigest(_address(".contracts.auditLog"), structHash), _hash(".receipt.digest"), "digest");
        _isSigned(".receipt");
    }

    function test_theDigestOfALedgerAddressClaim() public view {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("LedgerAddressClaim(bytes32 hostId,bytes32 akHash)"),
                _hash(".claim.hostId"),
                keccak256(_bytes(".claim.akPublic"))
            )
        );
        equal(typedDigest(_address(".contracts.hostRegistry"), structHash), _hash(".claim.digest"), "digest");
        _isSigned(".claim");
    }

    function test_whatQuotesAreBoundTo() public {
        address harness = deploy("harness/QuoteHarness", "");
        VM.roll(2000);
        for (uint256 i = 0; i < 5; ++i) {
            string memory binding = string.concat(".bindings[", VM.toString(i), "]");
            address at_ = _address(string.concat(binding, ".contract"));
            VM.etch(at_, harness.code);
            VM.setBlockhash(1999, _hash(string.concat(binding, ".anchorBlockHash")));
            bytes32 data = QuoteHarness(at_).qualifyingData(
                keccak256(abi.encodePacked("attestry/quote/", _string(string.concat(binding, ".purpose")))),
                _hash(string.concat(binding, ".hostId")),
                _hash(string.concat(binding, ".payloadHash")),
                1999
            );
            equal(data, _hash(string.concat(binding, ".qualifyingData")), "qualifyingData");
        }
    }

    /// @dev The log itself hashes the records, the trees over them, the headers and the heads: it takes nothing else.
    function test_recordsTreesHeadersAndHeads() public {
        Tpm memory tpm = makeTpm(1);
        tpm.ekPublic = _bytes(".identifiers.hostId.ekPublic");
        tpm.hostId = sha256(tpm.ekPublic);
        enrol(tpm, Assurance.Software);
        for (uint256 i = 0; i < 2; ++i) {
            string memory at_ = string.concat(".headers[", VM.toString(i), "]");
            BatchHeader memory header = _header(string.concat(at_, ".header"));
            VM.roll(header.anchorBlock + 1);
            Quote memory quote = makeQuote(
                tpm,
                keccak256("attestry/quote/commit"),
                address(log),
                _hash(string.concat(at_, ".structHash"))
            );
            Record[] memory records = new Record[](header.count);
            for (uint256 j = 0; j < records.length; ++j) {
                records[j] = _record(string.concat(".records[", VM.toString(header.firstSeq + j), "].record"));
            }
            (RecordContext[] memory contexts, RecordBody[] memory bodies) = Records.split(records);
            VM.prank(tpm.ledgerAddress);
            log.commit(header, contexts, bodies, quote);
            equal(log.head(tpm.hostId), _hash(string.concat(at_, ".head")), "head");
        }
        equal(log.nextSeq(tpm.hostId), 9, "nextSeq");
        equal(log.batches(tpm.hostId), 2, "batches");
        for (uint8 height = 0; height < 2; ++height) {
            bytes32 peak = _hash(string.concat(".range.after2.peaks[", VM.toString(height), "]"));
            equal(log.peak(tpm.hostId, height), peak, "peak");
        }
    }

    function test_theDigestOfAnAddressRotation() public view {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("AddressRotation(bytes32 hostId,address from,address to,uint64 overlapBlocks)"),
                _hash(".rotation.rotation.hostId"),
                _address(".rotation.rotation.from"),
                _address(".rotation.rotation.to"),
                _uint(".rotation.rotation.overlapBlocks")
            )
        );
        equal(typedDigest(_address(".contracts.hostRegistry"), structHash), _hash(".rotation.digest"), "digest");
        _isSigned(".rotation");
    }

    function test_theDigestOfAnAddressReplacement() public view {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("AddressReplacement(bytes32 hostId,address from,address to)"),
                _hash(".replacement.replacement.hostId"),
                _address(".replacement.replacement.from"),
                _address(".replacement.replacement.to")
            )
        );
        equal(typedDigest(_address(".contracts.hostRegistry"), structHash), _hash(".replacement.digest"), "digest");
        _isSigned(".replacement");
    }

    function test_decisions() public view {
        uint64 deadline = uint64(_uint(".decisions[0].deadline"));
        bytes memory members = vmmApproval(
            _hash(".decisions[0].content.vmmHash"),
            uint32(_uint(".decisions[0].content.epoch")),
            _hash(".decisions[0].content.manifestHash"),
            uint64(_uint(".decisions[0].content.validUntil"))
        );
        _isDecision(0, ".contracts.vmmRegistry", members, deadline);
        address[] memory list = new address[](2);
        list[0] = _address(".decisions[1].content.approvers[0]");
        list[1] = _address(".decisions[1].content.approvers[1]");
        members = approversChange(list, uint32(_uint(".decisions[1].content.threshold")));
        _isDecision(1, ".contracts.vmmRegistry", members, deadline);
        members = registrarChange(
            _address(".decisions[2].content.registrar"),
            true,
            uint64(_uint(".decisions[2].content.nonce"))
        );
        _isDecision(2, ".contracts.hostRegistry", members, deadline);
    }

    function test_theHashesOfProofsOfFraud() public view {
        for (uint256 i = 0; i < 3; ++i) {
            string memory at_ = string.concat(".fraud[", VM.toString(i), "]");
            bytes32 proofHash = keccak256(
                abi.encode(
                    uint8(i + 1),
                    _hash(string.concat(at_, ".hostId")),
                    _uint(string.concat(at_, ".seq")),
                    _hash(string.concat(at_, ".digestA")),
                    _hash(string.concat(at_, ".digestB"))
                )
            );
            equal(proofHash, _hash(string.concat(at_, ".proofHash")), "proofHash");
        }
    }

    // -------------------------------------------------------------------------

    function _grant(string memory at_) private view returns (Grant memory g) {
        g.dataId = _hash(string.concat(at_, ".dataId"));
        g.grantee = _address(string.concat(at_, ".grantee"));
        g.operationId = _hash(string.concat(at_, ".operationId"));
        g.notBefore = uint64(_uint(string.concat(at_, ".notBefore")));
        g.notAfter = uint64(_uint(string.concat(at_, ".notAfter")));
        g.maxUses = uint64(_uint(string.concat(at_, ".maxUses")));
        g.vmmHash = _hash(string.concat(at_, ".vmmHash"));
        g.hostId = _hash(string.concat(at_, ".hostId"));
        g.minAssurance = uint8(_uint(string.concat(at_, ".minAssurance")));
        g.delegationDepth = uint8(_uint(string.concat(at_, ".delegationDepth")));
        g.parent = _hash(string.concat(at_, ".parent"));
        g.salt = _hash(string.concat(at_, ".salt"));
    }

    function _record(string memory at_) private view returns (Record memory r) {
        r.hostId = _hash(string.concat(at_, ".hostId"));
        r.seq = uint64(_uint(string.concat(at_, ".seq")));
        r.vmmHash = _hash(string.concat(at_, ".vmmHash"));
        r.operationId = _hash(string.concat(at_, ".operationId"));
        r.requester = _address(string.concat(at_, ".requester"));
        r.requestHash = _hash(string.concat(at_, ".requestHash"));
        r.dataId = _hash(string.concat(at_, ".dataId"));
        r.grantId = _hash(string.concat(at_, ".grantId"));
        r.policyBlock = uint64(_uint(string.concat(at_, ".policyBlock")));
        r.dataHash = _hash(string.concat(at_, ".dataHash"));
        r.resultHash = _hash(string.concat(at_, ".resultHash"));
        r.status = uint16(_uint(string.concat(at_, ".status")));
        r.timestamp = uint64(_uint(string.concat(at_, ".timestamp")));
    }

    function _header(string memory at_) private view returns (BatchHeader memory h) {
        h.hostId = _hash(string.concat(at_, ".hostId"));
        h.firstSeq = uint64(_uint(string.concat(at_, ".firstSeq")));
        h.count = uint32(_uint(string.concat(at_, ".count")));
        h.root = _hash(string.concat(at_, ".root"));
        h.prevHead = _hash(string.concat(at_, ".prevHead"));
        h.anchorBlock = uint64(_uint(string.concat(at_, ".anchorBlock")));
        h.nvCounter = uint64(_uint(string.concat(at_, ".nvCounter")));
    }

    function _isDecision(uint256 i, string memory contract_, bytes memory members, uint64 deadline) private view {
        string memory at_ = string.concat(".decisions[", VM.toString(i), "]");
        uint32 term = uint32(_uint(string.concat(at_, ".content.term")));
        equal(decisionOf(members, term), _hash(string.concat(at_, ".decision")), "decision");
        address approver = _address(string.concat(at_, ".approver"));
        bytes32 digest = approvalDigest(_address(contract_), members, approver, term, deadline);
        equal(digest, _hash(string.concat(at_, ".digest")), "digest");
    }

    function _isSigned(string memory at_) private view {
        bytes memory signature = _bytes(string.concat(at_, ".signature"));
        bytes32 r;
        bytes32 s;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        address signer = ecrecover(_hash(string.concat(at_, ".digest")), uint8(signature[64]), r, s);
        equal(signer, _address(string.concat(at_, ".signer")), "signer");
    }

    function _hash(string memory key) private view returns (bytes32) {
        return VM.parseJsonBytes32(vectors, key);
    }

    function _bytes(string memory key) private view returns (bytes memory) {
        return VM.parseJsonBytes(vectors, key);
    }

    function _address(string memory key) private view returns (address) {
        return VM.parseJsonAddress(vectors, key);
    }

    function _uint(string memory key) private view returns (uint256) {
        return VM.parseJsonUint(vectors, key);
    }

    function _string(string memory key) private view returns (string memory) {
        return VM.parseJsonString(vectors, key);
    }
}
