import { CodedError } from './error.ts'

/**
 * - `CONFIG_UNREADABLE`: the file is not there, or may not be read
 * - `CONFIG_SYNTAX`: it is not TOML
 * - `CONFIG_UNKNOWN_KEY`: it has a key that nothing reads
 * - `CONFIG_INVALID`: a value is missing, of another type, or out of bounds
 */
export type ConfigErrorCode = 'CONFIG_UNREADABLE' | 'CONFIG_SYNTAX' | 'CONFIG_UNKNOWN_KEY' | 'CONFIG_INVALID'

/** Why a configuration was refused. */
export class ConfigError extends CodedError<ConfigErrorCode> {}
