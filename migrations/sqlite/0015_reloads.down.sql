ALTER TABLE instances DROP COLUMN reload_result;
ALTER TABLE instances DROP COLUMN reload_revision;
