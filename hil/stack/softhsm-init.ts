/** The calls of the short-lived process that makes a token: it is made when the process opens. */
export interface InitTokenCalls {
  readonly made: () => void
}

/** What that process is told; its secret is a JSON list of the security officer's PIN and the user's. */
export interface InitTokenConfig {
  readonly module: string
  readonly label: string
}
