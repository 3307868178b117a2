-- What version v1beta of the manifest says otherwise than v1alpha; all else is the same.
--
-- How a plugin is reached stands in one place, and each permission says what it is for: whoever
-- installs a plugin reads it before the plugin runs.

local M = {}

M.transport = {
  title = "ManifestTransportV1beta", type = "object", additionalProperties = false,
  required = { "type" },
  properties = {
    type = { type = "string", enum = { "lua", "rest" } },
    endpoint = { type = "string", description = "rest: base URL" },
    heartbeat_interval_sec = { type = "number", description = "rest: default 30" },
  },
}

M.permissions = {
  title = "ManifestPermissionsV1beta", type = "array", maxItems = 100,
  items = {
    type = "object", additionalProperties = false, required = { "name", "reason" },
    properties = {
      name = { type = "string", description = "as in v1alpha: kv, http:HOST, ..." },
      reason = {
        type = { "string", "object" }, description = "what it is for: a text, or one by locale",
      },
    },
  },
}

return M
