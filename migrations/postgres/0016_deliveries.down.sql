DROP TABLE chats;
DROP TABLE callbacks;
DROP TABLE outbox;

CREATE TABLE outbox (
  id         TEXT COLLATE "C" PRIMARY KEY,
  dialog_id  TEXT COLLATE "C" NOT NULL,
  channel    TEXT NOT NULL,
  lane       TEXT NOT NULL,
  action     TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('open', 'sent', 'uncertain', 'dead')),
  attempts   INTEGER NOT NULL DEFAULT 0,
  not_before BIGINT NOT NULL,
  trace_id   TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE INDEX outbox_due ON outbox (not_before) WHERE state = 'open';
