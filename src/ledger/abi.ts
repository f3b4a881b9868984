import { Interface } from 'ethers'
import type { ContractName } from './deployment.ts'

// The contracts' interfaces (contracts/src/interfaces), as text that can be read and compared. A test compares it with
// what the compiler gives.

const QUOTE = 'tuple(bytes akPublic, bytes attest, bytes signature)'

const GRANT =
  'tuple(bytes32 dataId, address grantee, bytes32 operationId, uint64 notBefore, uint64 notAfter, uint64 maxUses, bytes32 vmmHash, bytes32 hostId, uint8 minAssurance, uint8 delegationDepth, bytes32 parent, bytes32 salt)'

const ACCESS_REQUEST =
  'tuple(bytes32 dataId, bytes32 grantId, address requester, bytes32 operationId, bytes32 hostId, bytes32 vmmHash, uint64 timestamp, uint64 asOf)'

const RECORD_CONTEXT =
  'tuple(bytes32 vmmHash, bytes32 operationId, address requester, bytes32 dataId, bytes32 grantId, uint64 policyBlock)'

const RECORD_BODY =
  'tuple(uint16 context, uint16 status, uint64 timestamp, bytes32 requestHash, bytes32 dataHash, bytes32 resultHash)'

const BATCH_HEADER =
  'tuple(bytes32 hostId, uint64 firstSeq, uint32 count, bytes32 root, bytes32 prevHead, uint64 anchorBlock, uint64 nvCounter)'

const SIGNED_APPROVAL = 'tuple(address approver, uint64 deadline, bytes signature)'

const RECEIPT_GROUP = 'tuple(bytes32 hostId, bytes32 groupRoot, uint64 firstSeq, uint32 count, uint64 includeBy)'

const LEAF_PROOF = 'tuple(bytes32 leaf, bytes32[] path)'

const SIGNED_GROUP = `tuple(${RECEIPT_GROUP} group, bytes signature)`

/** What TpmQuote refuses a quote with, in whichever contract uses it. */
const QUOTE_ERRORS = [
  'error AnchorOutOfReach(uint64 anchorBlock)',
  'error AttestLengthIs(uint256 length)',
  'error AttestMalformed()',
  'error AttestNotQuote()',
  'error AttestationKeyAttributesAre(uint32 attributes)',
  'error AttestationKeyInvalid()',
  'error AttestationKeyIs(bytes32 qualifiedName)',
  'error AttestationKeyUnsupported()',
  'error BindingIs(bytes32 extraData)',
  'error QuoteInfoMalformed()',
  'error QuoteSignatureInvalid()',
  'error SelectionUnsupported()',
  'error SignerIs(bytes32 qualifiedName)',
]

/** What both registries have from Decisions. */
const DECISIONS = [
  'error AlreadyApproved(bytes32 decision)',
  'error ApprovalExpired(address approver, uint64 deadline)',
  'error ApprovalSignatureInvalid(address approver)',
  'error NotApprover(address caller)',
  'event DecisionApproved(bytes32 indexed decision, address indexed approver, uint32 indexed term, uint32 approvals)',
  'function approvalsOf(bytes32 decision) view returns (uint32)',
]

/** OpenZeppelin's, from contracts with an EIP-712 domain. */
const STRING_ERRORS = ['error InvalidShortString()', 'error StringTooLong(string str)']

