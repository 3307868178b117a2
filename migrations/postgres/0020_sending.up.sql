-- A sender reads what it has left lane by lane, so that a reply is found behind any number of
-- broadcasts.
DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (sender, lane, id) WHERE state = 'open';

-- People who have deleted their account, and groups that have removed the bot, beside those who have
-- blocked it.
ALTER TABLE chats DROP CONSTRAINT chats_state_check;
ALTER TABLE chats ADD CONSTRAINT chats_state_check
  CHECK (state IN ('blocked', 'deactivated', 'left', 'migrated'));
