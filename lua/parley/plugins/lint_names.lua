-- Names that the code of a plugin has written out - c:menu "cart", c:schedule { job = "ask" } - and
-- that nothing is registered or declared under: at run time the event would fail. Names that the
-- code puts together cannot be known here.

local suggest = require "parley.util.suggest"

local M = {}

local NAME = "[\"']([%w_.]+)[\"']()"
local CALLED = "%s*%(?%s*"
local MENU = "there is no p.menu(\"%s\", ...)"
local JOB = "there is no p.on.job(\"%s\", ...)"

-- What a line looks like that has a name of a kind, and what is said when there is none like it.
local USES = {
  { "menu", "%f[%w_][%w_]+:menu" .. CALLED .. NAME, MENU },
  { "menu", "%f[%w_]menu%s*=%s*" .. NAME, MENU },
  { "menu", "%f[%w_]back%s*=%s*" .. NAME, MENU },
  { "job", "%f[%w_][%w_]+:schedule%f[^%w_].-%f[%w_]job%s*=%s*" .. NAME, JOB },
  { "job", "%f[%w_][%w_]+:every%f[^%w_].-%f[%w_]job%s*=%s*" .. NAME, JOB },
  { "enter", "%f[%w_][%w_]+:enter" .. CALLED .. NAME,
    "there is no p.on.state(\"%s\", ...), nor a p.conversation of this name" },
  { "secret", "%f[%w_][%w_]+%.secret%.([%w_]+)()",
    "manifest.json does not name '%s' in \"secrets\", so no request is made with it" },
}

---". Did you mean 'x'?", or "".
function M.hint(name, names)
  local hint = suggest.hint(name, names)
  return hint == "" and "" or "." .. hint
end

local function set_of(...)
  local set = {}
  for _, list in ipairs { ... } do
    for _, name in ipairs(list) do set[name] = true end
  end
  return set
end

---What looks for such names in one file after the other.
---@param warn fun(file: string, line: integer, fmt: string, ...)
---@param m table the manifest
---@param registered table what main.lua has registered: kind -> names
---@return fun(file: string, source: string)
function M.checker(warn, m, registered)
  local known = {
    menu = set_of(registered.menu or {}), job = set_of(registered.job or {}),
    enter = set_of(registered.state or {}, registered.conversation or {}),
    secret = set_of(m.secrets or {}),
  }
  -- Where there are no menus, `menu = ` and `back = ` are the author's own.
  if not next(known.menu) then known.menu = nil end
  return function(file, source)
    local number = 0
    for line in (source .. "\n"):gmatch "(.-)\r?\n" do
      number = number + 1
      line = line:gsub("%-%-.*", "")
      for _, use in ipairs(USES) do
        local names = known[use[1]]
        for name, after in line:gmatch(use[2]) do
          if names and not names[name] and not line:find("^%s*%.%.", after) then
            warn(file, number, "%s%s", use[3]:format(name), M.hint(name, names))
          end
        end
      end
    end
  end
end

return M
