ALTER TABLE plugin_bundles DROP COLUMN taken_back_at;
