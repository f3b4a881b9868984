import { Interface } from 'ethers'
import type { ContractName } from './deployment.ts'

// The contracts' interfaces (contracts/src/interfaces), as text that can be read and compared. A test compares it with
// what the compiler gives.

const QUOTE = 'tuple(bytes attest, bytes32 r, bytes32 s)'

const GRANT =
  'tuple(bytes32 dataId, address grantee, bytes32 operationId, uint64 notBefore, uint64 notAfter, uint64 maxUses, ' +
  'bytes32 vmmHash, bytes32 hostId, uint8 minAssurance, uint8 delegationDepth, bytes32 parent, bytes32 salt)'

const RECORD =
  'tuple(bytes32 hostId, uint64 seq, bytes32 vmmHash, bytes32 operationId, address requester, bytes32 requestHash, ' +
  'bytes32 dataId, bytes32 grantId, uint64 policyBlock, bytes32 dataHash, bytes32 resultHash, uint16 status, uint64 timestamp)'

const BATCH_HEADER =
  'tuple(bytes32 hostId, uint64 firstSeq, uint32 count, bytes32 root, bytes32 prevHead, uint64 anchorBlock, uint64 nvCounter)'

/** What TpmQuote refuses a quote with, in whichever contract uses it. */
const QUOTE_ERRORS = [
  'error AttestLengthIs(uint256 length)',
  'error AttestNotQuote()',
  'error AttestMalformed()',
  'error SelectionUnsupported()',
  'error SignerIs(bytes32 qualifiedName)',
  'error BindingIs(bytes32 extraData)',
  'error AnchorOutOfReach(uint64 anchorBlock)',
  'error QuoteSignatureInvalid()',
]

/** OpenZeppelin's, from contracts with an EIP-712 domain. */
const STRING_ERRORS = ['error InvalidShortString()', 'error StringTooLong(string str)']

export const HOST_REGISTRY = new Interface([
  'constructor(address[] registrars)',
  `event HostRegistered(bytes32 indexed hostId, address indexed ledgerAddress, uint8 assurance, address registrar, uint64 anchorBlock, bytes ekPublic, bytes akPublic, bytes ekCertificate, ${QUOTE} quote)`,
  'event HostStatusChanged(bytes32 indexed hostId, uint8 status, address by)',
  'error NotRegistrar(address caller)',
  'error HostExists(bytes32 hostId)',
  'error HostUnknown(bytes32 hostId)',
  'error LedgerAddressTaken(address ledgerAddress)',
  'error LedgerAddressNotConsenting(address ledgerAddress)',
  'error AssuranceMissing()',
  'error StatusUnchangeable(uint8 from, uint8 to)',
  'error AttestationKeyUnsupported()',
  'error CheckpointUnorderedInsertion()',
  ...QUOTE_ERRORS,
  ...STRING_ERRORS,
  `function register(tuple(bytes ekPublic, bytes akPublic, bytes ekCertificate, address ledgerAddress, uint8 assurance) registration, uint64 anchorBlock, ${QUOTE} quote, bytes addressSignature) returns (bytes32 hostId)`,
  'function suspend(bytes32 hostId)',
  'function reinstate(bytes32 hostId)',
  'function host(bytes32 hostId) view returns (tuple(uint8 status, uint8 assurance, uint64 since, address ledgerAddress, bytes32 akX, bytes32 akY, bytes32 akQualifiedName))',
  'function hostOf(address ledgerAddress) view returns (bytes32 hostId)',
  'function isRegistrar(address account) view returns (bool)',
  'function statusAt(bytes32 hostId, uint64 asOf) view returns (uint8)',
  'function wasActive(bytes32 hostId, uint64 asOf) view returns (bool)',
])

