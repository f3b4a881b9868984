/**
 * The commands of libtss2-esys that Attestry calls, each as the parameters of its C function in their order
 * (tss2_esys.h). The words:
 *
 * - `h` an ESYS_TR; `3s` three ESYS_TR of sessions; `u32`, `u16`, `i32` numbers
 * - `TPM…` a structure by pointer, given as its wire bytes; with `?` in front it may be null, and a null pointer is
 *   passed
 * - with `>` in front: a result, through a pointer; structures come back as their wire bytes
 * - `-` a result that nobody wants: a null pointer
 *
 * A wrong word here corrupts memory: compare with the header, and run each command in a test.
 */
export const COMMANDS = {
  ActivateCredential: 'h h 3s TPM2B_ID_OBJECT TPM2B_ENCRYPTED_SECRET >TPM2B_DIGEST',
  Create: 'h 3s TPM2B_SENSITIVE_CREATE TPM2B_PUBLIC TPM2B_DATA TPML_PCR_SELECTION >TPM2B_PRIVATE >TPM2B_PUBLIC - - -',
  CreatePrimary: 'h 3s TPM2B_SENSITIVE_CREATE TPM2B_PUBLIC TPM2B_DATA TPML_PCR_SELECTION >h >TPM2B_PUBLIC - - -',
  EvictControl: 'h h 3s u32 >h',
  FlushContext: 'h',
  GetCapability: '3s u32 u32 u32 >u8 >TPMS_CAPABILITY_DATA',
  Load: 'h 3s TPM2B_PRIVATE TPM2B_PUBLIC >h',
  LoadExternal: '3s ?TPM2B_SENSITIVE TPM2B_PUBLIC u32 >h',
  NV_DefineSpace: 'h 3s ?TPM2B_AUTH TPM2B_NV_PUBLIC >h',
  NV_Increment: 'h h 3s',
  NV_Read: 'h h 3s u16 u16 >TPM2B_MAX_NV_BUFFER',
  NV_ReadPublic: 'h 3s >TPM2B_NV_PUBLIC -',
  PCR_Extend: 'h 3s TPML_DIGEST_VALUES',
  PolicyAuthorize: 'h 3s TPM2B_DIGEST TPM2B_NONCE TPM2B_NAME TPMT_TK_VERIFIED',
  PolicyPCR: 'h 3s TPM2B_DIGEST TPML_PCR_SELECTION',
  PolicySecret: 'h h 3s ?TPM2B_NONCE ?TPM2B_DIGEST ?TPM2B_NONCE i32 - -',
  Quote: 'h 3s TPM2B_DATA TPMT_SIG_SCHEME TPML_PCR_SELECTION >TPM2B_ATTEST >TPMT_SIGNATURE',
  ReadClock: '3s >TPMS_TIME_INFO',
  ReadPublic: 'h 3s >TPM2B_PUBLIC >TPM2B_NAME >TPM2B_NAME',
  StartAuthSession: 'h h 3s ?TPM2B_NONCE u8 TPMT_SYM_DEF u16 >h',
  TRSess_SetAttributes: 'h u8 u8',
  TR_FromTPMPublic: 'u32 3s >h',
  TR_GetName: 'h >TPM2B_NAME',
  Unseal: 'h 3s >TPM2B_SENSITIVE_DATA',
  VerifySignature: 'h 3s TPM2B_DIGEST TPMT_SIGNATURE >TPMT_TK_VERIFIED',
} as const satisfies Record<string, string>

export type CommandName = keyof typeof COMMANDS

/** The commands as functions: what the table says, in types. */
export type TssCommands = {
  readonly [Name in CommandName]: (
    ...inputs: Inputs<Words<(typeof COMMANDS)[Name]>>
  ) => Outputs<Words<(typeof COMMANDS)[Name]>>
}

type Words<Spec extends string> = Spec extends `${infer First} ${infer Rest}` ? [First, ...Words<Rest>] : [Spec]

type Inputs<List> = List extends [infer First, ...infer Rest]
  ? First extends `>${string}` | '-'
    ? Inputs<Rest>
    : [Input<First>, ...Inputs<Rest>]
  : []

type Outputs<List> = List extends [infer First, ...infer Rest]
  ? First extends `>${infer Word}`
    ? [Output<Word>, ...Outputs<Rest>]
    : Outputs<Rest>
  : []

type Input<Word> = Word extends '3s'
  ? readonly number[]
  : Word extends `?TPM${string}`
    ? Uint8Array | null
    : Word extends `TPM${string}`
      ? Uint8Array
      : number

type Output<Word> = Word extends `TPM${string}` ? Uint8Array : number
