-- Arguments for the door: good ones of each service, and what is put in the place of their parts.

local M = {}

-- What may cross into the core, as Lua text.
M.plain = {
  "nil", "true", "false", "0", "-1", "1.5", "1e308", "2^53", "-2^53", "0/0", "1/0", "-1/0", "1e15", "\"\"",
  "\"x\"", "\"\\0\"", "\"a\\0b\"", "\"\\255\"", "\"\\208\"", "\"\\237\\160\\128\"", "\"héllo\"", "\"%s%d%n\"",
  "\"' OR 1=1 --\"", "(\"x\"):rep(70000)", "(\"x\"):rep(300)", "(\"\\255\"):rep(5000)", "{}", "null", "array {}",
  "array { 1, nil, 3 }", "{ 1, 2, x = 3 }", "{ nil, 1 }", "{ [2^53] = 1 }", "{ [1.5] = 1 }", "{ [true] = 1 }",
  "{ [-1] = 1, [0] = 2 }", "{ [{}] = 1 }", "{ [null] = 1 }", "deep(20)", "deep(31)", "wide(1000)", "wide(20000)",
  "{ { { array {} } } }", "{ [\"\\255\"] = 1 }", "{ [(\"k\"):rep(5000)] = 1 }", "{ __secret = \"crm\" }",
  "{ __secret = \"other\" }", "{ __secret = {} }", "array { array { null } }", "{ a = null }", "1e-320", "0x7fffffff",
}

-- What may not, but can be handed to the SDK.
M.hostile = {
  "v.cyclic", "v.raising", "v.strange", "v.locked", "v.callable", "function() end", "coroutine.create(print or type)",
  "v.deep", "{ v.cyclic }", "{ f = function() end }", "setmetatable({}, { __tostring = function() return 1 end })",
  "setmetatable({}, { __metatable = false })", "c", "c.session", "parley", "c.kv", "string", "_G", "c.secret.crm",
  "c.secret.other", "setmetatable({ 1, 2 }, { __len = function() return 1e9 end })", "parley.text()",
  "parley.text():bold(\"x\")", "v.endless",
}

-- Good arguments, by service; a method of the SDK names the service that it leads to.
M.services = {
  uuid = { {} },
  ["json.encode"] = { { { a = { 1, 2, { b = "c" } } } }, { "text" }, { 12 } },
  ["json.decode"] = { { "{\"a\":[1,2,{\"b\":null}]}" }, { "[1e999]" }, { "\"\\ud800\"" } },
  history = { { 5 }, {} },
  notify = { { "0192f0c4-0000-7000-8000-000000000001", { { type = "send", text = "x" } } } },
  ["kv.get"] = { { "key", { scope = "dialog" } }, { "key" } },
  ["kv.set"] = { { "key", { a = 1, b = { "x" } }, { scope = "user", ttl = 60 } }, { "key", "value" } },
  ["kv.delete"] = { { "key", { scope = "plugin" } } },
  http = {
    {
      {
        url = "http://127.0.0.1:%PORT%/a?b=c", method = "POST", headers = { Accept = "text/plain", ["X-A"] = "b" },
        json = { a = { 1 } }, timeout = 1, auth = { __secret = "crm" },
      },
    },
    { { url = "http://127.0.0.1:%PORT%/", body = "text" } }, { { url = "https://api.example.org/x" } },
  },
  ["llm.chat"] = {
    { "hello" },
    {
      {
        messages = { { role = "system", content = "be kind" }, { role = "user", content = "hello" } },
        temperature = 0.5, max_tokens = 100,
        json_schema = { type = "object", properties = { a = { type = "string" } }, required = { "a" } },
      },
    },
  },
  log = { { "info", "a message", { a = 1 } }, { "warn", "b" } },
}

-- Calls of the SDK: how one is written, and good arguments.
local SEND = {
  text = "hello", format = "entities", entities = { { type = "bold", offset = 0, length = 5 } },
  buttons = { { { text = "a", data = { b = 1 } }, { text = "c", url = "https://example.org" } } }, silent = true,
}
M.sdk = {
  { "c:reply", { { SEND }, { "text" }, { { photo = { url = "https://example.org/a.jpg" } } } } },
  { "c:edit", { { "m1", SEND }, { "m1", "text" } } },
  { "c:delete", { { "m1" } } }, { "c:typing", { {} } }, { "c:answer", { { "ok" } } },
  { "c:emit", { { "order.made", { a = 1 } } } },
  { "c:schedule", { { { in_ = 60, job = "ring", data = { a = 1 } } }, { { at = 4e9, job = "ring" } } } },
  { "c:invoke", { { "echo" }, { { intent = "book" } } } },
  { "c:handoff", { {} } }, { "c:close", { {} } }, { "c:finish", { {} } }, { "c:decline", { {} } },
  { "c:enter", { { "asking" } } }, { "c:leave", { {} } },
  { "c:t", { { "hello", { name = "Ann", n = 2 } }, { "many", { n = 5 } } } },
  { "c:history", { { 5 } } },
  { "c:notify", { { "0192f0c4-0000-7000-8000-000000000001", { text = "x" } }, { "u", "text" } } },
  { "c.kv:get", M.services["kv.get"] }, { "c.kv:set", M.services["kv.set"] },
  { "c.kv:delete", M.services["kv.delete"] },
  { "c.http:request", M.services.http },
  { "c.http:get", { { "http://127.0.0.1:%PORT%/", { timeout = 1, headers = { A = "b" } } } } },
  { "c.http:post", { { "http://127.0.0.1:%PORT%/", { a = 1 }, { auth = { __secret = "crm" } } } } },
  { "c.http:delete", { { "http://127.0.0.1:%PORT%/", {} } } },
  { "c.llm:chat", M.services["llm.chat"] },
  { "c.log:info", { { "message", { a = 1 } } } }, { "c.log:warn", { { "message" } } },
  { "parley.uuid", { {} } }, { "parley.now", { {} } },
  { "parley.json.encode", M.services["json.encode"] }, { "parley.json.decode", M.services["json.decode"] },
  { "parley.text():bold", { { "x" } } }, { "parley.text():line", { { "x" } } },
  { "parley.text():link", { { "x", "https://example.org" } } }, { "parley.text():pre", { { "x", "lua" } } },
  { "parley.text():add(\"x\"):reply", { { { buttons = SEND.buttons } } } },
  { "v.set_session", { { "key", { a = { 1, 2 } } }, { "key", 5 } } },
  { "v.get_session", { { "key" } } }, { "v.get_secret", { { "crm" } } },
}

M.service_names, M.fields = {}, {}

-- Every name of a field above: a good value stands in a wrong place too.
local function collect(value)
  if type(value) ~= "table" then return end
  for key, item in pairs(value) do
    if type(key) == "string" then M.fields[key] = true end
    collect(item)
  end
end
for name, samples in pairs(M.services) do
  M.service_names[#M.service_names + 1] = name
  collect(samples)
end
collect(SEND)
local names = {}
for name in pairs(M.fields) do names[#names + 1] = name end
table.sort(names)
table.sort(M.service_names)
M.fields = names

return M
