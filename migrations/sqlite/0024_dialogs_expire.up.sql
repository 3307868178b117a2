-- When something of dialogs.state will have had its time, rounded up to the hour: hardly any turn
-- changes it. NULL: nothing does.
ALTER TABLE dialogs ADD COLUMN expires_at INTEGER;

-- The sweeper looks for them.
CREATE INDEX dialogs_expired ON dialogs (expires_at) WHERE expires_at IS NOT NULL;
