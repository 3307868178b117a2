-- A hold on a dialog has no end of its own: who is gone is missed by its heartbeat.
ALTER TABLE dialogs DROP COLUMN lease_until;
