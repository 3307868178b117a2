-- Rows of `bots`. Their tokens are sealed here and opened here, and are in no view.
--
-- Each change gives its row the number of the revision "bots" that it makes: whoever knows the
-- numbers knows which rows to read again.

local cluster = require "parley.cluster"
local crypto = require "host.crypto"
local json = require "host.json"
local time = require "host.time"

local M = {}

---@class parley.Bot
---@field name string
---@field id integer what Telegram calls it
---@field username string|nil nil: Telegram has not been asked yet
---@field token string|nil nil: it cannot be opened, and `problem` says why
---@field transport "polling"|"webhook"
---@field state "active"|"paused"
---@field secret string of its webhook
---@field plugins string[]|nil those that its dialogs may reach; nil: all
---@field config table parley.schema.v1alpha_bots.BotConfigV1
---@field revision integer
---@field changed_at integer milliseconds: by an order
---@field gone boolean|nil it was removed
---@field problem {code: string, message: string, since: integer}|nil

---The id that Telegram has put into a token.
---@param token any
---@return integer|nil id nil: it is no token
function M.id_of(token)
  if type(token) ~= "string" or #token > 200 then return nil end
  local id = tonumber(token:match "^(%d+):[%w_-]+$")
  return id and id < 2 ^ 52 and id or nil
end

local function place(name) return "bot:" .. name end

---What Telegram shows when it calls the webhook. Nothing of it is stored.
---@param master string
---@param name string
---@param version integer
---@return string
function M.secret(master, name, version)
  return crypto.base64url(crypto.hmac_sha256(master, ("webhook:%s:%d"):format(name, version)))
end

---A row as the host works with it.
---@param row table of bots
---@param vault parley.Vault
---@param master string
---@return parley.Bot
function M.open(row, vault, master)
  local token = vault:open(row.token, place(row.name))
  return {
    name = row.name, id = row.telegram_id, username = row.username, token = token,
    transport = row.transport, state = row.state, revision = row.revision,
    changed_at = row.changed_at,
    secret = M.secret(master, row.name, row.secret_version),
    plugins = row.plugins and json.decode(row.plugins), config = json.decode(row.config),
    problem = M.locked(row, vault) or row.problem and json.decode(row.problem),
  }
end

---Why the token of a bot cannot be opened here.
---@param row table of bots
---@param vault parley.Vault
---@return {code: string, message: string, since: integer}|nil problem nil: it can
function M.locked(row, vault)
  local token, err = vault:open(row.token, place(row.name))
  return not token and { code = err.code, message = err.message, since = row.changed_at } or nil
end

---@return table|nil row nil without an error when there is none
---@return table|nil err
function M.get(db, name)
  if not name:find "^[%w_]+$" then return nil end -- a path may have anybody's text there
  return db:first("SELECT * FROM bots WHERE name = $1", name)
end

---In the order of their names.
---@param after string the last name of the page before, "" for the first page
---@return table[]|nil rows
---@return table|nil err
function M.page(db, after, limit)
  return db:query("SELECT * FROM bots WHERE name > $1 ORDER BY name LIMIT $2", after, limit)
end

---Which row has which revision.
---@return {name: string, revision: integer}[]|nil
---@return table|nil err
function M.revisions(db) return db:query "SELECT name, revision FROM bots ORDER BY name" end

-- Behind the statement that counts the revision up.
local REVISION = "(SELECT version FROM revisions WHERE name = 'bots')"

---@param bot {name: string, token: string, username: string|nil, transport: string,
---  state: string, plugins: string[]|nil, config: table|nil}
---@param vault parley.Vault
---@return table[] statements a conflict when the name or Telegram's id is taken
function M.insert(bot, vault)
  local now = time.now_ms()
  return {
    cluster.bump "bots",
    {
      "INSERT INTO bots (name, telegram_id, username, token, transport, state, plugins, config, "
        .. "revision, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
        .. REVISION .. ", $9, $9) ON CONFLICT DO NOTHING",
      bot.name, M.id_of(bot.token), bot.username, vault:seal(bot.token, place(bot.name)),
      bot.transport, bot.state, bot.plugins and json.encode(json.array(bot.plugins)),
      json.encode(bot.config or {}), now, n = 9, expect = 1,
    },
  }
