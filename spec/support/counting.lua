-- A plugin that counts, and updates as Telegram brings them: whatever is lost, doubled or out of order shows in its answers.

local M = {}

M.MAIN = [[
local p = parley.plugin()
p.on.command('count', function(c)
  c.session.n = (c.session.n or 0) + 1
  c:reply(tostring(c.session.n))
end)
return p
]]

---An update with a text of a person in their own chat.
---@param id integer of the update, and of the message
---@param user table of the simulated Telegram
---@param text string
function M.update(id, user, text)
  return {
    update_id = id,
    message = {
      message_id = id, date = 1, text = text, chat = { id = user.id, type = "private" },
      from = { id = user.id, is_bot = false, first_name = "Ann" },
      entities = text:find "^/" and { { type = "bot_command", offset = 0, length = #text } } or nil,
    },
  }
end

return M
