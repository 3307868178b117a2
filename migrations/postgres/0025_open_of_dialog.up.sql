-- Whether a message of a dialog waits that came before another one is asked by every turn of a source whose keys count.
CREATE INDEX inbox_open_of_dialog ON inbox (dialog_id) WHERE state = 'open';
