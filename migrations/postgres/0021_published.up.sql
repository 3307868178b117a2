-- What a bot has told Telegram about itself: it is told again only when it is another.
CREATE TABLE published (
  sender       TEXT COLLATE "C" NOT NULL,  -- tg:BOT
  what         TEXT COLLATE "C" NOT NULL,
  digest       TEXT NOT NULL,
  published_at BIGINT NOT NULL,
  PRIMARY KEY (sender, what)
);
