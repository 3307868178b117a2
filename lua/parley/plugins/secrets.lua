-- The signing secrets of plugins that register. They are derived from one master key of the
-- installation, so that the database has nothing with which calls could be forged.

local crypto = require "host.crypto"
local fs = require "host.fs"
local webhook = require "parley.plugins.webhook"

local M = {}

M.MIN = 32 -- characters of the master key

local PRIVATE = tonumber("600", 8)

local function fail(fmt, ...)
  return nil, { code = "config", retryable = false, op = "secret_key", message = fmt:format(...) }
end

---The master key: secret_key of the configuration, or what data/secret-key in the home holds, which
---is made at the first start. Instances that share a database need the same one.
---@param config table parley.config
---@return string|nil master
---@return table|nil err
function M.master(config)
  if config.secret_key then return config.secret_key end
  local path = config.home .. "/data/secret-key"
  if fs.exists(path) then
    local text, err = fs.read(path, 4096)
    if not text then return nil, err end
    text = text:gsub("%s+$", "")
    if #text < M.MIN then
      return fail("%s: at least %d characters expected, got %d", path, M.MIN, #text)
    end
    return text
  end
  local ok, err = fs.mkdir(config.home .. "/data", tonumber("700", 8))
  if not ok then return nil, err end
  local text = crypto.hex(crypto.random(32))
  ok, err = fs.write(path, text .. "\n", PRIVATE)
  if not ok then return nil, err end
  return text
end

---By what a master key is known again; nothing of the key can be told from it.
---@param master string
---@return string
function M.mark(master) return crypto.hex(crypto.hmac_sha256(master, "mark")):sub(1, 16) end

---@param master string
---@param plugin_id string
---@param version integer grows when the plugin gets another secret
---@return string whsec_...
function M.signing(master, plugin_id, version)
  return webhook.secret(crypto.hmac_sha256(master, ("signing:%s:%d"):format(plugin_id, version)))
end

return M
