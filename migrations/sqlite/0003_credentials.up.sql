-- How long the secret before the last one is still good.
ALTER TABLE tokens ADD COLUMN old_until INTEGER;

-- When a plugin got its signing secret: for a day calls are signed with the one before, too.
ALTER TABLE plugins ADD COLUMN secret_since INTEGER;

-- The call that an event of a plugin is about.
ALTER TABLE plugin_events ADD COLUMN invocation_id TEXT;
