-- What is sent to many people at a time. Who gets it is a range of table dialogs, or a list of its own,
-- walked in the order of the ids: `cursor` is how far. So nothing is kept of a recipient but what went
-- wrong; what is on its way is in the outbox.
CREATE TABLE broadcasts (
  id          TEXT COLLATE "C" PRIMARY KEY,
  bot         TEXT COLLATE "C" NOT NULL,
  label       TEXT,
  state       TEXT NOT NULL
              CHECK (state IN ('draft', 'scheduled', 'running', 'paused', 'done', 'cancelled')),
  live        INTEGER NOT NULL DEFAULT 0 CHECK (live IN (0, 1)), -- there is something to do for it
  locale      TEXT NOT NULL,
  actions     TEXT NOT NULL,
  audience    TEXT NOT NULL,
  cursor      TEXT COLLATE "C" NOT NULL DEFAULT '',
  exhausted   INTEGER NOT NULL DEFAULT 0 CHECK (exhausted IN (0, 1)),
  candidates  BIGINT,
  examined    BIGINT NOT NULL DEFAULT 0,
  taken       BIGINT NOT NULL DEFAULT 0,
  sent        BIGINT NOT NULL DEFAULT 0,
  blocked     BIGINT NOT NULL DEFAULT 0,
  failed      BIGINT NOT NULL DEFAULT 0,
  uncertain   BIGINT NOT NULL DEFAULT 0,
  per_minute  BIGINT NOT NULL DEFAULT 0,
  trace_id    TEXT NOT NULL,
  created_by  TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  start_at    BIGINT,
  started_at  BIGINT,
  finished_at BIGINT
);

-- The one worker that sends them looks for these.
CREATE INDEX broadcasts_live ON broadcasts (id) WHERE live = 1;

-- The recipients of a broadcast whose audience is a list.
CREATE TABLE broadcast_recipients (
  broadcast_id TEXT COLLATE "C" NOT NULL,
  dialog_id    TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (broadcast_id, dialog_id)
);

-- Who has not got it, or perhaps twice.
CREATE TABLE broadcast_results (
  broadcast_id TEXT COLLATE "C" NOT NULL,
  dialog_id    TEXT COLLATE "C" NOT NULL,
  result       TEXT NOT NULL CHECK (result IN ('blocked', 'failed', 'uncertain')),
  code         TEXT NOT NULL,
  message      TEXT,
  at           BIGINT NOT NULL,
  PRIMARY KEY (broadcast_id, dialog_id)
);

-- What of a broadcast is on its way, or has been, and is not counted yet.
CREATE INDEX outbox_broadcasts ON outbox (reply_id, id) WHERE lane = 'broadcast';
