DROP INDEX dialogs_expired;
ALTER TABLE dialogs DROP COLUMN expires_at;
