DROP INDEX jobs_of_dialog;
