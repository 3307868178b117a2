ALTER TABLE plugin_events DROP COLUMN invocation_id;
ALTER TABLE plugins DROP COLUMN secret_since;
ALTER TABLE tokens DROP COLUMN old_until;
