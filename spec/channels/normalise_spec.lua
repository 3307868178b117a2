-- Updates of every kind as messages, and hostile ones that cost nothing but themselves.

local json = require "host.json"
local kinds = require "parley.channels.telegram.update.kinds"
local normalise = require "parley.channels.telegram.normalise"
local updates = require "spec.channels.updates"

local BOT = { name = "main", username = "Shop_bot" }

local function at(value, path)
  for part in path:gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    value = value[tonumber(part) or part]
  end
  return value
end

-- As it comes from Telegram: through JSON.
local function given(id, kind, value) return json.decode(json.encode { update_id = id, [kind] = value }) end

describe("an update", function()
  for name, case in pairs(updates) do
    local kind, value, expected, paths = unpack(case, 1, 4)
    it("is read: " .. name, function()
      local found, counted = normalise.update(BOT, given(9, kind, value))
      assert.equal(kinds.KNOWN[kind] and kind or "other", counted)
      if not expected then
        assert.is_nil(found)
        return
      end
      local m = found.message
      assert.same({ expected, "telegram", "9" }, { m.type, m.channel, m.message_id })
      assert.truthy(m.user.telegram_id or m.user.external_id)
      for path, wanted in pairs(paths) do
        assert.same(wanted, path == "dialog" and found.dialog_id or at(m, path), path)
      end
      if expected == "event" then assert.truthy(m.payload.name:find "^telegram%.%l[%w_.]*$") end
    end)
  end

  it("of every kind that Telegram knows is among them", function()
    local seen = {}
    for _, case in pairs(updates) do seen[case[1]] = true end
    for kind in pairs(kinds.KNOWN) do assert(seen[kind], kind) end
  end)

  it("of several kinds, which Telegram does not send, is read as one that is known, always the same", function()
    for _ = 1, 20 do
      local found, kind = normalise.update(BOT, given(1, "zzz", {}))
      assert.same({ "telegram.zzz", "other" }, { found.message.payload.name, kind })
      local both = { update_id = 1, aaa = { x = 1 }, poll = { id = "5" }, message_reaction = { chat = { id = 5 } } }
      assert.equal("message_reaction", select(2, normalise.update(BOT, both)))
    end
  end)

  it("that is none is refused", function()
    for _, update in ipairs {
      false, "text", 7, {}, { update_id = 1 }, { update_id = "1", poll = {} }, { update_id = -1, poll = {} },
      { update_id = 1.5, poll = {} }, { update_id = 2 ^ 54, poll = {} }, { update_id = 1, poll = 5 },
      { update_id = 1, ["Poll$"] = {} }, { update_id = 1, [("x"):rep(41)] = {} }, { update_id = 1, [1] = {} },
      { update_id = 1, message = {} }, { update_id = 1, message = { chat = { id = "5" } } },
      { update_id = 1, message = { chat = { id = 0.5 } } },
    } do
      local found, kind = normalise.update(BOT, update)
      assert.is_nil(found)
      assert.equal("refused", kind)
    end
  end)
end)

describe("a hostile update", function()
  local JUNK = {
    function() return json.null end, function() return true end, function() return false end,
    function() return -1 end, function() return 0.5 end, function() return 1e308 end, function() return 2 ^ 53 + 2 end,
    function() return 0 / 0 end, function() return math.huge end, function() return "" end,
    function() return ("\240\159\152\128"):rep(10000) end, function() return "\255\0\254" end,
    function() return {} end, function() return json.array() end, function() return { {}, "x", 5 } end,
    function() return { id = {}, type = {}, text = 5, length = "x", offset = {} } end,
    function()
      local deep = {}
      for _ = 1, 50 do deep = { deep, user = deep } end
      return deep[1]
    end,
  }

  local function copy(v)
    if type(v) ~= "table" then return v end
    local out = setmetatable({}, getmetatable(v))
    for key, value in pairs(v) do out[key] = copy(value) end
    return out
  end

  -- Something in it is replaced by what does not belong there.
  local function spoil(value, random)
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    if #keys == 0 then return end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    local key = keys[random(#keys)]
    if type(value[key]) == "table" and random(3) > 1 then
      spoil(value[key], random)
    else
      value[key] = JUNK[random(#JUNK)]()
    end
  end

  -- What a message of the contract must be, whatever it was made of.
  local function check(found)
    assert(#found.dialog_id <= 128 and found.dialog_id:find "^tg:main:%-?%d+:?b?%x*$", found.dialog_id)
    local m = found.message
    local user = m.user
    assert(user.telegram_id == nil or user.telegram_id > 0 and user.telegram_id % 1 == 0)
    assert(user.telegram_id or #user.external_id <= 128)
    assert(user.name == nil or type(user.name) == "string" and #user.name <= 256)
    assert(user.locale == nil or type(user.locale) == "string" and #user.locale <= 35)
    assert(m.text == nil or type(m.text) == "string" and #m.text <= 16384)
    assert(type(m.type) == "string" and m.message_id:find "^%d+$")
    local context = json.encode(m.context)
    assert(context == nil or #context <= 16384, "its context is too long")
  end

  it("breaks nothing, whatever it is made of", function()
    math.randomseed(11)
    local names = {}
    for name in pairs(updates) do names[#names + 1] = name end
    table.sort(names)
    local read = 0
    for round = 1, 300 do
      for _, name in ipairs(names) do
        local update = { update_id = round, [updates[name][1]] = copy(updates[name][2]) }
        for _ = 1, math.random(4) do spoil(update, math.random) end
        local found = normalise.update(BOT, update)
        if found then
          read = read + 1
          check(found)
        end
      end
    end
    assert(read > 1000)
  end)
end)
