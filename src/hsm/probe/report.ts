/** What became of one attempt on a scratch key. */
export type ProbeOutcome =
  /** The module said no. */
  | 'refused'
  /** It has no such function or mechanism. */
  | 'unavailable'
  /** The key left the module, or something was made of it that may leave. */
  | 'stolen'
  /** The key, or a copy of it, has attributes now that let it be stolen or used otherwise. */
  | 'weakened'
  /** The key did what its attributes forbid. */
  | 'misused'

/** The kinds of Attestry's keys, each tried on a scratch key with the same attributes. */
export type ProbedKey = 'ledger' | 'data'

/** One attempt. */
export interface ProbeAttempt {
  /** What was tried, in words: "wrap by CKM_AES_KEY_WRAP". */
  readonly name: string
  readonly key: ProbedKey
  readonly outcome: ProbeOutcome
  /** The name of what the module answered: "CKR_KEY_UNEXTRACTABLE". */
  readonly rv: string
}

/** Whether a module may keep one kind of key. */
export interface ProbeVerdict {
  readonly ok: boolean
  /** Why not, each in words. */
  readonly reasons: readonly string[]
}

/** What a module allows to be done to keys that must not leave it. */
export interface ProbeReport {
  /** Whether it may keep both kinds. */
  readonly ok: boolean
  /** The module's path. */
  readonly module: string
  /** What library and token call themselves. */
  readonly library: string
  readonly manufacturer: string
  readonly token: string
  readonly keys: Readonly<Record<ProbedKey, ProbeVerdict>>
  readonly attempts: readonly ProbeAttempt[]
}

/** The calls of the probe's device process. */
export interface ProbeCalls {
  readonly probe: () => ProbeReport
}
