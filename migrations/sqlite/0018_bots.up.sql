-- The bots of Telegram that an operator has added. The one of the configuration is not here.
CREATE TABLE bots (
  name           TEXT PRIMARY KEY,
  telegram_id    INTEGER NOT NULL UNIQUE,
  username       TEXT,
  token          TEXT NOT NULL,  -- sealed
  transport      TEXT NOT NULL CHECK (transport IN ('polling', 'webhook')),
  state          TEXT NOT NULL CHECK (state IN ('active', 'paused')),
  secret_version INTEGER NOT NULL DEFAULT 1,
  plugins        TEXT,           -- JSON; NULL: all
  config         TEXT NOT NULL,
  problem        TEXT,           -- JSON; NULL: none is known
  revision       INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  changed_at     INTEGER NOT NULL
) WITHOUT ROWID;
