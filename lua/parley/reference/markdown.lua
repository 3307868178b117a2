-- The API reference of plugins as a page: the definitions of parley.reference.definitions, and the
-- examples that use them, each a plugin with its spec.

local definitions = require "parley.reference.definitions"
local fs = require "host.fs"

local M = {}

-- The order in which an author meets things.
local ORDER = {
  "The plugin", "Handlers", "The context", "Answering", "Formatted text", "Conversations",
  "Menus and keyboards", "The dialog", "Time, events, other people", "Values", "HTTP", "Files",
  "Language models", "The log", "Telegram", "The test kit", "Beside plain Lua",
}

local HEAD = [[
# Plugin API

Everything that a plugin in Lua can call, with its types. [The plugin guide](plugin-guide.md) tells
how it goes together. This page is made of the definitions that editors read, by `parley types
--markdown`; the examples are plugins that work, each with its spec.

In signatures `c` is the context that each handler gets, `p` the plugin, `kit` the test kit and
`bot` what it starts. What stands in `[...]` may be left out. A call that fails because of its
surroundings gives `nil` and an [Error](#error); one that is used wrongly raises an error at the
line that has called it.
]]

local function anchor(title)
  return (title:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-"))
end

local function short(name) return (name:gsub("^parley%.", "")) end

-- The parts of a union, not of those inside of brackets.
local function union(text)
  local out, depth, from = {}, 0, 1
  for i = 1, #text do
    local ch = text:sub(i, i)
    if ch:find "[%(%[{<]" then depth = depth + 1 end
    if ch:find "[%)%]}>]" then depth = depth - 1 end
    -- What a function gives is part of it.
    if ch == "|" and depth == 0 and not text:sub(from, i):find "^%(?fun%(" then
      out[#out + 1] = text:sub(from, i - 1)
      from = i + 1
    end
  end
  out[#out + 1] = text:sub(from)
  return out
end

-- A type for people: its parts in words, classes as links.
local function type_text(known, text, in_table)
  local out = {}
  for i, part in ipairs(union((text:gsub("%?$", "|nil")))) do
    local class, rest = part:match "^(parley%.[%w_.]+)([%[%]]*)$"
    if class and known[class] then
      local name = ("[%s](#%s)"):format(short(class), known[class])
      out[i] = rest == "" and name or rest == "[]" and "list of " .. name
        or "list of lists of " .. name
    else
      out[i] = "`" .. (part:gsub("parley%.", "")) .. "`"
    end
  end
  local joined = table.concat(out, " or ")
  return in_table and (joined:gsub("|", "\\|")) or joined
end

-- "name, [options,] fn"
local function signature(f)
  local optional = {}
  for _, p in ipairs(f.params) do optional[p.name] = p.optional end
  local out = {}
  for i, name in ipairs(f.parameters) do
    local comma = i < #f.parameters
    if f.may_skip[name] or optional[name] then
      out[i] = "[" .. name .. (comma and "," or "") .. "]" .. (comma and " " or "")
    else
      out[i] = name .. (comma and ", " or "")
    end
  end
  return ("%s(%s)"):format(f.call, table.concat(out):gsub(", %[", ", ["):gsub("%s$", ""))
end

local function write_function(out, known, f)
  out("### `%s`\n\n", signature(f))
  if f.text ~= "" then out("%s\n\n", f.text) end
  for _, p in ipairs(f.params) do
    out("- `%s`: %s%s\n", p.name, type_text(known, p.type), p.text ~= "" and ", " .. p.text or "")
  end
  for i, r in ipairs(f.returns) do
    local name = r.name ~= "" and r.name ~= "self" and (" `%s`"):format(r.name) or ""
    out("- %s%s: %s%s\n", i == 1 and "gives" or "and", name, type_text(known, r.type),
      r.text ~= "" and ", " .. r.text or "")
  end
  if #f.params + #f.returns > 0 then out "\n" end
end

local function write_class(out, known, class)
  out("### %s\n\n", short(class.name))
  if class.text ~= "" then out("%s\n\n", class.text) end
  if class.alias then return out("%s\n\n", type_text(known, class.alias)) end
  if class.parent then
    out("The fields of [%s](#%s), and:\n\n", short(class.parent), known[class.parent])
  end
  if #class.fields == 0 then return end
  out "| field | type | what |\n| --- | --- | --- |\n"
  for _, f in ipairs(class.fields) do
    out("| `%s`%s | %s | %s |\n", f.name, f.optional and "?" or "", type_text(known, f.type, true),
      (f.text:gsub("|", "\\|")))
  end
  out "\n"
end

local function write_example(out, dir)
  local function file(name, language)
    local text = assert(fs.read(dir .. "/" .. name))
    out("```%s\n%s```\n\n", language, text)
  end
  out "### An example\n\n"
  file("main.lua", "lua")
  local name = dir:match "([^/]+)$"
  out "Its spec:\n\n"
  file("spec/" .. name .. "_spec.lua", "lua")
end

-- Sections of the same title, in several files, are one.
local function gather(sections)
  local by_title = {}
  for _, s in ipairs(sections) do
    local all = by_title[s.title] or { title = s.title, text = "", items = {} }
    by_title[s.title] = all
    all.example = all.example or s.example
    if s.text ~= "" then all.text = all.text == "" and s.text or all.text .. "\n\n" .. s.text end
    for _, item in ipairs(s.items) do all.items[#all.items + 1] = item end
  end
  local out = {}
  for i, title in ipairs(ORDER) do
    out[i] = assert(by_title[title], title .. ": there is no such section")
    by_title[title] = nil
  end
  assert(not next(by_title), next(by_title))
  return out
end

---The sections of the page, in its order.
---@param dir string|nil of templates/
---@return parley.reference.Section[]
function M.sections(dir)
  return gather(definitions.read((dir or fs.data_dir() .. "/templates") .. "/editor/types"))
end

-- What is only functions is not shown by itself: its section is about it.
local function is_shown(class) return #class.fields > 0 or class.alias or not class.owner end

-- Where each class is told of, by its name.
local function places(sections)
  local out = {}
  for _, s in ipairs(sections) do
    for _, item in ipairs(s.items) do
      if not item.call then
        out[item.name] = anchor(is_shown(item) and short(item.name) or s.title)
      end
    end
  end
  return out
end

local function write_section(out, known, s, dir)
  out("\n## %s\n\n", s.title)
  if s.text ~= "" then out("%s\n\n", s.text) end
  for _, item in ipairs(s.items) do
    if not item.call and not is_shown(item) and item.text ~= "" then out("%s\n\n", item.text) end
  end
  for _, item in ipairs(s.items) do
    if item.call then write_function(out, known, item) end
  end
  for _, item in ipairs(s.items) do
    if not item.call and is_shown(item) then write_class(out, known, item) end
  end
  if s.example then write_example(out, dir .. "/reference/" .. s.example) end
end

---The page.
---@param dir string|nil of templates/
---@return string
function M.page(dir)
  dir = dir or fs.data_dir() .. "/templates"
  local parts = {}
  local function out(text, ...)
    parts[#parts + 1] = select("#", ...) > 0 and text:format(...) or text
  end
  local sections = M.sections(dir)
  local known = places(sections)
  out "<!-- Made by `parley types --markdown`; edit templates/editor/types instead. -->\n\n"
  out(HEAD .. "\n")
  for _, s in ipairs(sections) do
    local calls = {}
    for _, item in ipairs(s.items) do
      if item.call then
        calls[#calls + 1] = ("[`%s`](#%s)"):format(item.call, anchor(signature(item)))
      end
    end
    out("- [%s](#%s)%s\n", s.title, anchor(s.title),
      #calls > 0 and ": " .. table.concat(calls, ", ") or "")
  end
  for _, s in ipairs(sections) do write_section(out, known, s, dir) end
  return (table.concat(parts):gsub("\n\n\n+", "\n\n"):gsub("%s*$", "\n"))
end

return M
