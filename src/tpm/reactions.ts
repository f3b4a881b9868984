import { hasRc, RC, rcOf } from './rc.ts'

/**
 * What is done about a return code.
 *
 * - `wait`: the TPM has not begun; the same command again, after a pause, for a part of the call's deadline
 * - `flush`: the TPM is full; what crashed processes left in it is flushed, and the call is made once more
 * - `renew`: what the command names is gone from the TPM, which has not done it; the call is made once more on a new
 *   connection
 * - `reopen`: the way to the TPM is gone, or the answer is no use; a call that only reads is made once more on a new
 *   connection, any other is reported
 * - `report`: the caller is told; the next call has a new connection
 * - `restart`: the caller is told; the next call has a new process
 */
export type Reaction = 'wait' | 'flush' | 'renew' | 'reopen' | 'report' | 'restart'

/** A return code that is answered by something, and what it says. */
export interface KnownCode {
  readonly name: string
  readonly reaction: Reaction
  /** For people; where it is left out, the words of tpm2-tss say enough. */
  readonly meaning?: string
}

/** Layers of tpm2-tss, as they stand in a TSS2_RC. */
const [ESYS, SYS, MU, TCTI] = [0x7_0000, 0x8_0000, 0x9_0000, 0xa_0000]

const full = (name: string): KnownCode => ({
  name,
  reaction: 'flush',
  meaning: 'the TPM has no room: another program holds objects or sessions in it (use /dev/tpmrm0 or tpm2-abrmd)',
})
const busy = (name: string, meaning: string): KnownCode => ({ name, reaction: 'wait', meaning })
const gone = (name: string): KnownCode => ({
  name,
  reaction: 'renew',
  meaning: 'what the command names is not in the TPM: it was reset, or another program flushed it',
})
const refused = (name: string, meaning: string): KnownCode => ({ name, reaction: 'report', meaning })
const connection = (name: string): KnownCode => ({ name, reaction: 'reopen' })
const broken = (name: string): KnownCode => ({ name, reaction: 'restart' })

/**
 * The one table of return codes: what is not in it is reported as it is. The TPM's own are of TPM 2.0 Part 2, 6.6.3
 * (format 0 and warnings), the others of tss2_common.h.
 */
export const KNOWN_CODES: ReadonlyMap<number, KnownCode> = new Map<number, KnownCode>([
  [0x100, refused('TPM_RC_INITIALIZE', 'the TPM was not started: firmware sends TPM2_Startup, so this host’s did not')],
  [0x101, refused('TPM_RC_FAILURE', 'the TPM is in failure mode: only a power cycle helps, if anything does')],
  [0x12d, refused('TPM_RC_UPGRADE', 'the TPM waits for the rest of its firmware upgrade')],
  [0x130, refused('TPM_RC_REBOOT', 'the TPM wants a reboot of the host')],
  [0x901, full('TPM_RC_CONTEXT_GAP')],
  [0x902, full('TPM_RC_OBJECT_MEMORY')],
  [0x903, full('TPM_RC_SESSION_MEMORY')],
  [0x904, full('TPM_RC_MEMORY')],
  [0x905, full('TPM_RC_SESSION_HANDLES')],
  [0x906, full('TPM_RC_OBJECT_HANDLES')],
  [0x907, refused('TPM_RC_LOCALITY', 'the TPM does not take this command from this locality')],
  [0x908, busy('TPM_RC_YIELDED', 'the TPM has set the command aside')],
  [0x909, busy('TPM_RC_CANCELED', 'the command was cancelled')],
  [0x90a, busy('TPM_RC_TESTING', 'the TPM tests itself')],
  ...[0, 1, 2, 3, 4, 5, 6].map((i) => [0x910 + i, gone(`TPM_RC_REFERENCE_H${i}`)] as const),
  ...[0, 1, 2, 3, 4, 5, 6].map((i) => [0x918 + i, gone(`TPM_RC_REFERENCE_S${i}`)] as const),
  [0x920, busy('TPM_RC_NV_RATE', 'the TPM slows down writing to its memory')],
  [0x921, refused('TPM_RC_LOCKOUT', 'too many failed authorisations')],
  [0x922, busy('TPM_RC_RETRY', 'the TPM was not ready')],
  [0x923, busy('TPM_RC_NV_UNAVAILABLE', 'the TPM’s memory is not ready')],
  [ESYS | 1, broken('TSS2_ESYS_RC_GENERAL_FAILURE')],
  [ESYS | 7, broken('TSS2_ESYS_RC_BAD_SEQUENCE')],
  [ESYS | 23, broken('TSS2_ESYS_RC_MEMORY')],
  // A kept handle that this context does not know.
  [ESYS | 24, connection('TSS2_ESYS_RC_BAD_TR')],
  [ESYS | 27, { ...connection('TSS2_ESYS_RC_RSP_AUTH_FAILED'), meaning: 'the answer was changed on its way' }],
  ...[ESYS, SYS].flatMap((layer) => [
    [layer | 11, connection('TSS2_RC_BAD_VALUE')] as const,
    [layer | 17, connection('TSS2_RC_MALFORMED_RESPONSE')] as const,
    [layer | 19, connection('TSS2_RC_INSUFFICIENT_RESPONSE')] as const,
  ]),
  [MU | 6, connection('TSS2_MU_RC_INSUFFICIENT_BUFFER')],
  [MU | 11, connection('TSS2_MU_RC_BAD_VALUE')],
  [MU | 16, connection('TSS2_MU_RC_BAD_SIZE')],
  [TCTI | 1, connection('TSS2_TCTI_RC_GENERAL_FAILURE')],
  [TCTI | 6, connection('TSS2_TCTI_RC_INSUFFICIENT_BUFFER')],
  [TCTI | 8, connection('TSS2_TCTI_RC_NO_CONNECTION')],
  [TCTI | 9, connection('TSS2_TCTI_RC_TRY_AGAIN')],
  [TCTI | 10, connection('TSS2_TCTI_RC_IO_ERROR')],
  [TCTI | 17, connection('TSS2_TCTI_RC_MALFORMED_RESPONSE')],
  [TCTI | 19, connection('TSS2_TCTI_RC_INSUFFICIENT_RESPONSE')],
])

/** What the table says of an error's return code, undefined where it has none or an unknown one. */
export function knownCode(error: unknown): KnownCode | undefined {
  const rc = rcOf(error)
  return rc === undefined ? undefined : KNOWN_CODES.get(rc)
}

/** What is to be done about an error. @returns `report` for what is unknown */
export function reactionTo(error: unknown): Reaction {
  // What a kept handle names was removed: the TPM says it with the place in the command, which differs.
  if (hasRc(error, RC.HANDLE)) return 'renew'
  return knownCode(error)?.reaction ?? 'report'
}
