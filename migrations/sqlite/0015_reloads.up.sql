-- What became of the last reload of all instances in each worker: the revision "reload" that it has
-- followed, and its result as JSON.
ALTER TABLE instances ADD COLUMN reload_revision INTEGER;
ALTER TABLE instances ADD COLUMN reload_result TEXT;