export const HOST_REGISTRY = new Interface([
  'constructor(address approvers, address[] registrars)',
  `event AttestationKeyReplaced(bytes32 indexed hostId, bytes32 akQualifiedName, address registrar, uint64 anchorBlock, ${QUOTE} quote)`,
  `event HostRegistered(bytes32 indexed hostId, address indexed ledgerAddress, uint8 assurance, address registrar, uint64 anchorBlock, bytes ekPublic, bytes ekCertificate, ${QUOTE} quote)`,
  'event HostStatusChanged(bytes32 indexed hostId, uint8 status, address by)',
  `event LedgerAddressRotated(bytes32 indexed hostId, address indexed from, address indexed to, uint64 overlapUntil, uint64 anchorBlock, ${QUOTE} quote)`,
  `event LedgerAddressReplaced(bytes32 indexed hostId, address indexed from, address indexed to, address registrar, uint64 anchorBlock, ${QUOTE} quote)`,
  'event RegistrarChanged(address indexed registrar, bool isRegistrar, uint64 nonce)',
  'error AssuranceMissing()',
  'error AttestationKeyTaken(bytes32 hostId)',
  'error CheckpointUnorderedInsertion()',
  'error HostExists(bytes32 hostId)',
  'error HostIsRetired(bytes32 hostId)',
  'error HostNotSuspended(bytes32 hostId)',
  'error HostUnknown(bytes32 hostId)',
  'error LedgerAddressNotConsenting(address ledgerAddress)',
  'error LedgerAddressTaken(address ledgerAddress)',
  'error NonceIs(uint64 nonce)',
  'error NotRegistrar(address caller)',
  'error NotRegistrarNorApprover(address caller)',
  'error OverlapRunning(uint64 until)',
  'error OverlapTooLong(uint64 overlapBlocks)',
  'error QuoteOutdated(uint64 acceptedIn)',
  'error RegistrarUnchanged(address registrar)',
  'error RegistrarZero()',
  'error RegistrarsMissing()',
  'error StatusUnchangeable(uint8 from, uint8 to)',
  ...DECISIONS,
  ...QUOTE_ERRORS,
  ...STRING_ERRORS,
  'function attester(bytes32 hostId, address account) view returns (uint8 status, bytes32 akQualifiedName, bool maySpeak)',
  `function changeRegistrar(address registrar, bool isRegistrar_, uint64 nonce, ${SIGNED_APPROVAL}[] approvals)`,
  'function host(bytes32 hostId) view returns ((uint8 status, uint8 assurance, uint64 since, address ledgerAddress, bytes32 akQualifiedName, address previousAddress, uint64 previousUntil))',
  'function hostOf(address ledgerAddress) view returns (bytes32 hostId)',
  'function isRegistrar(address account) view returns (bool)',
  `function register((bytes ekPublic, bytes ekCertificate, address ledgerAddress, uint8 assurance) registration, uint64 anchorBlock, ${QUOTE} quote, bytes addressSignature) returns (bytes32 hostId)`,
  'function registrarNonce(address account) view returns (uint64)',
  'function reinstate(bytes32 hostId)',
  `function replaceAddress(bytes32 hostId, address to, uint64 anchorBlock, ${QUOTE} quote, bytes toSignature)`,
  `function replaceAk(bytes32 hostId, uint64 anchorBlock, ${QUOTE} quote, bytes addressSignature)`,
  'function retire(bytes32 hostId)',
  `function rotateAddress(bytes32 hostId, address to, uint64 overlapBlocks, uint64 anchorBlock, ${QUOTE} quote, bytes fromSignature, bytes toSignature)`,
  'function standingAt(bytes32 hostId, uint64 asOf) view returns (uint8 status, uint8 assurance)',
  'function suspend(bytes32 hostId)',
])

