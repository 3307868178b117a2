-- Answers of REST plugins, changed at random: each is taken as valid, or refused by a code and a text
-- that says why. PARLEY_FUZZ_ROUNDS and PARLEY_FUZZ_SEED ask for more, and for others.

local actions = require "parley.schema.actions"
local answer = require "parley.plugins.answer"
local json = require "host.json"
local manifest = require "parley.plugins.manifest"
local response = require "parley.turn.response"
local session = require "parley.turn.session"

local ROUNDS = tonumber(os.getenv "PARLEY_FUZZ_ROUNDS") or 5000
local SEED = tonumber(os.getenv "PARLEY_FUZZ_SEED") or 3

local PLUGIN = {
  name = "fuzzed",
  manifest = assert(manifest.check(json.encode {
    schema = "v1alpha", name = "fuzzed", version = "1.0.0", api = "1", transport = "rest",
    endpoint = "https://fuzzed.example", permissions = { "jobs" },
    limits = { reply_bytes = 4000 },
  })),
}

local CODES = { invalid_response = true, too_large = true, permission = true, exception = true }

-- One of everything that an answer may hold, as JSON.
local GOOD = json.encode {
  actions = {
    {
      type = "send", text = "hello", format = "entities", entities = { { type = "bold", offset = 0, length = 5 } },
      buttons = { { { text = "a", data = { b = 1 } }, { text = "c", url = "https://example.org" } } }, silent = true,
    },
    { type = "send", photo = { url = "https://example.org/a.jpg" }, reply_to = "m1", lane = "slow" },
    { type = "edit", message_id = "m1", text = "again" }, { type = "delete", message_id = "m1" },
    { type = "answer_callback", text = "ok" }, { type = "typing" },
    { type = "schedule", ["in"] = 5, job = "ring", data = { a = 1 } },
    { type = "schedule", at = 1.8e9, job = "ring" }, { type = "handoff", reason = "asked" }, { type = "close" },
  },
  state = { count = 1, __state = "asking", nested = { a = { 1, 2, 3 } } }, ["end"] = false, intent = { name = "book" },
}

-- Values of every kind, with the edges of each.
local VALUES = {
  "null", "true", "false", "0", "-1", "1e308", "-0.0", "9007199254740993", "\"\"", "\"send\"", "\"\\u0000\"",
  "\"\\ud83d\\ude00\"", "[]", "{}", "[[]]", "[null]", "{\"type\":\"send\"}", "{\"code\":\"x\",\"message\":\"y\"}",
  "[{\"type\":\"send\",\"text\":\"a\"}]",
  "\"" .. ("x"):rep(20000) .. "\"", ("["):rep(20) .. ("]"):rep(20), ("["):rep(40) .. ("]"):rep(40),
  "{\"" .. ("k"):rep(300) .. "\":1}",
}

local KEYS = { "type", "text", "actions", "state", "end", "error", "declined", "data", "buttons", "in", "at", "job", "x", "" }

-- Every table in a document, and itself.
local function tables(value, out)
  if type(value) == "table" then
    out[#out + 1] = value
    for _, v in pairs(value) do tables(v, out) end
  end
  return out
end

local function keys_of(t)
  local out = {}
  for key in pairs(t) do out[#out + 1] = key end
  table.sort(out, function(a, b) return tostring(a) < tostring(b) end)
  return out
end

local function one_of(list) return list[math.random(#list)] end

-- Changes, takes away or adds one thing. Lists keep no holes.
local function change(document)
  local t = one_of(tables(document, {}))
  local keys = keys_of(t)
  local value = json.decode(one_of(VALUES))
  if value == nil then value = 2 ^ 53 end -- the one that JSON of ours refuses: it is for damage()
  if json.is_array(t) then
    local i = math.random(#t + 1)
    if math.random(4) == 1 and t[i] then table.remove(t, i) else t[i] = value end
  elseif #keys > 0 and math.random(4) > 1 then
    t[one_of(keys)] = math.random(4) > 1 and value or nil
  else
    t[one_of(KEYS)] = value
  end
end

-- Bytes of the text, as a broken network or program would leave them.
local function damage(text)
  local at = math.random(#text)
  local kind = math.random(3)
  if kind == 1 then return text:sub(1, at) end
  if kind == 2 then return text:sub(1, at - 1) .. string.char(math.random(0, 255)) .. text:sub(at + 1) end
  return text:sub(1, at) .. one_of(VALUES) .. text:sub(at + 1)
end

local function body()
  local document = json.decode(GOOD)
  for _ = 1, math.random(0, 4) do change(document) end
  local text = json.encode(document) or GOOD -- it may be too deep to be written; damage() makes such
  return math.random(4) == 1 and damage(text) or text
end

local function check_taken(r)
  assert(json.is_array(r.actions) or #r.actions > 0 or next(r.actions) == nil)
  for _, action in ipairs(r.actions) do assert.is_nil(actions.problem(action)) end
  assert(#json.encode(r.actions) <= PLUGIN.manifest.limits.reply_bytes)
  assert(#json.encode(session.after(nil, r) or {}) <= session.MAX)
end

describe("an answer that was changed at random", function()
  it("is valid, or refused with a reason", function()
    math.randomseed(SEED)
    local count = { taken = 0 }
    for round = 1, ROUNDS do
      local text = body()
      local where = ("round %d of seed %d: %s"):format(round, SEED, text:sub(1, 2000))
      local good, value, problem =
        pcall(answer.read, { status = 200, headers = { ["content-type"] = "application/json" }, body = text })
      assert(good, where .. "\n" .. tostring(value))
      if value then
        local err
        good, value, err = pcall(response.check, PLUGIN, value)
        assert(good, where .. "\n" .. tostring(value))
        if value then check_taken(value) else problem = err end
      end
      if value then
        count.taken = count.taken + 1
      elseif type(problem) == "table" then
        assert(CODES[problem.code] and type(problem.message) == "string" and problem.message ~= "", where)
        assert(#problem.message < 70000 and json.encode(problem.message), where)
        count[problem.code] = (count[problem.code] or 0) + 1
      else
        assert(type(problem) == "string" and #problem > 5 and #problem < 1000, where)
        count.unread = (count.unread or 0) + 1
      end
    end
    for _, way in ipairs { "taken", "unread", "invalid_response", "exception", "too_large" } do
      assert(count[way], "no answer has gone the way " .. way)
    end
  end)
end)
