-- What channels have still to deliver. Nothing has written this table before.
DROP TABLE outbox;

CREATE TABLE outbox (
  id         TEXT PRIMARY KEY,  -- sorts as the deliveries of a dialog were decided
  sender     TEXT NOT NULL,     -- who delivers: tg:BOT
  dialog_id  TEXT NOT NULL,
  reply_id   TEXT,              -- of the reply in messages
  lane       TEXT NOT NULL,
  method     TEXT NOT NULL,
  params     TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('open', 'sent', 'dead')),
  attempts   INTEGER NOT NULL DEFAULT 0,
  uncertain  INTEGER NOT NULL DEFAULT 0 CHECK (uncertain IN (0, 1)),
  reference  TEXT,            -- what the channel calls the message
  error      TEXT,
  trace_id   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  done_at    INTEGER
) WITHOUT ROWID;

-- A sender begins with what it has left; the sweeper looks for what was done long ago.
CREATE INDEX outbox_open ON outbox (sender, id) WHERE state = 'open';
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;

-- Data of buttons that is too long to travel.
CREATE TABLE callbacks (
  id         TEXT PRIMARY KEY,
  dialog_id  TEXT NOT NULL,
  plugin     TEXT NOT NULL,
  data       TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX callbacks_old ON callbacks (created_at);

-- Chats that cannot be written to any more, or only elsewhere.
CREATE TABLE chats (
  sender      TEXT NOT NULL,
  chat_id     INTEGER NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('blocked', 'migrated')),
  migrated_to INTEGER,
  changed_at  INTEGER NOT NULL,
  PRIMARY KEY (sender, chat_id)
) WITHOUT ROWID;
