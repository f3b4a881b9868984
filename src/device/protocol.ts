/**
 * The calls that a device answers, by name: `{ sign: (params: { digest: Uint8Array }) => Uint8Array }`. Parameters and
 * results are whatever the structured clone algorithm copies.
 */
export type DeviceCalls<Calls> = { readonly [Name in keyof Calls]: (params: never) => unknown }

/** What the parent writes: first one `open`, then calls, several in one message where they wait. */
export type ToDevice =
  | { readonly kind: 'open'; readonly config: unknown }
  | { readonly kind: 'calls'; readonly calls: readonly DeviceCall[] }

export interface DeviceCall {
  readonly name: string
  readonly params: unknown
}

/** What the device process writes: `loaded` once by itself, then answers, one to `open` and one to each call. */
export type FromDevice = readonly Answer[]

export type Answer =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly code: string; readonly message: string; readonly detail: unknown }

/** The inherited descriptor that carries the secret: written once and closed. */
export const SECRET_FD = 4

/** No secret is longer than this, in bytes. */
export const MAX_SECRET_BYTES = 4096

/** The inherited descriptor to which a device process writes what another process is to get, where it has one. */
export const OUTLET_FD = 5
