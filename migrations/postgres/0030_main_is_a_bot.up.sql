-- The bot of the settings has a row in bots, as all others.
DROP TABLE bot_notes;