export const VMM_REGISTRY = new Interface([
  'constructor(address hosts, address[] approvers, uint32 threshold_)',
  'event VmmProposed(bytes32 indexed vmmHash, bytes32 indexed hostId, uint32 epoch, bytes32 manifestHash, bytes attested)',
  'event VmmApproved(bytes32 indexed vmmHash, address indexed approver, uint32 epoch, uint32 approvals, uint8 status)',
  'event VmmRevoked(bytes32 indexed vmmHash, address indexed approver, uint32 epoch)',
  'error NotApprover(address caller)',
  'error ThresholdInvalid(uint256 approvers, uint256 threshold)',
  'error ApproverDuplicate(address approver)',
  'error HostNotActive(bytes32 hostId)',
  'error VmmStatusIs(bytes32 vmmHash, uint8 status)',
  'error EpochIs(bytes32 vmmHash, uint32 epoch)',
  'error AlreadyApproved(bytes32 vmmHash, address approver)',
  'error CheckpointUnorderedInsertion()',
  ...QUOTE_ERRORS,
  `function propose(bytes32 hostId, bytes32 manifestHash, uint64 anchorBlock, ${QUOTE} quote) returns (bytes32 vmmHash)`,
  'function approve(bytes32 vmmHash, uint32 epoch)',
  'function revoke(bytes32 vmmHash)',
  'function vmm(bytes32 vmmHash) view returns (tuple(uint8 status, uint32 epoch, uint32 approvals, uint64 authorisedAt, uint64 revokedAt, bytes32 manifestHash))',
  'function isAuthorised(bytes32 vmmHash) view returns (bool)',
  'function wasAuthorised(bytes32 vmmHash, uint64 asOf) view returns (bool)',
  'function isApprover(address account) view returns (bool)',
  'function threshold() view returns (uint32)',
])

export const ACCESS_POLICY = new Interface([
  'constructor(address hosts, address vmms, address auditLog)',
  'event DataRegistered(bytes32 indexed dataId, address indexed owner)',
  `event Granted(bytes32 indexed grantId, bytes32 indexed dataId, address indexed grantor, ${GRANT} grant)`,
  'event GrantRevoked(bytes32 indexed grantId, address indexed by)',
  'event GrantUsed(bytes32 indexed grantId, uint64 uses)',
  'error DataExists(bytes32 dataId)',
  'error DataUnknown(bytes32 dataId)',
  'error NotGrantor(address caller)',
  'error NotAuditLog(address caller)',
  'error GrantExists(bytes32 grantId)',
  'error GrantUnknown(bytes32 grantId)',
  'error GrantIsRevoked(bytes32 grantId)',
  'error GrantIsExpired(bytes32 grantId)',
  'error GrantEmpty()',
  'error DelegationTooDeep(uint8 depth)',
  'error DelegationWidens(bytes32 parent)',
  'error SignatureInvalid()',
  ...STRING_ERRORS,
  'function registerData(bytes32 salt) returns (bytes32 dataId)',
  `function grant(${GRANT} g) returns (bytes32 id)`,
  `function grantBySignature(${GRANT} g, address grantor, bytes signature) returns (bytes32 id)`,
  'function revoke(bytes32 id)',
  'function consume(bytes32 id) returns (bool within)',
  'function checkAccess(tuple(bytes32 dataId, bytes32 grantId, address requester, bytes32 operationId, bytes32 hostId, bytes32 vmmHash, uint64 timestamp, uint64 asOf) request) view returns (uint16 reason)',
  `function grantId(${GRANT} g) view returns (bytes32)`,
  'function ownerOf(bytes32 dataId) view returns (address)',
  `function grantOf(bytes32 id) view returns (${GRANT} g, address grantor, uint64 grantedAt, uint64 revokedAt, uint64 uses)`,
])

export const AUDIT_LOG = new Interface([
  'constructor(address hosts, address vmms, address policy)',
  'event BatchCommitted(bytes32 indexed hostId, uint64 indexed firstSeq, uint32 count, bytes32 root, bytes32 head, bytes32 vmmHash, uint64 nvCounter, bytes verdicts)',
  'error HostUnknown(bytes32 hostId)',
  'error NotHost(address caller)',
  'error NotNext(uint64 expected, uint64 found)',
  'error HeadIs(bytes32 head)',
  'error BatchEmpty()',
  'error CountIs(uint256 records)',
  'error RecordMisplaced(uint64 seq)',
  'error RootIs(bytes32 root)',
  ...QUOTE_ERRORS,
  ...STRING_ERRORS,
  `function commit(${BATCH_HEADER} header, ${RECORD}[] records, ${QUOTE} quote)`,
  'function nextSeq(bytes32 hostId) view returns (uint64)',
  'function head(bytes32 hostId) view returns (bytes32)',
  'function batchRoot(bytes32 hostId, uint64 firstSeq) view returns (bytes32 root)',
  'function clock(bytes32 hostId) view returns (uint64 nvCounter, uint32 resetCount, uint32 restartCount, uint64 clockMs)',
])

/** The four by name. */
export const INTERFACES: Readonly<Record<ContractName, Interface>> = {
  hostRegistry: HOST_REGISTRY,
  vmmRegistry: VMM_REGISTRY,
  accessPolicy: ACCESS_POLICY,
  auditLog: AUDIT_LOG,
}
