-- The language that a user has asked for: it goes before that of their channel and of a message.
ALTER TABLE users ADD COLUMN chosen_locale TEXT;
