-- When an operator, or the host itself after a crash, has taken a version back that had served: conversations that have
-- begun with it do not go on with it either. NULL: nobody has.
ALTER TABLE plugin_bundles ADD COLUMN taken_back_at BIGINT;
