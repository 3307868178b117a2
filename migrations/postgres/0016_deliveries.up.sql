-- What channels have still to deliver. Nothing has written this table before.
DROP TABLE outbox;

CREATE TABLE outbox (
  id         TEXT COLLATE "C" PRIMARY KEY,  -- sorts as the deliveries of a dialog were decided
  sender     TEXT COLLATE "C" NOT NULL,     -- who delivers: tg:BOT
  dialog_id  TEXT COLLATE "C" NOT NULL,
  reply_id   TEXT COLLATE "C",              -- of the reply in messages
  lane       TEXT NOT NULL,
  method     TEXT NOT NULL,
  params     TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('open', 'sent', 'dead')),
  attempts   INTEGER NOT NULL DEFAULT 0,
  uncertain  INTEGER NOT NULL DEFAULT 0 CHECK (uncertain IN (0, 1)),
  reference  TEXT,            -- what the channel calls the message
  error      TEXT,
  trace_id   TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  done_at    BIGINT
);

-- A sender begins with what it has left; the sweeper looks for what was done long ago.
CREATE INDEX outbox_open ON outbox (sender, id) WHERE state = 'open';
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;

-- Data of buttons that is too long to travel.
CREATE TABLE callbacks (
  id         TEXT COLLATE "C" PRIMARY KEY,
  dialog_id  TEXT COLLATE "C" NOT NULL,
  plugin     TEXT COLLATE "C" NOT NULL,
  data       TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE INDEX callbacks_old ON callbacks (created_at);

-- Chats that cannot be written to any more, or only elsewhere.
CREATE TABLE chats (
  sender      TEXT COLLATE "C" NOT NULL,
  chat_id     BIGINT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('blocked', 'migrated')),
  migrated_to BIGINT,
  changed_at  BIGINT NOT NULL,
  PRIMARY KEY (sender, chat_id)
);
