-- Reads the definitions that editors read (LuaCATS, templates/editor/types): what a plugin has,
-- with the types, in sections. A section begins with `-- ## TITLE`, or with `-- ## TITLE (example:
-- FOLDER)`, and lines of comment that introduce it.

local fs = require "host.fs"

local M = {}

-- What a variable of the definitions is called where it is used. One file at a time: `plugin` and
-- `bot` are names of the definitions only.
local SHOWN = {
  plugin = "p", on = "p.on", Context = "c", Text = "text", json = "parley.json", kv = "c.kv",
  http = "c.http", files = "c.files", llm = "c.llm", log = "c.log",
}

---@class parley.reference.Value
---@field name string
---@field type string as LuaCATS has it
---@field optional boolean
---@field text string

---@class parley.reference.Function
---@field call string how it is called: "c:reply"
---@field owner string variable of the definitions
---@field name string
---@field parameters string[]
---@field text string
---@field params parley.reference.Value[]
---@field returns parley.reference.Value[]
---@field may_skip table<string, boolean> parameters that another form of it leaves out

---@class parley.reference.Class
---@field name string "parley.Reply"
---@field parent string|nil
---@field text string
---@field fields parley.reference.Value[]
---@field owner string|nil the variable whose functions are its methods
---@field alias string|nil the type that it is another name of

---@class parley.reference.Section
---@field title string
---@field example string|nil
---@field text string
---@field items (parley.reference.Function|parley.reference.Class)[]

-- Where a type ends: at a space that is not inside of brackets, nor behind what must go on.
local function split_type(text)
  local depth, i, quoted = 0, 1, false
  while i <= #text do
    local ch = text:sub(i, i)
    if ch == '"' then quoted = not quoted end
    if not quoted then
      if ch:find "[%(%[{<]" then depth = depth + 1 end
      if ch:find "[%)%]}>]" then depth = depth - 1 end
      if ch == " " and depth == 0 and not text:sub(1, i - 1):find "[:,|]$" then break end
    end
    i = i + 1
  end
  return text:sub(1, i - 1), (text:sub(i):gsub("^%s+", ""))
end

local function value(name, rest)
  local kind, text = split_type(rest)
  return {
    name = name:gsub("%?$", ""), optional = name:sub(-1) == "?", type = kind, text = text,
  }
end

local function join(lines) return (table.concat(lines, "\n"):gsub("^%s+", ""):gsub("%s+$", "")) end

local function function_of(doc, owner, colon, name, list)
  local parameters = {}
  for p in list:gmatch "[%w_%.]+" do parameters[#parameters + 1] = p end
  local may_skip = {}
  if doc.overload then
    for _, p in ipairs(parameters) do
      may_skip[p] = not doc.overload:find("[%(%s]" .. p:gsub("%.", "%%.") .. ":")
    end
  end
  return {
    call = (SHOWN[owner] or owner) .. colon .. name, owner = owner, name = name,
    parameters = parameters, text = join(doc.text), params = doc.params, returns = doc.returns,
    may_skip = may_skip,
  }
end

local function new_doc() return { text = {}, params = {}, returns = {} } end

-- One line `---@...`; a class or an alias is an item of its own.
local function tag(doc, kind, rest, class, add)
  if kind == "param" or kind == "field" then
    local name, more = rest:match "^(%[.-%]%??)%s+(.*)$"
    if not name then name, more = rest:match "^(%S+)%s+(.*)$" end
    name = name:gsub('^%["(.*)"%]', "%1")
    local list = kind == "param" and doc.params or class.fields
    list[#list + 1] = value(name, more)
  elseif kind == "return" then
    local of, more = split_type(rest)
    local name, text = more:match "^([%w_]+)%s*(.*)$"
    doc.returns[#doc.returns + 1] = { name = name or "", type = of, text = text or more }
  elseif kind == "overload" then
    doc.overload = rest
  elseif kind == "class" then
    local name, parent = rest:match "^([%w_.]+):?%s*([%w_.]*)"
    return add {
      name = name, parent = parent ~= "" and parent or nil, text = join(doc.text), fields = {},
    }
  elseif kind == "alias" then
    local name, of = rest:match "^(%S+)%s+(.*)$"
    add { name = name, alias = of, text = join(doc.text), fields = {} }
  end
  return class
end

local function read_file(path, sections)
  local section, class, doc, opening = nil, nil, new_doc(), false
  local function add(item)
    assert(section, path .. ": a section comes first")
    section.items[#section.items + 1] = item
    return item
  end
  for line in (assert(fs.read(path)) .. "\n"):gmatch "(.-)\n" do
    local title = line:match "^%-%- ## (.*)$"
    local kind, rest = line:match "^%-%-%-@(%w+)%s*(.*)$"
    local text = line:match "^%-%-%-(.*)$"
    local variable = line:match "^local ([%w_]+) = {}" or line:match "^([%w_]+) = {}"
    local owner, colon, name, list = line:match "^function ([%w_]+)([.:])([%w_]+)(%b())"
    if title then
      section = { title = title:gsub("%s*%(example: .*%)$", ""), text = {}, items = {},
        example = title:match "%(example: ([%w_]+)%)" }
      sections[#sections + 1], opening, doc = section, true, new_doc()
    elseif opening and line:find "^%-%- ?" and not text then
      section.text[#section.text + 1] = (line:gsub("^%-%- ?", ""))
    elseif kind then
      class = tag(doc, kind, rest, class, add)
      if kind == "class" or kind == "alias" then doc = new_doc() end
    elseif variable and class then
      class.owner = variable
    elseif text then
      doc.text[#doc.text + 1] = text
    elseif owner then
      add(function_of(doc, owner, colon, name, list))
      doc = new_doc()
    else
      doc, opening = new_doc(), false
    end
  end
end

---@param dir string of the definitions
---@return parley.reference.Section[] in the order in which they stand there, files by their name
function M.read(dir)
  local out = {}
  local names = fs.list(dir)
  table.sort(names)
  for _, name in ipairs(names) do read_file(dir .. "/" .. name, out) end
  for _, section in ipairs(out) do section.text = join(section.text) end
  return out
end

return M
