/**
 * What happens to one command.
 *
 * - `drop command`: the TPM never gets it; `drop answer`: it does, and the client waits for ever
 * - `hang up`: it does, and the connection is closed without an answer
 * - `cut`: the answer ends in its middle
 * - `delay`: the answer comes later
 * - `return code`: the TPM never gets it, and this code is the answer
 * - `swap`: it gets the answer of the command before it, and the next command gets its answer
 * - `replay`: it gets the answer that the last command with its code got before
 * - `flip`: one bit of the answer is changed, in the byte at this part (0 to 1) of its length
 * - `reset`: the TPM loses its power before it gets the command, and is started again or not
 * - `before answer`: something else happens after the TPM did it and before the client gets the answer
 */
export type Fault =
  | { readonly kind: 'drop command' | 'drop answer' | 'hang up' | 'cut' | 'swap' | 'replay' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'return code'; readonly rc: number }
  | { readonly kind: 'flip'; readonly at: number }
  | { readonly kind: 'reset'; readonly startup: boolean }
  | { readonly kind: 'before answer'; readonly act: () => void }
