-- docs/events.md, held to the code: every event that Parley itself writes, its stream, the triggers that ship.
--
-- The names are found where they are handed to a function that writes the audit. One that is handed on by a
-- variable must have a rule here, so that no name can be missed.

local config = require "parley.config"
local events = require "parley.shared.events"
local file = require "parley.triggers.file"
local fs = require "host.fs"
local host = require "spec.support.host"

local PAGE = "docs/events.md"

-- Functions that write an event: which of their arguments is the name, or that it is a field.
local WRITERS = {
  { call = "audit%.insert%s*(%b{})" }, { call = "shared:fact%s*(%b{})" },
  { call = "registry%.fact(%b())", argument = 3 }, { call = "record%.event(%b())", argument = 3 },
  { call = "record%.event_as(%b())", argument = 3 },
  { call = "record%.plugin_event(%b())", argument = 3 }, { call = "actions%.note(%b())", argument = 3 },
  { call = "%f[%w.]M%.note(%b())", argument = 3, only = "triggers/actions.lua" },
}

-- Where the name is a variable: where its values come from. {}: from a plugin, or through another of WRITERS.
local HANDED_ON = {
  ["http/resources/plugin_events.lua"] = {}, ["turn/apply.lua"] = {}, ["plugins/registry.lua"] = {},
  ["http/resources/tokens.lua"] = { 'note%(ctx, "([%w_]+)"' },
  ["store/dead_letters.lua"] = { 'note%("([%w_]+)"' },
  ["channels/telegram/orders.lua"] = { '"(bot_%l+)", "%l+", row', 'return "(bot_%l+)"' },
  ["triggers/actions.lua"] = {}, ["broadcasts/init.lua"] = { 'event = "([%w_]+)"', 'note%(b, "([%w_]+)"' },
}

-- Rows that are not written by one of WRITERS.
local ROWS = {
  ["http/resources/dialogs.lua"] = { '"core", "([%w_]+)"' },
  ["turn/record.lua"] = { 'local action = .- and "([%w_]+)"', 'local action = .- or "([%w_]+)"' },
}

local function split(list)
  local out, part, depth = {}, "", 0
  for c in list:gmatch "." do
    if c:find "[({]" then depth = depth + 1 elseif c:find "[)}]" then depth = depth - 1 end
    if c == "," and depth == 0 then
      out[#out + 1], part = part, ""
    else
      part = part .. c
    end
  end
  out[#out + 1] = part
  return out
end

-- The expression for the name in a call, nil when the call is a definition.
local function name_in(writer, text)
  local parts = split((text:sub(2, -2):gsub("%-%-[^\n]*", ""):gsub("%s+", " ")))
  if writer.argument then return parts[writer.argument] end
  for _, part in ipairs(parts) do
    local value = part:match "^ ?action = (.+)$"
    if value then return value end
  end
  return nil
end

local function literals(expression, out)
  if expression:find("..", 1, true) then return false end
  local found = false
  for name in expression:gsub('==%s*".-"', ""):gmatch '"([%w_]+)"' do out[name], found = true, true end
  return found
end

-- What stands for the name in each call of a file.
local function expressions(short, source)
  local out = {}
  for _, writer in ipairs(WRITERS) do
    if not writer.only or writer.only == short then
      for text in source:gmatch(writer.call) do out[#out + 1] = name_in(writer, text) end
    end
  end
  return out
end

local function files_below(dir, out)
  for _, name in ipairs(assert(fs.list(dir))) do
    local path = dir .. "/" .. name
    if name:find "%.lua$" then
      out[#out + 1] = path
    elseif not name:find("%.", 1) then
      files_below(path, out)
    end
  end
  return out
end

local function read_code()
  local out, calls = {}, 0
  for _, path in ipairs(files_below("lua/parley", {})) do
    local short, source = path:match "^lua/parley/(.+)$", assert(fs.read(path))
    source = source:gsub("%f[%w]function [%w_.:]+%b()", "")
    for _, expression in ipairs(expressions(short, source)) do
      calls = calls + 1
      assert(literals(expression, out) or HANDED_ON[short],
        ("%s: which events are '%s'? Give it a rule in this spec"):format(short, expression))
    end
    for _, patterns in ipairs { HANDED_ON[short] or {}, ROWS[short] or {} } do
      for _, pattern in ipairs(patterns) do
        local found = false
        for name in source:gmatch(pattern) do out[name], found = true, true end
        assert(found, ("%s: nothing looks like %s any more"):format(short, pattern))
      end
    end
  end
  -- What the two kinds of switching are called is put together.
  for way in fs.read("lua/parley/triggers/actions.lua"):gmatch 'switching "(%l+)"' do out["plugin_" .. way .. "d"] = true end
  for name in fs.read("conf/triggers.lua"):gmatch '\n    act = [^\n]-emit = "([%w_]+)"' do out[name] = true end
  return out, calls
end

-- Name: the cells of its row, by the head of the table.
local function read_page()
  local out, head = {}, nil
  for line in assert(fs.read(PAGE)):gmatch "(.-)\n" do
    local cells = {}
    for cell in line:gmatch "| ([^|]*)" do cells[#cells + 1] = (cell:gsub("%s+$", "")) end
    if #cells == 0 then
      head = nil
    elseif cells[1] == "event" then
      head = cells
    elseif head and cells[1]:find "^`" then
      local row, name = {}, cells[1]:match "^`([%w_]+)`$"
      for i, title in ipairs(head) do row[title] = cells[i] end
      assert(not out[name], name .. " stands twice")
      out[name] = row
    end
  end
  return out
end

local function sorted(set)
  local out = {}
  for name in pairs(set) do out[#out + 1] = name end
  table.sort(out)
  return out
end

describe(PAGE, function()
  local page
  setup(function() page = read_page() end)

  it("has every event that the code writes, and no other", function()
    local code, calls = read_code()
    assert.is_true(calls > 15)
    assert.same(sorted(code), sorted(page))
  end)

  it("says to which stream each goes", function()
    for name, row in pairs(page) do
      local source = (row.source or ""):match "^`(core)`$" or "{plugin}"
      local stream = events.stream_of(name, source)
      assert.equal(stream and "`" .. stream .. "`" or "", row.stream, name)
    end
  end)

  it("says which of the triggers that ship listen to it", function()
    local home = host.temp_dir()
    local triggers = assert(file.load(assert(config.load(home, { getenv = function() end }))))
    local text = fs.read(PAGE)
    for _, trigger in ipairs(triggers.list) do
      assert(text:find("\n| " .. trigger.id .. " | ", 1, true), trigger.id)
      for name, row in pairs(page) do
        local heard = false
        for _, pattern in ipairs(trigger.events) do heard = heard or name:find(pattern) ~= nil end
        assert.equal(heard, row.trigger:find(trigger.id, 1, true) ~= nil, name .. " and " .. trigger.id)
      end
    end
  end)

  it("names the severities that there are", function()
    for name, row in pairs(page) do
      local first = row.severity:match "^%l+"
      assert(require("parley.triggers").RANK[first] or first == "that", name .. ": " .. row.severity)
    end
  end)
end)
