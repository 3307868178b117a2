-- Menus: one message with buttons, described by a function that is called whenever it is to be
-- shown. The host compares: what is the same is not sent again, what has changed is edited.

local C, add, check, messages = parley.methods, parley.add, parley.check, parley.messages
local misuse, mine = check.misuse, check.context

local menus = {} -- {fn, at} of p.menu, by name

local WAYS = { "data", "url", "menu", "back", "close" }
local BUTTON = {
  text = "string", data = "table", url = "string", menu = "string", args = "table", back = "any",
  close = "boolean",
}
local VIEW = {
  text = "any", format = "string", entities = "table", rows = "table", keyboard = "table",
}

---p.menu("main", function(c, args) return { text = ..., rows = ... } end)
local function menu(name, fn)
  if type(name) ~= "string" or not name:find "^[%w_.]+$" or #name > 32 then
    misuse("menu: a name like 'main' expected, got '%s'", check.show(name))
  end
  if type(fn) ~= "function" then
    misuse("menu '%s': a function expected, got %s", name, fn == nil and "nothing" or type(fn))
  end
  if menus[name] then misuse("menu '%s' is registered twice", name) end
  menus[name] = { fn = fn, at = check.position() }
end

-- What its function gives is looked at when that has returned: the line is that of p.menu.
local function wrong(name, fmt, ...)
  error(("%smenu '%s': %s"):format(menus[name].at, name, fmt:format(...)), 0)
end

local function check_button(name, b)
  if type(b) ~= "table" or type(b.text) ~= "string" then
    wrong(name, "a button is { text = ..., ... }")
  end
  for key, value in pairs(b) do
    local kind = BUTTON[key]
    if not kind then
      wrong(name, "the button '%s' has no field '%s'%s", b.text, check.show(key),
        check.hint(key, BUTTON))
    elseif kind ~= "any" and type(value) ~= kind then
      wrong(name, "the button '%s': %s: a %s expected, got a %s", b.text, key, kind, type(value))
    end
  end
  if b.menu ~= nil and not menus[b.menu] then
    wrong(name, "the button '%s' leads to '%s', but there is no p.menu(\"%s\", ...)%s", b.text,
      b.menu, b.menu, check.hint(b.menu, menus))
  end
  if b.data and not check.registered.takes(b.data) then
    wrong(name, "nobody takes the press of the button '%s': there is no p.on.callback for { %s }",
      b.text, check.list(b.data))
  end
  local ways = 0
  for _, way in ipairs(WAYS) do
    if b[way] then ways = ways + 1 end
  end
  if ways > 1 then wrong(name, "the button '%s' does more than one thing", b.text) end
end

local function check_rows(name, rows)
  if rows == nil then return end
  for _, row in ipairs(rows) do
    if type(row) ~= "table" or row.text then wrong(name, "each row is a list of buttons") end
    for _, b in ipairs(row) do check_button(name, b) end
  end
end

local function check_view(name, what)
  if type(what) ~= "table" then
    wrong(name, "a table with a text and rows expected, got %s",
      what == nil and "nothing" or type(what))
  end
  for key, value in pairs(what) do
    local kind = VIEW[key]
    if not kind then
      wrong(name, "there is no field '%s'%s", check.show(key), check.hint(key, VIEW))
    elseif kind ~= "any" and type(value) ~= kind then
      wrong(name, "%s: a %s expected, got a %s", key, kind, type(value))
    end
  end
end

-- What the function gives, as an action.
local function action_of(name, args, what)
  if messages.is_built(what) then what = { text = what } end
  check_view(name, what)
  local text, format, entities = what.text, what.format, what.entities
  if messages.is_built(text) then
    local built = text:reply()
    text, format, entities = built.text, built.format, built.entities
  end
  if type(text) ~= "string" or text == "" then wrong(name, "its text is missing") end
  check_rows(name, what.rows)
  return {
    type = "menu", name = name, args = args, text = text, format = format, entities = entities,
    buttons = what.rows and #what.rows > 0 and what.rows or nil,
  }
end

-- Shows a menu that is there.
local function show(c, name, args)
  local what = menus[name].fn(c, args or {})
  local action = action_of(name, args, what)
  if what.keyboard then c:keyboard(what.keyboard) end
  add(c, action)
  c._menu = true
end

---Opens a menu, or shows it as it is now. Without a name: the one that is open.
function C:menu(name, args)
  mine(self, "menu")
  if name == nil then
    local open = self.dialog.menu
    if not open or not menus[open.name] then return false end
    name, args = open.name, open.args
  end
  if not menus[name] then
    misuse("menu: there is no p.menu(\"%s\", ...)%s", check.show(name), check.hint(name, menus))
  end
  if args ~= nil and type(args) ~= "table" then
    misuse("menu: a table of arguments expected, got %s", type(args))
  end
  show(self, name, args)
  return true
end

---Takes the menu away.
function C:close_menu()
  mine(self, "close_menu")
  add(self, { type = "menu", close = true })
  self._menu = true
end

---Buttons in the place of the phone's keyboard, { text =, rows = { { "Book", { text =, data = } } }
---}, or { text =, remove = true }. Nothing is sent when they are there already.
function C:keyboard(what)
  mine(self, "keyboard")
  if type(what) ~= "table" or type(what.text) ~= "string" then
    misuse("keyboard: { text = ..., rows = ... } expected")
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
