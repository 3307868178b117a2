ALTER TABLE plugin_bundles DROP COLUMN origin;
DROP TABLE bundles;
DROP TABLE deployment_counts;
DROP TABLE deployments;
