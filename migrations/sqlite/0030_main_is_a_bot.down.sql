-- What workers have found out about the bot of the settings, which has no row in bots.
CREATE TABLE bot_notes (
  name        TEXT PRIMARY KEY,
  telegram_id INTEGER NOT NULL,
  username    TEXT,
  problem     TEXT,           -- JSON; NULL: none is known
  noted_at    INTEGER NOT NULL
) WITHOUT ROWID;
