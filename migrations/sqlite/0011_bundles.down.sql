DROP TABLE plugin_pins;
DROP TABLE plugin_bundles;
