-- What is sent to many people at a time. Who gets it is a range of table dialogs, or a list of its own,
-- walked in the order of the ids: `cursor` is how far. So nothing is kept of a recipient but what went
-- wrong; what is on its way is in the outbox.
CREATE TABLE broadcasts (
  id          TEXT PRIMARY KEY,
  bot         TEXT NOT NULL,
  label       TEXT,
  state       TEXT NOT NULL
              CHECK (state IN ('draft', 'scheduled', 'running', 'paused', 'done', 'cancelled')),
  live        INTEGER NOT NULL DEFAULT 0 CHECK (live IN (0, 1)), -- there is something to do for it
  locale      TEXT NOT NULL,
  actions     TEXT NOT NULL,
  audience    TEXT NOT NULL,
  cursor      TEXT NOT NULL DEFAULT '',
  exhausted   INTEGER NOT NULL DEFAULT 0 CHECK (exhausted IN (0, 1)),
  candidates  INTEGER,
  examined    INTEGER NOT NULL DEFAULT 0,
  taken       INTEGER NOT NULL DEFAULT 0,
  sent        INTEGER NOT NULL DEFAULT 0,
  blocked     INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0,
  uncertain   INTEGER NOT NULL DEFAULT 0,
  per_minute  INTEGER NOT NULL DEFAULT 0,
  trace_id    TEXT NOT NULL,
  created_by  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  start_at    INTEGER,
  started_at  INTEGER,
  finished_at INTEGER
) WITHOUT ROWID;

-- The one worker that sends them looks for these.
CREATE INDEX broadcasts_live ON broadcasts (id) WHERE live = 1;

-- The recipients of a broadcast whose audience is a list.
CREATE TABLE broadcast_recipients (
  broadcast_id TEXT NOT NULL,
  dialog_id    TEXT NOT NULL,
  PRIMARY KEY (broadcast_id, dialog_id)
) WITHOUT ROWID;

-- Who has not got it, or perhaps twice.
CREATE TABLE broadcast_results (
  broadcast_id TEXT NOT NULL,
  dialog_id    TEXT NOT NULL,
  result       TEXT NOT NULL CHECK (result IN ('blocked', 'failed', 'uncertain')),
  code         TEXT NOT NULL,
  message      TEXT,
  at           INTEGER NOT NULL,
  PRIMARY KEY (broadcast_id, dialog_id)
) WITHOUT ROWID;

-- What of a broadcast is on its way, or has been, and is not counted yet.
CREATE INDEX outbox_broadcasts ON outbox (reply_id, id) WHERE lane = 'broadcast';
