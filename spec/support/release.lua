-- Versions of the plugin "shop", to be deployed by a spec, and the dialogs that get them.

local json = require "host.json"
local share = require "parley.deployments.share"

local M = {}

---main.lua with one command whose handler is `body`, with `c` and `what` follows the command; `more` stands behind it.
function M.source(body, more)
  return ("local p = parley.plugin()\np.on.command('shop', function(c, what) %s end)\n%s\nreturn p"):format(body, more or "")
end

---@return table<string, string> files of a version
function M.files(version, main, more)
  local manifest = {
    schema = "v1alpha", name = "shop", version = version, api = "1", transport = "lua",
    commands = { { name = "shop", description = "shop" } },
  }
  for k, v in pairs(more or {}) do manifest[k] = v end
  return { ["manifest.json"] = json.encode(manifest), ["main.lua"] = main }
end

---Dialogs that belong to the share of a deployment of the shop, or do not.
---@param number integer of the deployment
---@param percent number
---@param inside boolean
---@param n integer how many
---@return string[]
function M.dialogs(number, percent, inside, n)
  local out, i = {}, 0
  while #out < n do
    i = i + 1
    if share.has("shop/" .. number, "d" .. i, percent * 100) == inside then out[#out + 1] = "d" .. i end
  end
  return out
end

return M
