import { CodedError } from '../../src/core/error.ts'

/**
 * - `DIRECTORY_IN_USE`: the directory has something else in it than a stack
 * - `PATH_TOO_LONG`: the directory's path leaves no room for a Unix socket
 * - `STATE_INVALID`: the stack's own notes cannot be read
 */
export type StackErrorCode = 'DIRECTORY_IN_USE' | 'PATH_TOO_LONG' | 'STATE_INVALID'

/** Why a directory cannot hold a local stack. */
export class StackError extends CodedError<StackErrorCode> {}
