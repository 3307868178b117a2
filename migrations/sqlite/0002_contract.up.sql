-- What several workers and instances need to know of each other, and REST plugins that register.

-- A worker that does something outside before its turn is stored holds the dialog meanwhile: nobody
-- else takes a turn of it until then. Quick turns never touch these columns.
ALTER TABLE dialogs ADD COLUMN lease_owner TEXT;
ALTER TABLE dialogs ADD COLUMN lease_until INTEGER;

-- What a worker held that is gone is given back.
CREATE INDEX dialogs_leased ON dialogs (lease_owner) WHERE lease_owner IS NOT NULL;

-- Which worker has an open message; whoever comes after it takes it up.
ALTER TABLE inbox ADD COLUMN owner TEXT;

-- A plugin of the configuration has a row only while an operator or a trigger has disabled it.
ALTER TABLE plugins ADD COLUMN registered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plugins ADD COLUMN reason TEXT;              -- why it is degraded or disabled
ALTER TABLE plugins ADD COLUMN token_id TEXT;            -- its own token, of kind plg
ALTER TABLE plugins ADD COLUMN secret_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE plugins ADD COLUMN manifest_checked_at INTEGER;

-- A number for each thing that every worker keeps a copy of; who changes it bumps the number.
CREATE TABLE revisions (
  name    TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) WITHOUT ROWID;

-- Work that one worker of all does. `fence` grows with each new holder: a holder that was thought
-- dead cannot write over what its successor has done. `renewals` is counted while it lives.
CREATE TABLE leases (
  name     TEXT PRIMARY KEY,
  owner    TEXT NOT NULL,
  fence    INTEGER NOT NULL,
  renewals INTEGER NOT NULL
) WITHOUT ROWID;

-- Every worker counts its heartbeats here. Others look whether the number grows, by their own
-- clocks: clocks of different machines are never compared.
CREATE TABLE instances (
  id         TEXT PRIMARY KEY,
  heartbeat  INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  info       TEXT
) WITHOUT ROWID;

-- Allowances that are used up, when Redis does not keep them.
CREATE TABLE rates (
  key          TEXT PRIMARY KEY,
  window_start INTEGER NOT NULL,
  used         INTEGER NOT NULL
) WITHOUT ROWID;

-- Shared values with a time to live, when Redis does not keep them.
CREATE TABLE keys (
  key        TEXT PRIMARY KEY,
  value      TEXT NOT NULL,
  expires_at INTEGER
) WITHOUT ROWID;

-- Events on their way to Redis: put here by the transaction of the fact, taken away when published.
DROP TABLE streams;
CREATE TABLE streams (
  id         TEXT PRIMARY KEY,
  owner      TEXT NOT NULL,
  stream     TEXT NOT NULL,
  payload    TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Turns whose plugin has answered 202 and brings its actions later. The token is kept as a hash.
CREATE TABLE continuations (
  token_hash    TEXT PRIMARY KEY,
  plugin        TEXT NOT NULL,
  dialog_id     TEXT NOT NULL,
  invocation_id TEXT NOT NULL,
  reset_version INTEGER NOT NULL,
  trace_id      TEXT NOT NULL,
  expires_at    INTEGER NOT NULL,
  done_at       INTEGER
) WITHOUT ROWID;
