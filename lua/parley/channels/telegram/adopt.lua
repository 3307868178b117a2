-- The bot of the setting telegram.token (TELEGRAM_BOT_TOKEN): the host adds it when it starts, and
-- from then on it is a bot like all others, known to every worker and command, token or not.

local audit = require "parley.store.audit"
local bots = require "parley.store.bots"
local json = require "host.json"

local M = {}

---What it is called.
M.NAME = "main"

local TRIES = 3 -- other workers start at the same moment

local function event(id, changed)
  return audit.insert {
    source = "settings", action = changed and "bot_changed" or "bot_added", severity = "info",
    details = { bot = M.NAME, telegram_id = id, changed = changed },
  }
end

-- What there is to be done. Nil: nothing.
local function statements(self, row, id)
  if row and row.telegram_id == id then
    if bots.open(row, self.vault, self.master).token == self.token then return nil end
    local out = bots.update(row, { token = self.token }, self.vault)
    out[#out + 1] = event(id, json.array { "token" })
    return out
  end
  -- The token of another bot: nothing that was known of the one before holds for it.
  local out = row and bots.remove(row) or {}
  for _, statement in ipairs(bots.insert({
    name = M.NAME, token = self.token, transport = "polling", state = "active",
  }, self.vault)) do
    out[#out + 1] = statement
  end
  out[#out + 1] = event(id)
  return out
end

local function try(self, id)
  local row, err = bots.get(self.db, M.NAME)
  if err then return nil, err end
  local other
  other, err = self.db:first("SELECT name FROM bots WHERE telegram_id = $1 AND name <> $2", id,
    M.NAME)
  if err then return nil, err end
  if other then
    self.log("warn", "the bot of TELEGRAM_BOT_TOKEN was added under another name, and goes on "
      .. "under that one", { bot = other.name })
    return true
  end
  local todo = statements(self, row, id)
  if not todo then return true end
  return self.db:commit(todo)
end

---Sees to it that the bot of the settings is there, with the token of the settings.
---@param self {db: table, vault: parley.Vault, master: string, token: string, log: function}
---@return boolean|nil ok
---@return table|nil err of the database: to be tried again
function M.run(self)
  local id = bots.id_of(self.token)
  if not id then
    self.log("error", "TELEGRAM_BOT_TOKEN is no token of a bot: @BotFather gives one like "
      .. "123456789:ABCdefGHIjklMNOpqrSTUvwxYZ")
    return true
  end
  local ok, err
  for _ = 1, TRIES do
    ok, err = try(self, id)
    if ok or err.code ~= "conflict" then break end
  end
  return ok, err
end

return M