export const VMM_REGISTRY = new Interface([
  'constructor(address hosts, address[] approvers_, uint32 threshold_)',
  'event ApproversChanged(uint32 indexed term, address[] approvers, uint32 threshold)',
  'event VmmAuthorised(bytes32 indexed vmmHash, uint32 epoch, uint64 validUntil)',
  'event VmmProposed(bytes32 indexed vmmHash, bytes32 indexed hostId, uint32 epoch, bytes32 manifestHash, bytes attested)',
  'event VmmProven(bytes32 indexed vmmHash, bytes32 indexed hostId, uint32 epoch)',
  'event VmmRevoked(bytes32 indexed vmmHash, address indexed approver, uint32 epoch)',
  'error ApproverDuplicate(address approver)',
  'error ApproverZero()',
  'error CheckpointUnorderedInsertion()',
  'error EpochIs(bytes32 vmmHash, uint32 epoch)',
  'error HostNotActive(bytes32 hostId)',
  'error ManifestIs(bytes32 manifestHash)',
  'error QuoteOutdated(uint64 quotesFrom)',
  'error SelectionMeaningless()',
  'error TermIs(uint32 term)',
  'error ThresholdInvalid(uint256 approvers, uint256 threshold)',
  'error TooManyApprovers(uint256 approvers)',
  'error ValidityOver(uint64 validUntil)',
  'error VmmStatusIs(bytes32 vmmHash, uint8 status)',
  ...DECISIONS,
  ...QUOTE_ERRORS,
  ...STRING_ERRORS,
  `function approve(bytes32 vmmHash, uint32 epoch, bytes32 manifestHash, uint64 validUntil, ${SIGNED_APPROVAL}[] approvals)`,
  'function approvers() view returns (address[])',
  `function changeApprovers(address[] newApprovers, uint32 newThreshold, uint32 term_, ${SIGNED_APPROVAL}[] approvals)`,
  'function isApprover(address account) view returns (bool)',
  'function isAuthorised(bytes32 vmmHash) view returns (bool)',
  'function predict(bytes attested, bytes32 manifestHash) returns (bytes32 vmmHash)',
  `function propose(bytes32 hostId, bytes32 manifestHash, uint64 anchorBlock, ${QUOTE} quote) returns (bytes32 vmmHash)`,
  'function revoke(bytes32 vmmHash)',
  'function standingAt(bytes32 vmmHash, uint64 asOf) view returns (uint8 status, uint64 validUntil)',
  'function term() view returns (uint32)',
  'function threshold() view returns (uint32)',
  'function vmm(bytes32 vmmHash) view returns ((uint8 status, bool isProven, uint32 epoch, uint64 since, uint64 validUntil, bytes32 manifestHash))',
])

export const ACCESS_POLICY = new Interface([
  'constructor(address hosts, address vmms, address auditLog)',
  'event DataRegistered(bytes32 indexed dataId, address indexed owner)',
  'event GrantCancelled(bytes32 indexed grantId, address indexed grantor)',
  'event GrantRevoked(bytes32 indexed grantId, address indexed by)',
  'event GrantUsed(bytes32 indexed grantId, uint64 uses)',
  `event Granted(bytes32 indexed grantId, bytes32 indexed dataId, address indexed grantor, ${GRANT} grant)`,
  'event OwnershipAccepted(bytes32 indexed dataId, address indexed previousOwner, address indexed owner)',
  'event OwnershipOffered(bytes32 indexed dataId, address indexed owner, address indexed candidate)',
  'error CheckpointUnorderedInsertion()',
  'error DataExists(bytes32 dataId)',
  'error DataUnknown(bytes32 dataId)',
  'error DelegationTooDeep(uint8 depth)',
  'error DelegationWidens(bytes32 parent)',
  'error GrantEmpty()',
  'error GrantExists(bytes32 grantId)',
  'error GrantIsCancelled(bytes32 grantId)',
  'error GrantIsExpired(bytes32 grantId)',
  'error GrantIsRevoked(bytes32 grantId)',
  'error GrantUnknown(bytes32 grantId)',
  'error NotAuditLog(address caller)',
  'error NotCandidate(address caller)',
  'error NotGrantor(address caller)',
  'error NotOwner(address caller)',
  'error SignatureInvalid()',
  ...STRING_ERRORS,
  'function acceptOwnership(bytes32 dataId)',
  'function cancel(bytes32 id)',
  'function candidateOf(bytes32 dataId) view returns (address)',
  `function checkAccess(${ACCESS_REQUEST} request) view returns (uint16 reason)`,
  'function consume(bytes32 id, uint64 wanted) returns (uint64 within)',
  `function grant(${GRANT} g) returns (bytes32 id)`,
  `function grantBySignature(${GRANT} g, address grantor, bytes signature) returns (bytes32 id)`,
  `function grantId(${GRANT} g) view returns (bytes32)`,
  `function grantOf(bytes32 id) view returns (${GRANT} g, address grantor, uint64 grantedAt, uint64 revokedAt, uint64 uses)`,
  `function grantWindow(${ACCESS_REQUEST} request, uint8 assurance) view returns (uint16 reason, uint64 notBefore, uint64 notAfter)`,
  'function isCancelled(bytes32 id, address grantor) view returns (bool)',
  'function offerOwnership(bytes32 dataId, address candidate)',
  'function ownerOf(bytes32 dataId) view returns (address)',
  'function registerData(bytes32 salt) returns (bytes32 dataId)',
  'function revoke(bytes32 id)',
])

