-- An event that a trigger listens to is marked until it has been handled.
ALTER TABLE audit_logs ADD COLUMN signal INTEGER;

-- The triggers ask for what is marked; hardly any row ever is.
CREATE INDEX audit_signals ON audit_logs (id) WHERE signal = 1;

-- Administrators are told in their dialogs.
CREATE INDEX users_admins ON users (id) WHERE role = 'admin';
CREATE INDEX dialogs_user ON dialogs (user_id);
