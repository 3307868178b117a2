ALTER TABLE chats RENAME TO chats_before;

CREATE TABLE chats (
  sender      TEXT NOT NULL,
  chat_id     INTEGER NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('blocked', 'migrated')),
  migrated_to INTEGER,
  changed_at  INTEGER NOT NULL,
  PRIMARY KEY (sender, chat_id)
) WITHOUT ROWID;

INSERT INTO chats SELECT sender, chat_id,
  CASE WHEN state IN ('deactivated', 'left') THEN 'blocked' ELSE state END, migrated_to, changed_at
  FROM chats_before;
DROP TABLE chats_before;

DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (sender, id) WHERE state = 'open';
