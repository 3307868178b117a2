-- People who have written to a bot of the simulated Telegram some time: there, and in a database.

local crypto = require "host.crypto"
local json = require "host.json"

local M = {}

---@param sim table parley.sim.telegram
---@param bot table of its world; the host knows it as "main"
---@param db table
---@param n integer
---@param more {locale: string?, role: string?, attributes: table?, state: table?}|nil of them and their dialogs
---@return integer[] ids in Telegram
function M.add(sim, bot, db, n, more)
  more = more or {}
  local out, statements = {}, {}
  for i = 1, n do
    local user, id = sim.world:add_user { language_code = more.locale }, crypto.uuid7()
    sim.world:private(bot, user)
    out[i] = user.id
    statements[#statements + 1] = {
      "INSERT INTO users (id, telegram_id, locale, role, attributes, created_at, updated_at) "
        .. "VALUES ($1, $2, $3, $4, $5, 1, 1)", id, user.id, more.locale or "en", more.role or "user",
      more.attributes and json.encode(more.attributes), n = 5,
    }
    statements[#statements + 1] = {
      "INSERT INTO dialogs (id, user_id, channel, locale, status, state, version, created_at, last_message_at) "
        .. "VALUES ($1, $2, 'telegram', 'en', 'active', $3, 1, 1, 1)",
      "tg:main:" .. user.id, id, more.state and json.encode(more.state), n = 3,
    }
  end
  for from = 1, #statements, 1000 do
    assert(db:commit { unpack(statements, from, math.min(from + 999, #statements)) })
  end
  return out
end

---What the bot has said to one of them.
---@return string[]
function M.heard(sim, bot, user_id)
  local out = {}
  local given = { bot = bot.user.username, chat = tostring(user_id) }
  for _, m in ipairs(sim:view("messages", given).messages) do
    if m.from == bot.user then out[#out + 1] = m.text or m.caption or "?" end
  end
  return out
end

return M
