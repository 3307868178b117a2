-- The plugin manager: which generation serves, and which older ones still have turns to finish.

local generation = require "parley.plugins.generation"
local json = require "host.json"
local ring = require "parley.plugins.ring"
local signals = require "parley.triggers.signals"
local task = require "host.task"
local time = require "host.time"

local M = {}

local WAIT_S = 60 -- for a reload that is running
local HOLDERS_SHOWN = 10
M.__index = M

---@param read (fun(): parley.Given|nil, table|nil)|nil what the database says of plugins
---@param master string|nil the key of their secrets
function M.new(read, master)
  return setmetatable({
    number = 0, current = nil, alive = {}, disabled = {}, spared = {}, free = task.cond(),
    read = read, master = master,
  }, M)
end

---Keeps a plugin from being chosen, from the next generation on.
---@param name string
---@param why string for people
function M:disable(name, why) self.disabled[name] = why end

---Undoes disable(), at once.
---@param plugin parley.Plugin of the current generation
function M:enable(plugin)
  if not self.disabled[plugin.name] then return end
  self.disabled[plugin.name] = nil
  plugin.off, plugin.state, plugin.reason = false, "active", nil
end

---The row of the plugin says now what disable() has said: whoever changes it is heard.
---@param plugin parley.Plugin of the current generation
function M:leave_to_row(plugin)
  self.disabled[plugin.name] = nil
  plugin.off = plugin.settings.enabled == false
end

---Undoes every disable(), from the next generation on.
function M:enable_all() self.disabled = {} end

-- Whoever gives up the last turn does not wait until everything is closed.
local function drop(self, g)
  self.alive[g.number] = nil
  task.spawn(g.close, g)
end

---Puts a generation in service; the one before goes when its last turn has finished.
---@param g parley.Generation
function M:swap(g)
  self.number = self.number + 1
  g.number, g.since_ms = self.number, time.now_ms()
  self.alive[g.number] = g
  local old = self.current
  if old then old.replaced_ms = g.since_ms end
  self.current = g
  signals.follow(self, g.triggers)
  ring.keep_spares(g)
  if self.on_swap then self.on_swap(g) end
  if old and old.refs == 0 then drop(self, old) end
end

---@param turn {dialog_id: string, since: number, asks: string|nil} that is to run on it; `asks` is
---  the plugin that it waits for
---@return parley.Generation generation hold it for a turn, then release it
function M:hold(turn)
  local g = self.current
  g.refs = g.refs + 1
  g.holders[turn] = true
  return g
end

function M:release(g, turn)
  g.refs = g.refs - 1
  g.holders[turn] = nil
  if g.refs == 0 and g ~= self.current then drop(self, g) end
end

---Waits until no generation is being built.
---@return boolean|nil ok
---@return table|nil err
function M:settle()
  while self.building do
    local ok, err = self.free:wait(WAIT_S)
    if not ok then
      err.message = "another reload is still running: try again"
      return nil, err
    end
  end
  return true
end

local function build(self, config, how)
  local given, err = {}
  if self.read then
    given, err = self.read()
    if not given then return nil, err end
  end
  given.disabled, given.master = self.disabled, self.master
  given.before, given.keep = self.current, how.keep
  if how.edit then how.edit(given) end
  local g
  g, err = generation.build(config, given)
  if not g or not how.commit then return g, err end
  local ok
  ok, err = how.commit(g)
  if ok then return g end
  g:close()
  return nil, err
end

---@class parley.ReloadHow
---@field keep? boolean plugins, rules and triggers stay as they serve; nothing is read from folders
---@field edit? fun(given: parley.Given) changes what the database says, before it does
---@field commit? fun(g: parley.Generation): boolean|nil, table|nil makes that durable, when the
---  generation is built; when it fails nothing is swapped

---Builds and swaps; on failure the old one stays. One at a time: a second caller waits for the
---first, and then builds what is on disk by then.
---@param config table
---@param how parley.ReloadHow|nil
---@return parley.Generation|nil generation
---@return table|nil err
function M:reload(config, how)
  local ok, err = self:settle()
  if not ok then return nil, err end
  self.building = true
  local good, g
  good, g, err = pcall(build, self, config, how or {})
  self.building = false
  self.free:broadcast()
  if not good then error(g, 0) end
  if not g then return nil, err end
  self:swap(g)
  return g
end

-- The turns that keep a generation alive, the longest first.
local function holders_of(g)
  local out, now = json.array(), time.mono()
  for turn in pairs(g.holders) do
    out[#out + 1] = {
      dialog_id = turn.dialog_id, plugin = turn.asks,
      seconds = math.floor((now - turn.since) * 1000) / 1000,
    }
  end
  table.sort(out, function(a, b) return a.seconds > b.seconds end)
  for i = #out, HOLDERS_SHOWN + 1, -1 do out[i] = nil end
  return out
end

-- What an old generation serves that the current one does not.
local function differing(g, current)
  local out = json.array()
  for _, p in ipairs(g.plugins) do
    local now = current.chooser.by_name[p.name]
    if not now or now.hash ~= p.hash then
      out[#out + 1] = { name = p.name, version = p.manifest.version, hash = p.hash:sub(1, 12) }
    end
  end
  return out
end

---For `parley status`: the generations that still live, newest first; of the old ones what they
---have of their own, and who holds them.
---@return table[]
function M:status()
  local out = {}
  for _, g in pairs(self.alive) do
    out[#out + 1] = {
      number = g.number, current = g == self.current, turns = g.refs, plugins = #g.plugins,
      since = time.rfc3339(g.since_ms),
      replaced = g.replaced_ms and time.rfc3339(g.replaced_ms) or nil,
      held_by = g ~= self.current and holders_of(g) or nil,
      own_plugins = g ~= self.current and differing(g, self.current) or nil,
    }
  end
  table.sort(out, function(a, b) return a.number > b.number end)
  return out
end

return M
