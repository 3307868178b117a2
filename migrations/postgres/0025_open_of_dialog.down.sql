DROP INDEX inbox_open_of_dialog;
