-- Handlers of NAME. `parley plugin run` talks to it and reloads it at every save.

local p = parley.plugin()

---@param c parley.Context
local function greet(c)
  c.session.visits = (c.session.visits or 0) + 1
  c:reply {
    text = c:t("hello", { name = c.user.name or c:t "friend", n = c.session.visits }),
    buttons = { { { text = c:t "again", data = { go = "again" } } } },
  }
end

p.on.command("NAME", greet)
p.on.intent("NAME.hello", greet)
p.on.callback({ go = "enum(again)" }, greet)

return p
