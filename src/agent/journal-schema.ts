/** Rises with every change of the tables; a journal of another version is refused. */
export const SCHEMA_VERSION = 1

/**
 * The journal's tables. Hashes are lower-case hexadecimal; requests and records are JSON as docs/formats.md has it.
 *
 * - `identity`: the one host and log that it belongs to
 * - `counter`: the TPM's NV counter; while `pending` is 1 an increment beyond `value` may have happened
 * - `intents`: every request that was accepted for execution or denied, for ever: this is what refuses replays
 * - `records`: what became of them
 * - `batches`: every transaction ever signed for records; several of one `first_seq` are attempts at the same records
 */
export const SCHEMA = `
  CREATE TABLE identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    host_id TEXT NOT NULL,
    chain_id INTEGER NOT NULL,
    audit_log TEXT NOT NULL
  ) STRICT;
  CREATE TABLE counter (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL,
    pending INTEGER NOT NULL CHECK (pending IN (0, 1))
  ) STRICT;
  CREATE TABLE intents (
    request_hash TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    signature TEXT NOT NULL,
    requester TEXT NOT NULL,
    vmm_hash TEXT NOT NULL,
    policy_block INTEGER NOT NULL,
    timestamp INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    request_hash TEXT NOT NULL UNIQUE REFERENCES intents,
    record TEXT NOT NULL
  ) STRICT;
  CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    raw TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    count INTEGER NOT NULL,
    root TEXT NOT NULL,
    prev_head TEXT NOT NULL,
    anchor_block INTEGER NOT NULL,
    nv_counter INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('signed', 'sent', 'confirmed', 'dropped')),
    block INTEGER CHECK ((block IS NULL) = (state <> 'confirmed'))
  ) STRICT;
  CREATE INDEX batches_by_first_seq ON batches (first_seq);
`
