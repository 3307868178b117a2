-- What a bot has told Telegram about itself: it is told again only when it is another.
CREATE TABLE published (
  sender       TEXT NOT NULL,  -- tg:BOT
  what         TEXT NOT NULL,
  digest       TEXT NOT NULL,
  published_at INTEGER NOT NULL,
  PRIMARY KEY (sender, what)
) WITHOUT ROWID;