export const AUDIT_LOG = new Interface([
  'constructor(address hosts, address vmms, address policy)',
  'event BatchCommitted(bytes32 indexed hostId, uint64 indexed firstSeq, uint8 mode, uint32 count, bytes32 root, bytes32 head, bytes32 vmmHash, uint64 nvCounter, bytes verdicts)',
  'event FraudProven(bytes32 indexed hostId, uint8 indexed fraud, uint64 seq, bytes32 proofHash, address by)',
  'error AlreadyProven(bytes32 proofHash)',
  'error BatchEmpty()',
  'error BatchNotInLog()',
  'error ContextMissing(uint256 context)',
  'error CountIs(uint256 records)',
  'error DeadlineAhead(uint64 includeBy)',
  'error HeadIs(bytes32 head)',
  'error HostUnknown(bytes32 hostId)',
  'error LeafNotInBatch()',
  'error LeafNotInGroup()',
  'error NoContradiction()',
  'error NotHost(address caller)',
  'error NotNext(uint64 expected, uint64 found)',
  'error NothingOmitted(uint64 nextSeq)',
  'error OtherHost(bytes32 hostId)',
  'error ReceiptSignatureInvalid()',
  'error RootIs(bytes32 root)',
  'error SeqOutside(uint64 seq)',
  'error SeqTooLarge(uint64 seq)',
  ...QUOTE_ERRORS,
  ...STRING_ERRORS,
  `function anchor(${BATCH_HEADER} header, ${QUOTE} quote)`,
  'function batches(bytes32 hostId) view returns (uint32)',
  'function clock(bytes32 hostId) view returns (uint64 nvCounter, uint32 resetCount, uint32 restartCount, uint64 clockMs)',
  `function commit(${BATCH_HEADER} header, ${RECORD_CONTEXT}[] contexts, ${RECORD_BODY}[] bodies, ${QUOTE} quote)`,
  'function fraudOf(bytes32 hostId) view returns (bytes32 proofHash)',
  'function head(bytes32 hostId) view returns (bytes32)',
  'function isProven(bytes32 proofHash) view returns (bool)',
  'function nextSeq(bytes32 hostId) view returns (uint64)',
  'function peak(bytes32 hostId, uint8 height) view returns (bytes32)',
  `function proveContradiction(${SIGNED_GROUP} receipt, uint64 seq, ${LEAF_PROOF} inReceipt, ${BATCH_HEADER} header, uint32 batchIndex, bytes32[] batchPath, ${LEAF_PROOF} inBatch)`,
  `function proveEquivocation(${SIGNED_GROUP} a, ${SIGNED_GROUP} b, uint64 seq, ${LEAF_PROOF} inA, ${LEAF_PROOF} inB)`,
  `function proveOmission(${RECEIPT_GROUP} group, bytes signature)`,
])

/** The four by name. */
export const INTERFACES: Readonly<Record<ContractName, Interface>> = {
  hostRegistry: HOST_REGISTRY,
  vmmRegistry: VMM_REGISTRY,
  accessPolicy: ACCESS_POLICY,
  auditLog: AUDIT_LOG,
}
