local crypto = require "host.crypto"
local compile = require("parley.schema.compile").compile
local fs = require "host.fs"
local json = require "host.json"
local json_lines = require "parley.util.json_lines"
local manifest = require "parley.plugins.manifest"
local schema = require "parley.schema.manifest"
local temporary = require "parley.util.temporary"

local function base(more)
  local m = { schema = "v1alpha", name = "shop", version = "1.2.3", api = "1", transport = "lua" }
  for k, v in pairs(more or {}) do m[k] = v end
  for k, v in pairs(m) do if v == json.null then m[k] = nil end end
  return m
end

local function list(...) return json.array { ... } end

local function problems_of(m)
  local ok, problems = manifest.check(type(m) == "string" and m or assert(json.encode(m)))
  assert.is_nil(ok, "the manifest was accepted")
  return problems
end

describe("the line of a JSON value", function()
  it("is found by its path", function()
    local line = json_lines.locate '{\n "a": [1,\n {"b\\u0041": "x}]\\"{",\n"c":{}}, []],\n\n"d" :\n {"e":null}}'
    for path, want in pairs {
      [""] = 1, a = 2, ["a[0]"] = 2, ["a[1]"] = 3, ["a[1].bA"] = 3, ["a[1].c"] = 4, ["a[2]"] = 4, d = 6, ["d.e"] = 7,
      ["d.missing"] = 6, ["a[1].c.x.y"] = 4, ["nothing"] = 1,
    } do
      assert.equal(want, line(path), path)
    end
    assert.equal(1, json_lines.locate "7" "")
  end)
end)

