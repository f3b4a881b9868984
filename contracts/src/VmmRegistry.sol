// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {History} from "./History.sol";
import {TpmQuote} from "./TpmQuote.sol";
import {IHostRegistry} from "./interfaces/IHostRegistry.sol";
import {IVmmRegistry} from "./interfaces/IVmmRegistry.sol";
import {Host, HostStatus, Quote, Vmm, VmmStatus} from "./interfaces/Types.sol";

/// @title The measurements. See IVmmRegistry.
contract VmmRegistry is IVmmRegistry {
    using History for Checkpoints.Trace208;

    bytes32 private constant PURPOSE = keccak256("attestry/quote/vmm");

    IHostRegistry private immutable HOSTS;

    uint32 public immutable override threshold;
    mapping(address account => bool) public override isApprover;
    mapping(bytes32 vmmHash => Vmm) private _vmms;
    mapping(bytes32 vmmHash => Checkpoints.Trace208 statuses) private _statuses;
    mapping(bytes32 vmmHash => mapping(uint32 epoch => mapping(address approver => bool))) private _approved;

    constructor(IHostRegistry hosts, address[] memory approvers, uint32 threshold_) {
        require(threshold_ > 0 && threshold_ <= approvers.length, ThresholdInvalid(approvers.length, threshold_));
        for (uint256 i = 0; i < approvers.length; ++i) {
            require(approvers[i] != address(0), NotApprover(address(0)));
            require(!isApprover[approvers[i]], ApproverDuplicate(approvers[i]));
            isApprover[approvers[i]] = true;
        }
        HOSTS = hosts;
        threshold = threshold_;
    }

    modifier onlyApprover() {
        require(isApprover[msg.sender], NotApprover(msg.sender));
        _;
    }

    // -------------------------------------------------------------------------
    // Proposals and approvals
    // -------------------------------------------------------------------------

    /// @inheritdoc IVmmRegistry
    function propose(
        bytes32 hostId,
        bytes32 manifestHash,
        uint64 anchorBlock,
        Quote calldata quote
    ) external returns (bytes32 vmmHash) {
        Host memory host = HOSTS.host(hostId);
        require(host.status == HostStatus.Active, HostNotActive(hostId));
        TpmQuote.Attested memory attested = TpmQuote.verify(
            quote,
            TpmQuote.AttestationKey(host.akX, host.akY, host.akQualifiedName),
            TpmQuote.qualifyingData(PURPOSE, hostId, manifestHash, anchorBlock)
        );
        TpmQuote.requireMeaningful(attested.selection);

        vmmHash = attested.vmmHash;
        Vmm storage v = _vmms[vmmHash];
        require(v.status == VmmStatus.None || v.status == VmmStatus.Revoked, VmmStatusIs(vmmHash, v.status));
        uint32 epoch = v.epoch + 1;
        _vmms[vmmHash] = Vmm({
            status: VmmStatus.Proposed,
            epoch: epoch,
            approvals: 0,
            authorisedAt: 0,
            revokedAt: 0,
            manifestHash: manifestHash
        });
        _statuses[vmmHash].set(uint8(VmmStatus.Proposed));
        emit VmmProposed(vmmHash, hostId, epoch, manifestHash, TpmQuote.quoteInfo(quote.attest));
    }

    /// @inheritdoc IVmmRegistry
    function approve(bytes32 vmmHash, uint32 epoch) external onlyApprover {
        Vmm storage v = _vmms[vmmHash];
        require(v.epoch == epoch, EpochIs(vmmHash, v.epoch));
        require(!_approved[vmmHash][epoch][msg.sender], AlreadyApproved(vmmHash, msg.sender));
        require(v.status == VmmStatus.Proposed, VmmStatusIs(vmmHash, v.status));
        _approved[vmmHash][epoch][msg.sender] = true;
        uint32 approvals = v.approvals + 1;
        v.approvals = approvals;
        if (approvals >= threshold) {
            v.status = VmmStatus.Authorised;
            v.authorisedAt = uint64(block.number);
            _statuses[vmmHash].set(uint8(VmmStatus.Authorised));
        }
        emit VmmApproved(vmmHash, msg.sender, epoch, approvals, v.status);
    }

    /// @inheritdoc IVmmRegistry
    function revoke(bytes32 vmmHash) external onlyApprover {
        Vmm storage v = _vmms[vmmHash];
        require(v.status == VmmStatus.Proposed || v.status == VmmStatus.Authorised, VmmStatusIs(vmmHash, v.status));
        v.status = VmmStatus.Revoked;
        v.revokedAt = uint64(block.number);
        _statuses[vmmHash].set(uint8(VmmStatus.Revoked));
        emit VmmRevoked(vmmHash, msg.sender, v.epoch);
    }

    // -------------------------------------------------------------------------
    // Views
    // -------------------------------------------------------------------------

    /// @inheritdoc IVmmRegistry
    function vmm(bytes32 vmmHash) external view returns (Vmm memory) {
        return _vmms[vmmHash];
    }

    /// @inheritdoc IVmmRegistry
    function isAuthorised(bytes32 vmmHash) external view returns (bool) {
        return _vmms[vmmHash].status == VmmStatus.Authorised;
    }

    /// @inheritdoc IVmmRegistry
    function wasAuthorised(bytes32 vmmHash, uint64 asOf) external view returns (bool) {
        return VmmStatus(_statuses[vmmHash].valueAt(asOf)) == VmmStatus.Authorised;
    }
}
