-- The bots that this worker knows: those of table `bots`. Every worker knows all of them; which of
-- them it polls and sends for is another matter (shards.lua).
--
-- A bot stays the same table as long as it is there: who holds one sees its changes.

local api = require "parley.channels.telegram.api"
local bots = require "parley.store.bots"
local terms = require "parley.turn.terms"
local vaults = require "parley.auth.vault"

local M = {}
M.__index = M

local PAGE = 500
local SINGLY = 20 -- changed rows that are read one by one, not with all others

---@class parley.FleetChange
---@field bot parley.Bot
---@field gone boolean|nil
---@field again boolean|nil it has another token or state
---@field turned boolean|nil its updates come another way

---@param deps {db: table, master: string, config: table} config: telegram of parley.config
function M.new(deps)
  return setmetatable({
    db = deps.db, master = deps.master, config = deps.config, vault = vaults.new(deps.master),
    bots = {}, apis = {}, terms_of = {},
  }, M)
end

---@param name string
---@return parley.Bot|nil
function M:get(name) return self.bots[name] end

---All bots, in no order.
---@return fun(): string, parley.Bot
function M:each() return pairs(self.bots) end

---The client that calls the Bot API for a bot.
---@param name string
---@return table|nil api nil: there is no such bot, or its token cannot be opened
function M:api(name)
  local bot = self.bots[name]
  if not bot or not bot.token then return nil end
  if not self.apis[name] then
    self.apis[name] = api.new { token = bot.token, url = self.config.api }
  end
  return self.apis[name]
end

---What a bot sets for its dialogs.
---@param name string
---@return parley.Terms|nil
function M:terms(name)
  local bot = self.bots[name]
  if not bot then return nil end
  if self.terms_of[name] == nil then self.terms_of[name] = terms.new(bot) end
  return self.terms_of[name]
end

local RESTART = { "token", "state", "id" }

-- Takes a row over into the bot of its name. Returns what has changed, nil for nothing.
local function take_over(self, row)
  local known, fresh = self.bots[row.name], bots.open(row, self.vault, self.master)
  if not known then
    self.bots[row.name] = fresh
    return { bot = fresh, again = true }
  end
  self.terms_of[row.name] = nil
  local change = { bot = known, turned = known.transport ~= fresh.transport }
  for _, key in ipairs(RESTART) do change.again = change.again or known[key] ~= fresh[key] end
  for key in pairs(known) do
    if fresh[key] == nil then known[key] = nil end
  end
  for key, value in pairs(fresh) do known[key] = value end
  if change.again then self.apis[row.name] = nil end
  return change
end

local function read_all(self, changed, changes)
  local after = ""
  repeat
    local rows, err = bots.page(self.db, after, PAGE)
    if not rows then return nil, err end
    for _, row in ipairs(rows) do
      if changed[row.name] then changes[#changes + 1] = take_over(self, row) end
    end
    after = #rows == PAGE and rows[PAGE].name
  until not after
  return true
end

local function read_some(self, changed, changes)
  for name in pairs(changed) do
    local row, err = bots.get(self.db, name)
    if err then return nil, err end
    if row then changes[#changes + 1] = take_over(self, row) end
  end
  return true
end

---Reads what has changed since the last time.
---@return parley.FleetChange[]|nil changes
---@return table|nil err of the database; what was read before stays
function M:sync()
  local rows, err = bots.revisions(self.db)
  if not rows then return nil, err end
  local here, changed, n, changes = {}, {}, 0, {}
  for _, row in ipairs(rows) do
    local known = self.bots[row.name]
    here[row.name] = true
    if not known or known.revision ~= row.revision then
      changed[row.name], n = true, n + 1
    end
  end
  local ok
  ok, err = (n <= SINGLY and read_some or read_all)(self, changed, changes)
  if not ok then return nil, err end
  for name, bot in pairs(self.bots) do
    if not here[name] then
      self.bots[name], self.apis[name], self.terms_of[name] = nil, nil, nil
      bot.gone = true
      changes[#changes + 1] = { bot = bot, gone = true }
    end
  end
  self.synced = true
  return changes
end

return M
