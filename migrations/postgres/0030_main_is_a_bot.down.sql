-- What workers have found out about the bot of the settings, which has no row in bots.
CREATE TABLE bot_notes (
  name        TEXT COLLATE "C" PRIMARY KEY,
  telegram_id BIGINT NOT NULL,
  username    TEXT,
  problem     TEXT,           -- JSON; NULL: none is known
  noted_at    BIGINT NOT NULL
);
