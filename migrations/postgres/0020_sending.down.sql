UPDATE chats SET state = 'blocked' WHERE state IN ('deactivated', 'left');
ALTER TABLE chats DROP CONSTRAINT chats_state_check;
ALTER TABLE chats ADD CONSTRAINT chats_state_check CHECK (state IN ('blocked', 'migrated'));

DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (sender, id) WHERE state = 'open';
