-- A sender reads what it has left lane by lane, so that a reply is found behind any number of
-- broadcasts.
DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (sender, lane, id) WHERE state = 'open';

-- People who have deleted their account, and groups that have removed the bot, beside those who have
-- blocked it.
ALTER TABLE chats RENAME TO chats_before;

CREATE TABLE chats (
  sender      TEXT NOT NULL,
  chat_id     INTEGER NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('blocked', 'deactivated', 'left', 'migrated')),
  migrated_to INTEGER,
  changed_at  INTEGER NOT NULL,
  PRIMARY KEY (sender, chat_id)
) WITHOUT ROWID;

INSERT INTO chats SELECT sender, chat_id, state, migrated_to, changed_at FROM chats_before;
DROP TABLE chats_before;