end

-- What of a bot may be set, and how it is stored.
local STORED = {
  token = function(value, row, vault) return vault:seal(value, place(row.name)) end,
  plugins = function(value)
    if value == json.null then return nil end
    return json.encode(json.array(value))
  end,
  config = function(value) return json.encode(value) end,
}
local SETTABLE = {
  "token", "telegram_id", "username", "transport", "state", "secret_version", "plugins", "config",
}

---@param row table as it was read
---@param set table of SETTABLE; plugins: json.null for all
---@param vault parley.Vault
---@return table[] statements a conflict when somebody else was faster
function M.update(row, set, vault)
  local columns, values, n = {}, { row.name, row.revision, time.now_ms() }, 3
  for _, key in ipairs(SETTABLE) do
    if set[key] ~= nil then
      n = n + 1
      columns[#columns + 1] = (", %s = $%d"):format(key, n)
      values[n] = set[key]
      if STORED[key] then values[n] = STORED[key](set[key], row, vault) end
    end
  end
  local statement = {
    "UPDATE bots SET revision = " .. REVISION .. ", problem = NULL, changed_at = $3"
      .. table.concat(columns) .. " WHERE name = $1 AND revision = $2", n = n, expect = 1,
  }
  for i = 1, n do statement[i + 1] = values[i] end
  return { cluster.bump "bots", statement }
end

---What is found out about a bot is no change of it: nobody reads it again for that. Of a bot that
---was changed meanwhile it says nothing any more; that it has heard its name is no change, either.
---@param bot parley.Bot
---@param problem table|nil
---@return table statement
function M.note(bot, problem)
  return {
    "UPDATE bots SET problem = $3 WHERE name = $1 AND changed_at = $2", bot.name, bot.changed_at,
    problem and json.encode(problem), n = 3,
  }
end

---Telegram has said what a bot is called.
---@param name string
---@param username string
---@return table[] statements
function M.named(name, username)
  return {
    cluster.bump "bots",
    {
      "UPDATE bots SET username = $2, revision = " .. REVISION .. " WHERE name = $1",
      name, username,
    },
  }
end

-- What is known of a sender holds for this bot only: the next one of the name may be another.
local OF_SENDER = {
  "DELETE FROM chats WHERE sender = $1", "DELETE FROM published WHERE sender = $1",
  "DELETE FROM blob_files WHERE sender = $1",
}

---Takes a bot away, what was known to its sender, and what would still be done in its name.
---@param row table as it was read
---@return table[] statements a conflict when somebody else was faster
function M.remove(row)
  local from, below = ("tg:%s:"):format(row.name), ("tg:%s;"):format(row.name)
  local out = {
    cluster.bump "bots",
    { "DELETE FROM bots WHERE name = $1 AND revision = $2", row.name, row.revision, expect = 1 },
    {
      "UPDATE outbox SET state = 'dead', error = $2, done_at = $3 "
        .. "WHERE sender = $1 AND state = 'open'", "tg:" .. row.name,
      json.encode { code = "removed", message = "the bot was removed" }, time.now_ms(),
    },
    {
      "UPDATE jobs SET state = 'cancelled' WHERE dialog_id >= $1 AND dialog_id < $2 "
        .. "AND state = 'open'", from, below,
    },
    -- Another bot may come under this name, and is not to go on with them.
    {
      "UPDATE broadcasts SET state = 'cancelled', live = 1, finished_at = $2 WHERE bot = $1 "
        .. "AND state NOT IN ('done', 'cancelled')", row.name, time.now_ms(),
    },
    cluster.bump "broadcasts",
  }
  for _, statement in ipairs(OF_SENDER) do out[#out + 1] = { statement, "tg:" .. row.name } end
  return out
end

return M
