-- What the configuration says of one plugin: some of it is for the host, the rest is the plugin's
-- own, and comes to it as `config`.

local given_schema = require "parley.schema.given"
local manifest = require "parley.plugins.manifest"
local ring = require "parley.plugins.ring"
local suggest = require "parley.util.suggest"

local M = {}

local OURS = {
  enabled = true, signing_secret = true, allow_private = true, intents = true, token_id = true,
  ring = true,
}

local function fail(fmt, ...)
  return nil, { code = "config", retryable = false, op = "plugins", message = fmt:format(...) }
end

-- Intents that the operator adds to those of the manifest: the same shape, the same checks.
local function add_intents(m, given)
  if given == nil then return true end
  local problem = manifest.check_intents(given)
  if problem then return fail("plugins.%s.%s", m.name, problem) end
  for _, intent in ipairs(given) do m.intents[#m.intents + 1] = intent end
  return true
end

local function check_ring(m, given)
  if given == nil then return true end
  if m.transport == "rest" then
    return fail("plugins.%s.ring: a REST plugin is in none: it runs elsewhere", m.name)
  end
  for _, name in ipairs(ring.NAMES) do
    if given == name then return true end
  end
  return fail("plugins.%s.ring: expected one of %s, got '%s'.%s", m.name,
    table.concat(ring.NAMES, ", "), tostring(given), suggest.hint(tostring(given), ring.NAMES))
end

-- Secrets among the settings of a plugin would come to it as its configuration.
local function check_secrets(m, own)
  if own.secrets == nil or #m.secrets == 0 then return true end
  return fail("plugins.%s.secrets: secrets stand at the top of the settings: "
    .. "secrets = { %s = ... }", m.name, m.secrets[1])
end

local function check_own(m, own)
  if not m.config then return true end
  local errors = assert(given_schema.compile(m.config))(own)
  if not errors then return true end
  return fail("plugins.%s%s: %s", m.name, errors[1].path:gsub("/", "."), errors[1].message)
end

---Reads the settings of a plugin, and puts its intents into the manifest.
---@param m table manifest, checked
---@param given table|nil config.plugins[name]
---@return table|nil ours what the host goes by
---@return table own the plugin's configuration; or the error
function M.apply(m, given)
  local ours, own = {}, {}
  for key, value in pairs(given or {}) do
    if OURS[key] then ours[key] = value else own[key] = value end
  end
  local ok, err = add_intents(m, ours.intents)
  if ok then ok, err = check_ring(m, ours.ring) end
  if ok then ok, err = check_secrets(m, own) end
  if ok then ok, err = check_own(m, own) end
  if not ok then return nil, err end
  return ours, own
end

---The plugin's own configuration with what others set before it. What is for the host stays as it
---is.
---@param m table manifest, checked
---@param config table its own configuration
---@param given table
---@return table|nil config
---@return string|nil problem
function M.overlay(m, config, given)
  local out = {}
  for key, value in pairs(config) do out[key] = value end
  for key, value in pairs(given) do
    if OURS[key] then
      return nil, ("plugins.%s.%s is for the host alone: it stands in its settings"):format(m.name,
        key)
    end
    out[key] = value
  end
  local ok, err = check_own(m, out)
  if not ok then return nil, err.message end
  return out
end

return M
