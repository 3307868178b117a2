-- The manifest as the OpenAPI document shows it. It is checked field by field
-- (parley.plugins.manifest), in words for its author; here those fields are a schema.

local fields = require "parley.plugins.manifest_fields"
local v1beta = require "parley.schema.v1beta"

local M = {}

local function copy(t)
  local out = {}
  for key, value in pairs(t) do out[key] = value end
  return out
end

local function version(title, schema, differs)
  local out = copy(fields.manifest.schema)
  out.title, out.properties = title, copy(out.properties)
  out.properties.schema = { const = schema }
  for key, value in pairs(differs or {}) do out.properties[key] = value end
  return out
end

M.PluginManifestV1 = version("PluginManifestV1", "v1alpha")

-- What the host shows of a manifest of any version.
M.PluginManifestShownV1 = version("PluginManifestShownV1", "v1alpha", {
  permission_reasons = {
    type = "object", description = "by permission: what a v1beta says it is for",
  },
})

M.PluginManifestV1beta = version("PluginManifestV1beta", "v1beta", {
  transport = v1beta.transport, permissions = v1beta.permissions,
})
-- They stand under `transport` there.
M.PluginManifestV1beta.properties.endpoint = nil
M.PluginManifestV1beta.properties.heartbeat_interval_sec = nil

---Of any version: an object to the checker of schemas, the rest is the manifest's own checks'.
M.manifest = {
  type = "object", ["x-max-bytes"] = 262144,
  ["x-documented-as"] = { anyOf = { M.PluginManifestV1, M.PluginManifestV1beta } },
}

return M
