DROP TABLE bot_notes;