describe("a manifest", function()
  it("gets its defaults and a hash that formatting does not change", function()
    local m, hash = manifest.check '{"schema":"v1alpha","name":"shop","version":"1.0.0","api":"1","transport":"lua"}'
    assert.equal(100, m.priority)
    assert.same({ cpu_ms = 50, timeout_ms = 5000, memory_mb = 16, calls = 200, http = 8, reply_bytes = 262144 }, m.limits)
    assert.equal("fallback", m.on_error)
    assert.is_true(json.is_array(m.intents))
    local _, again = manifest.check '{ "api": "1",\n"transport":"lua","version":"1.0.0", "name":"shop","schema":"v1alpha" }'
    assert.equal(hash, again)
    assert.equal(crypto.hex(crypto.sha256(
      '{"api":"1","name":"shop","schema":"v1alpha","transport":"lua","version":"1.0.0"}')), hash)
    local _, other = manifest.check '{"schema":"v1alpha","name":"shop","version":"1.0.1","api":"1","transport":"lua"}'
    assert.not_equal(hash, other)
  end)

  it("has a schema of its settings that can be checked", function()
    local m, problems = manifest.check(json.encode(base { config = { type = "object", propertees = {} } }))
    assert.is_nil(m)
    assert.equal("config", problems[1].path)
    assert.equal("the keyword 'propertees' is none that is checked here. Did you mean 'properties'?", problems[1].message)
  end)

  it("keeps stated limits and fills the others", function()
    local m = manifest.check(json.encode(base { limits = { cpu_ms = 10 } }))
    assert.equal(10, m.limits.cpu_ms)
    assert.equal(5000, m.limits.timeout_ms)
  end)

  it("may use every field of the contract", function()
    local full = {
      title = "Shop", description = { en = "A shop", uk = "Крамниця" },
      intents = list { name = "order.status", examples = list("where is my order", "де замовлення"), threshold = 0.6 },
      commands = list({ name = "start", description = { en = "Begin" } }, { name = "help" }),
      patterns = list("^order (%d+)$"),
      when = { channels = list("telegram", "api"), roles = list("user"), locales = list("uk", "en-GB"), states = list("asking") },
      priority = 0, before = list("other"), after = list("text_filter"),
      permissions = list("kv", "http:api.example.org", "http:*.example.org", "http:127.0.0.1:8080", "llm:chat", "history",
        "events", "jobs"),
      secrets = list("shop"), config = { type = "object" },
      session = { scope = "user", ttl = 3600, schema = { type = "object" } },
      limits = { timeout_ms = 25000, http = 0 }, on_error = "reply", supported_schema_versions = list("v1alpha"),
      locales = list("en", "uk"),
    }
    local m, problems = manifest.check(json.encode(base(full)))
    assert.is_table(m, type(problems) == "table" and manifest.describe(problems))
    assert.is_nil(compile(schema.PluginManifestV1)(base(full)))
    assert.is_table((manifest.check(json.encode(base { transport = "rest", endpoint = "https://p.example.org/x" }))))
  end)

  for name, case in pairs {
    ["a missing key"] = { { name = json.null }, "", "'name' is missing" },
    ["a mistyped key"] = { { permisions = list() }, "permisions", "Did you mean 'permissions'?" },
    ["a mistyped limit"] = { { limits = { timout_ms = 1 } }, "limits.timout_ms", "Did you mean 'timeout_ms'?" },
    ["a mistyped permission"] = { { permissions = list("hystory") }, "permissions[0]", "Did you mean 'history'?" },
    ["a bad name"] = { { name = "Order-Desk" }, "name", "a name like" },
    ["a long name"] = { { name = ("a"):rep(41) }, "name", "a name like" },
    ["a bad version"] = { { version = "1.0" }, "version", "a version like" },
    ["a version with a leading zero"] = { { version = "01.0.0" }, "version", "a version like" },
    ["another api"] = { { api = "2" }, "api", "one of 1" },
    ["a number for a text"] = { { title = 7 }, "title", "a text expected, got 7" },
    ["an object for a list"] = { { intents = { name = "x" } }, "intents", "a list expected" },
    ["a limit too high"] = { { limits = { timeout_ms = 30000 } }, "limits.timeout_ms", "10 to 25000" },
    ["a limit of no number"] = { { limits = { cpu_ms = "5" } }, "limits.cpu_ms", "a number expected, got '5'" },
    ["half a call"] = { { limits = { calls = 1.5 } }, "limits.calls", "a whole number" },
    ["a priority out of range"] = { { priority = 1001 }, "priority", "0 to 1000" },
    ["a threshold above 1"] = { { intents = list { name = "a", threshold = 2 } }, "intents[0].threshold", "0 to 1" },
    ["a nameless intent"] = { { intents = list { examples = list("x") } }, "intents[0]", "'name' is missing" },
    ["an intent twice"] = { { intents = list({ name = "a" }, { name = "a" }) }, "intents[1]", "'a' stands twice" },
    ["a text that is shown in part"] = {
      { locales = list("a" .. ("ж"):rep(40)) }, "locales[0]", "'a" .. ("ж"):rep(19) .. "...'",
    },
    ["a NUL character in a text"] = { { title = "a\0b" }, "title", "has a NUL character in it" },
    ["a NUL character deep inside"] = {
      { config = { type = "object", description = "a\0b" } }, "config.description", "has a NUL character in it",
    },
    ["a command twice"] = { { commands = list({ name = "a" }, { name = "b" }, { name = "a" }) }, "commands[2]", "stands twice" },
    ["a command with a slash"] = { { commands = list { name = "/start" } }, "commands[0].name", "without '/'" },
    ["one example of two intents"] = {
      { intents = list({ name = "a", examples = list("Hello!") }, { name = "b", examples = list("hello") }) },
      "intents[1].examples[0]", "an example of 'a' too",
    },
    ["an example without words"] = {
      { intents = list { name = "a", examples = list("?!") } }, "intents[0].examples[0]", "no word",
    },
    ["a broken pattern"] = { { patterns = list("ok", "(%d+") }, "patterns[1]", "')' is missing" },
    ["a pattern with a back reference"] = { { patterns = list("(a)%1") }, "patterns[0]", "not available" },
    ["an unknown role"] = { { when = { roles = list("root") } }, "when.roles[0]", "one of user, operator, admin" },
    ["a bad locale"] = { { when = { locales = list("ukrainian") } }, "when.locales[0]", "a locale like" },
    ["itself in before"] = { { before = list("shop") }, "before[0]", "names itself" },
    ["the same in before and after"] = { { before = list("a1"), after = list("a1") }, "after[0]", "in 'before' too" },
    ["a URL for a host"] = { { permissions = list("http://api.example.org/x") }, "permissions[0]", "'http:api.example.org'" },
    ["a bad host"] = { { permissions = list("http:a b") }, "permissions[0]", "HOST like" },
    ["an empty host"] = { { permissions = list("http:") }, "permissions[0]", "HOST like" },
    ["a star for a host"] = { { permissions = list("http:*") }, "permissions[0]", "HOST like" },
    ["a secret among the permissions"] = { { permissions = list("secret:shop") }, "permissions[0]", 'under "secrets"' },
    ["a permission twice"] = { { permissions = list("kv", "kv") }, "permissions[1]", "stands twice" },
    ["a REST plugin without endpoint"] = { { transport = "rest" }, "transport", "needs an 'endpoint'" },
    ["a Lua plugin with endpoint"] = { { endpoint = "https://x.example.org" }, "endpoint", "has no endpoint" },
    ["an endpoint that is many hosts"] = { { transport = "rest", endpoint = "https://*.c.org" }, "endpoint", "a URL like" },
    ["an endpoint with credentials"] = { { transport = "rest", endpoint = "https://a:b@c.org" }, "endpoint", "a URL like" },
    ["an unknown session key"] = { { session = { scop = "user" } }, "session.scop", "Did you mean 'scope'?" },
  } do
    it("is refused with " .. name, function()
      local problems = problems_of(base(case[1]))
      assert.equal(1, #problems, manifest.describe(problems))
      assert.equal(case[2], problems[1].path)
      assert.is_truthy(problems[1].message:find(case[3], 1, true), problems[1].message)
    end)
  end

  it("is refused with all its problems, in the order of their lines", function()
    local problems = problems_of [[{
  "schema": "v1alpha",
  "name": "shop",
  "version": "1",
  "api": "1",
  "transport": "lua",
  "limits": {
    "cpu_ms": 50,
    "memory": 16
  },
  "permissions": ["kv",
    "htp:x"]
}]]
    local lines = {}
    for i, p in ipairs(problems) do lines[i] = p.line .. " " .. p.path end
    assert.same({ "4 version", "9 limits.memory", "12 permissions[1]" }, lines)
    assert.matches("^manifest.json:4: version: a version like 1.0.0 expected, got '1'\n", manifest.describe(problems))
  end)

  it("is refused when it is no JSON, with the line", function()
    local problems = problems_of '{\n"name": "x",\n}'
    assert.equal(3, problems[1].line)
    assert.equal(1, #problems_of "[]")
    assert.equal(1, #problems_of "null")
  end)
end)

describe("a plugin folder", function()
  local home, dir
  before_each(function()
    home = assert(temporary.folder())
    dir = home .. "/shop"
    assert(fs.mkdir(dir .. "/locales"))
  end)
  after_each(function() temporary.remove(home) end)

  it("is refused when it is no object", function()
    for _, source in ipairs { "false", "true", "null", "0", "\"x\"", "[]" } do
      local m, problems = manifest.check(source)
      assert.is_nil(m)
      assert.matches("expected, got", problems[1] and problems[1].message)
    end
  end)

  it("is read with its locales", function()
    assert(fs.write(dir .. "/manifest.json", json.encode(base { locales = list("en", "uk") })))
    assert(fs.write(dir .. "/locales/en.json", "{}"))
    local none, problems = manifest.load(dir)
    assert.is_nil(none)
    assert.equal("locales[1]", problems[1].path)
    assert.equal(dir .. "/manifest.json", problems[1].file)
    assert(fs.write(dir .. "/locales/uk.json", "{}"))
    assert.equal("shop", manifest.load(dir).name)
  end)

  it("must have the plugin's name, and a manifest", function()
    local none, problems = manifest.load(dir)
    assert.is_nil(none)
    assert.equal(1, #problems)
    assert(fs.write(dir .. "/manifest.json", json.encode(base { name = "other" })))
    none, problems = manifest.load(dir)
    assert.is_nil(none)
    assert.is_truthy(problems[1].message:find("the folder is 'shop'", 1, true))
  end)
end)

describe("the manifests of a generation", function()
  it("may not share names or commands, nor form a cycle", function()
    local problems = manifest.check_together {
      { name = "aa", manifest = { commands = { { name = "x" } }, before = { "bb" } } },
      { name = "bb", manifest = { commands = { { name = "y" }, { name = "x" } }, before = { "aa" } } },
      { name = "cc", manifest = {} }, { name = "cc", manifest = {} },
    }
    assert.equal(3, #problems)
    assert.equal("bb/manifest.json:1: commands[1].name: the command 'x' is one of 'aa' too\n"
      .. "cc/manifest.json:1: name: there are two plugins 'cc'\n"
      .. "aa/manifest.json:1: before: before/after form a cycle: aa -> bb -> aa", manifest.describe(problems))
    assert.same({}, manifest.check_together { { name = "aa", manifest = {} } })
  end)
end)

describe("a manifest of version v1beta", function()
  local function beta()
    return base {
      schema = "v1beta", transport = { type = "rest", endpoint = "https://a.example", heartbeat_interval_sec = 60 },
      permissions = list({ name = "kv", reason = "remembers orders" },
        { name = "http:api.example.org", reason = { en = "asks" } }),
    }
  end

  it("says the same in the form of v1alpha", function()
    local m, hash = manifest.check(json.encode(beta()))
    assert.same({ "rest", "https://a.example", 60 }, { m.transport, m.endpoint, m.heartbeat_interval_sec })
    assert.same({ "kv", "http:api.example.org" }, { m.permissions[1], m.permissions[2] })
    assert.same({ kv = "remembers orders", ["http:api.example.org"] = { en = "asks" } }, m.permission_reasons)
    assert.same(list "v1beta", m.supported_schema_versions)
    assert.equal(manifest.hash(beta()), hash)
    local alpha = manifest.check(json.encode(base {
      transport = "rest", endpoint = "https://a.example", heartbeat_interval_sec = 60,
      permissions = list("kv", "http:api.example.org"),
    }))
    alpha.supported_schema_versions, alpha.permission_reasons = m.supported_schema_versions, m.permission_reasons
    assert.same(alpha, m)
  end)

  it("leaves what was given as it is", function()
    local given = beta()
    manifest.check(json.encode(given))
    assert.equal("rest", given.transport.type)
  end)

  -- What is changed, and the problem in the words of the version.
  for path, case in pairs {
    ["transport.type"] = { { transport = { type = "soap" } }, "enum", "one of lua, rest expected" },
    ["transport.endpoint"] = { { transport = { type = "rest", endpoint = "nowhere" } }, "type",
      "a URL like https://plugin.example.org/parley expected, got 'nowhere'" },
    ["transport.heartbeat_interval_sec"] = {
      { transport = { type = "rest", endpoint = "https://a.example", heartbeat_interval_sec = 1 } }, "range",
      "5 to 3600 expected, got 1" },
    ["transport.url"] = { { transport = { type = "rest", url = "x" } }, "unknown_field", "is not a known field" },
    ["transport"] = { { transport = "lua" }, "type", "object expected, got string" },
    ["endpoint"] = { { endpoint = "https://a.example" }, "unknown_key",
      "unknown key 'endpoint': in v1beta it is 'transport.endpoint'" },
    ["permissions[0].name"] = { { permissions = list { name = "fly", reason = "x" } }, "permission",
      "unknown permission 'fly'." },
    ["permissions[0].reason"] = { { permissions = list { name = "kv" } }, "required", "is missing" },
    ["permissions[1]"] = { { permissions = list({ name = "kv", reason = "x" }, "history") }, "type",
      "object expected, got string" },
  } do
    it("names " .. path, function()
      local m = beta()
      for k, v in pairs(case[1]) do m[k] = v end
      local problems = problems_of(m)
      assert.equal(1, #problems)
      assert.same({ path, case[2], case[3] }, { problems[1].path, problems[1].code, problems[1].message })
    end)
  end

  it("needs a transport", function()
    local problems = problems_of(base { schema = "v1beta", transport = json.null })
    assert.same({ "required", "'transport' is missing" }, { problems[1].code, problems[1].message })
  end)

  it("names the line of what is wrong", function()
    local _, problems = manifest.check('{"schema":"v1beta","name":"shop","version":"1.0.0","api":"1",\n"transport":{\n'
      .. '"type":"rest",\n"endpoint":"nowhere"}}')
    assert.equal(4, problems[1].line)
  end)

  it("is what the guide shows", function()
    local shown = fs.read("docs/plugin-guide.md"):match "```json v1beta\n(.-)```"
    local m, problems = manifest.check(shown)
    assert(m, not m and manifest.describe(problems))
    assert.equal("reminds players whose turn it is", m.permission_reasons.jobs)
  end)
end)
