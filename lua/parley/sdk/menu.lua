-- Menus: one message with buttons, described by a function that is called whenever it is to be
-- shown. The host compares: what is the same is not sent again, what has changed is edited.

local C, add = parley.methods, parley.add

local menus = {} -- the functions of p.menu, by name

local WAYS = { "data", "url", "menu", "back", "close" }

local function misuse(level, fmt, ...) error(fmt:format(...), level + 1) end

---p.menu("main", function(c, args) return { text = ..., rows = ... } end)
local function menu(name, fn)
  if type(name) ~= "string" or not name:find "^[%w_.]+$" or #name > 32 then
    misuse(2, "menu: a name like 'main' expected, got '%s'", tostring(name))
  end
  if type(fn) ~= "function" then misuse(2, "menu '%s': a function expected", name) end
  if menus[name] then misuse(2, "menu '%s' is registered twice", name) end
  menus[name] = fn
end

-- A mistake in what a menu's function gives is the function's: level 0 names the menu.
local function check_button(name, b)
  if type(b) ~= "table" or type(b.text) ~= "string" then
    error(("menu '%s': a button is { text = ..., ... }"):format(name), 0)
  end
  if b.menu ~= nil and not menus[b.menu] then
    error(("menu '%s': the button '%s' leads to '%s', but there is no p.menu(\"%s\", ...)"):format(
      name, b.text, tostring(b.menu), tostring(b.menu)), 0)
  end
  local ways = 0
  for _, way in ipairs(WAYS) do
    if b[way] then ways = ways + 1 end
  end
  if ways > 1 then
    error(("menu '%s': the button '%s' does more than one thing"):format(name, b.text), 0)
  end
end

local function check_rows(name, rows)
  if rows == nil then return end
  if type(rows) ~= "table" then error(("menu '%s': rows of buttons expected"):format(name), 0) end
  for _, row in ipairs(rows) do
    if type(row) ~= "table" or row.text then
      error(("menu '%s': each row is a list of buttons"):format(name), 0)
    end
    for _, b in ipairs(row) do check_button(name, b) end
  end
end

-- What the function gives, as an action.
local function action_of(name, args, what)
  if type(what) == "table" and getmetatable(what) == false and rawget(what, "parts") then
    what = { text = what }
  end
  if type(what) ~= "table" then
    error(("menu '%s': a table with a text and rows expected, got %s"):format(name, type(what)), 0)
  end
  local text, format, entities = what.text, what.format, what.entities
  if type(text) == "table" and rawget(text, "parts") then
    local built = text:reply()
    text, format, entities = built.text, built.format, built.entities
  end
  if type(text) ~= "string" or text == "" then
    error(("menu '%s': its text is missing"):format(name), 0)
  end
  check_rows(name, what.rows)
  return {
    type = "menu", name = name, args = args, text = text, format = format, entities = entities,
    buttons = what.rows and #what.rows > 0 and what.rows or nil,
  }
end

-- Shows a menu that is there.
local function show(c, name, args)
  local what = menus[name](c, args or {})
  local action = action_of(name, args, what)
  if what.keyboard then c:keyboard(what.keyboard) end
  add(c, action)
  c._menu = true
end

---Opens a menu, or shows it as it is now. Without a name: the one that is open.
function C:menu(name, args)
  if name == nil then
    local open = self.dialog.menu
    if not open or not menus[open.name] then return false end
    name, args = open.name, open.args
  end
  if not menus[name] then misuse(2, "menu: there is no p.menu(\"%s\", ...)", tostring(name)) end
  if args ~= nil and type(args) ~= "table" then
    misuse(2, "menu: a table of arguments expected, got %s", type(args))
  end
  show(self, name, args)
  return true
end

---Takes the menu away.
function C:close_menu()
  add(self, { type = "menu", close = true })
  self._menu = true
end

---Buttons in the place of the phone's keyboard, { text =, rows = { { "Book", { text =, data = } } }
---}, or { text =, remove = true }. Nothing is sent when they are there already.
function C:keyboard(what)
  if type(what) ~= "table" or type(what.text) ~= "string" then
    misuse(2, "keyboard: { text = ..., rows = ... } expected")
  end
  local keyboard = {
    remove = what.remove, persistent = what.persistent, once = what.once,
    placeholder = what.placeholder,
  }
  if what.rows then
    keyboard.rows = {}
    for i, row in ipairs(what.rows) do
      keyboard.rows[i] = {}
      for k, b in ipairs(row) do keyboard.rows[i][k] = type(b) == "table" and b or { text = b } end
    end
  end
  add(self, { type = "keyboard", text = what.text, keyboard = keyboard })
end

-- What the host asks for when a button leads to a menu; nil: there is no such menu.
local function asked(event)
  local wanted = event.menu
  if not menus[wanted.name] then return nil end
  return { options = {}, fn = function(c) show(c, wanted.name, wanted.args) end }
end

-- After a press on the menu it is shown as it is now, unless the handler has done that.
local function refresh(c)
  local message, open = c.message, c.dialog.menu
  local pressed = c.event.type == "callback" and message.payload and message.payload.menu
  if not pressed or c._menu or c._end or c._declined then return end
  if open and menus[open.name] then show(c, open.name, open.args) end
end

local function registered()
  local names = {}
  for name in pairs(menus) do names[#names + 1] = name end
  return names
end

parley.menu = { register = menu, asked = asked, refresh = refresh, names = registered }
