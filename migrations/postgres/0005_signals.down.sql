DROP INDEX dialogs_user;
DROP INDEX users_admins;
DROP INDEX audit_signals;
ALTER TABLE audit_logs DROP COLUMN signal;
