-- What an author gets wrong is said at the author's line, and a plugin that asks for the impossible is refused.

local host = require "spec.support.host"

local MAIN = [[
local p = parley.plugin()
local function said(f)
  local ok, err, refused = pcall(f)
  if ok then return err == nil and refused and refused.code .. ": " .. refused.message or "nothing" end
  return tostring(err)
end
local cases = {
  edit = function(c) c:edit("m1", true) end,
  edit_nothing = function(c) c:edit("m1") end,
  get = function(c) c.http:get("http://example.org/", "fast") end,
  post = function(c) c.http:post("http://example.org/", "body", 5) end,
  texts = function(c) c:t("hello", 5) end,
  reply_session = function(c) c:reply(c.session) end,
  bold = function() parley.text():bold("\255") end,
  line = function() parley.text():line({}) end,
  add = function() parley.text():add(nil) end,
  more = function() parley.text():add("x"):reply(5) end,
  log = function(c) c.log:info(setmetatable({}, { __tostring = function() return {} end })) end,
  named = function(c) c:t("hello", { name = setmetatable({}, { __tostring = error }) }) end,
  session = function(c) c.session.key = { a = { 1, function() end } } end,
  history = function(c) c:history(setmetatable({}, { __tostring = function() return 1 end })) end,
  member = function(c) return c.kv[setmetatable({}, { __tostring = error })] end,
  field = function(c) c:reply { text = "x", [setmetatable({}, { __tostring = function() return {} end })] = 1 } end,
  address = function() parley.text():link("x", setmetatable({}, { __tostring = function() end })) end,
  schema = function(c) return c.llm:chat { messages = { { role = "user", content = "x" } },
    json_schema = { type = "string", pattern = "(" } } end,
  bytes = function(c) return c.llm:chat { messages = { { role = "user", content = "\255" } } } end,
}
p.on.command("try", function(c, name) c:reply(said(function() cases[name](c) end)) end)
p.on.command("ask", function(c, name) c:reply(said(function() return cases[name](c) end)) end)
p.on.command("huge", function(c)
  local list = { type = "array", minItems = 2 ^ 31, items = { type = "string", minLength = 2 ^ 31 } }
  local answer, err = c.llm:chat { messages = { { role = "user", content = "x" } }, json_schema = list }
  c:reply(answer and "answered" or err.code)
end)
return p
]]

-- The author's line of each case.
local function line_of(name)
  local n = 0
  for line in MAIN:gmatch "([^\n]*)\n" do
    n = n + 1
    if line:find("^  " .. name .. " = ") then return n end
  end
end

describe("misuse", function()
  local h
  setup(function()
    h = host.start { plugins = { wrong = {
      manifest = {
        commands = { { name = "try" }, { name = "ask" }, { name = "huge" } },
        permissions = { "llm:chat", "http:example.org" },
      },
      main = MAIN, files = { ["locales/en.json"] = '{"hello":"Hello, {name}!"}' },
    } } }
  end)
  teardown(function() h:stop() end)

  for name, message in pairs {
    edit = "edit: text expected, got boolean", edit_nothing = "edit: text expected, got nothing",
    get = "http: a table of options expected, got string", post = "http: a table of options expected, got number",
    texts = "t: a table of values expected, got number", reply_session = "reply: text expected, got nothing",
    bold = "text: UTF-8 expected", line = "text: a text expected, got table", add = "text: a text expected, got nil",
    more = "text:reply: a table expected, got number",
    log = "log: the __tostring of the message fails", named = "t: the __tostring of 'name' fails",
    session = "session.key.a.2 is a function, which cannot be kept in a session",
    history = "history: a positive whole number expected, got table", member = "c.kv has no 'table'",
    address = "text:link: a URL with http:// or https:// expected, got 'table'",
    field = "reply: there is no field 'table'; there are: album, audio, buttons, contact, document, entities, format, "
      .. "keyboard, lane, location, photo, poll, reply_to, silent, sticker, text, video, voice",
  } do
    it("of the SDK is an error at the author's line: " .. name, function()
      assert.equal(("wrong/main.lua:%d: %s"):format(line_of(name), message), h:say("d", "/try " .. name).body.text)
    end)
  end

  it("of a schema is refused before a model is asked", function()
    assert.matches("^invalid: llm: json_schema: pattern '%(': ", h:say("d", "/ask schema").body.text)
    assert.matches("^invalid: llm: .*UTF%-8", h:say("d", "/ask bytes").body.text)
  end)

  it("of the model that needs no network costs no more than its example may have", function()
    assert.equal("answered", h:say("d", "/huge").body.text)
  end)
end)
