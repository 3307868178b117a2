DROP TABLE chats;
DROP TABLE callbacks;
DROP TABLE outbox;

CREATE TABLE outbox (
  id         TEXT PRIMARY KEY,
  dialog_id  TEXT NOT NULL,
  channel    TEXT NOT NULL,
  lane       TEXT NOT NULL,
  action     TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('open', 'sent', 'uncertain', 'dead')),
  attempts   INTEGER NOT NULL DEFAULT 0,
  not_before INTEGER NOT NULL,
  trace_id   TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX outbox_due ON outbox (not_before) WHERE state = 'open';
