-- What serves on this instance, for a worker that takes the place of one that has ended: folders
-- may be half written at that moment, and nobody has ordered a reload. The texts of the settings,
-- the rules and the triggers, and which bundles. HOME/data/serving.json

local bundles = require "parley.plugins.bundles"
local crypto = require "host.crypto"
local fs = require "host.fs"
local json = require "host.json"

local M = {}

local PRIVATE = tonumber("600", 8) -- settings may have secrets in them

---@class parley.Last
---@field texts table<string, string> of settings and triggers, by path
---@field rules {name: string, source: string}
---@field plugins table<string, {hash: string, origin: string}>

local function path_of(home) return home .. "/data/serving.json" end

-- Files and paths may be of bytes that are no UTF-8.
local function pack_texts(texts)
  local out = json.array()
  for path, text in pairs(texts) do
    out[#out + 1] = { path = crypto.base64(path), text = crypto.base64(text) }
  end
  table.sort(out, function(a, b) return a.path < b.path end)
  return out
end

local function unpack_texts(list)
  local out = {}
  for _, file in ipairs(list) do out[crypto.unbase64(file.path)] = crypto.unbase64(file.text) end
  return out
end

---@param generation parley.Generation
---@return string the same for what is the same
function M.text(generation)
  local plugins = {}
  for _, p in ipairs(generation.plugins) do
    -- One that was deployed and has no folder is known to the database.
    if p.bundle and not (p.place and p.place.pinned) then
      plugins[p.name] = { hash = p.bundle.hash, origin = p.origin }
    end
  end
  local rules = generation.rules
  return assert(json.encode({
    texts = pack_texts(generation.config.texts), plugins = plugins,
    rules = { name = crypto.base64(rules.name), source = crypto.base64(rules.source) },
  }, { sorted = true }))
end

---Its bundles are in the store. When it cannot be written there is none: an older one is no better.
---@param home string
---@param text string of M.text
---@return boolean|nil ok
---@return table|nil err
function M.write(home, text)
  local ok, err = fs.write(path_of(home), text, PRIVATE)
  if not ok then fs.remove(path_of(home)) end
  return ok, err
end

---@param home string
---@return parley.Last|nil last nil: nothing was kept
function M.read(home)
  local text = fs.read(path_of(home))
  local last = text and json.decode(text)
  if not last then return nil end
  last.texts = unpack_texts(last.texts)
  last.rules.name = crypto.unbase64(last.rules.name)
  last.rules.source = crypto.unbase64(last.rules.source)
  return last
end

---Of another run of the host nothing counts.
---@param home string
function M.forget(home) fs.remove(path_of(home)) end

---Where its plugins lie: in their folders, when these are still there.
---@param last parley.Last
---@param config table parley.config
---@param found table<string, parley.PluginPlace>
---@return table<string, parley.PluginPlace>
function M.places(last, config, found)
  local out = {}
  for name, p in pairs(last.plugins) do
    out[name] = found[name] or { dir = config.home .. "/plugins/" .. name, origin = p.origin }
  end
  return out
end

---@param last parley.Last
---@param home string
---@param name string of one of its plugins
---@return parley.Bundle|nil bundle
---@return string|table origin or the error
function M.bundle(last, home, name)
  local p = last.plugins[name]
  local b, err = bundles.read(home, name, p.hash)
  if not b then return nil, err end
  return b, p.origin
end

return M
