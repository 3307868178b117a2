-- REST plugins that register, for specs.

local json = require "host.json"

local M = {}

M.PATH = "/api/v1/plugins/register"

---@param more table|nil fields that differ; json.null: absent
function M.manifest(more)
  local m = {
    schema = "v1alpha", name = "dice", version = "1.0.0", api = "1", transport = "rest",
    endpoint = "https://plugin.example.org", commands = { { name = "roll", description = "Roll dice" } },
  }
  for k, v in pairs(more or {}) do m[k] = v end
  for k, v in pairs(m) do if v == json.null then m[k] = nil end end
  return m
end

---Registers a plugin, and gives a client with its token.
---@param h table spec.support.host
---@param more table|nil of its manifest
---@return {plugin_id: string, token: string, signing_secret: string} answer
---@return function client of the plugin
function M.register(h, more)
  local r = h:client("reg", { "plugins:manage" })("POST", M.PATH, { manifest = M.manifest(more) })
  assert(r.status == 201, r.text)
  return r.body, h:client("plg", r.body.token)
end

return M
