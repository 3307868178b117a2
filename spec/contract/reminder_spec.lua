local host = require "spec.support.host"
local json = require "host.json"
local task = require "host.task"

local function press(h, dialog, button)
  return h:request("POST", "/api/v1/dialogs/" .. dialog .. "/messages", {
    user = { external_id = "alice" }, type = "callback", payload = { plugin = button.plugin, data = button.data },
  }).body
end

local function rung(h, dialog)
  for _ = 1, 400 do
    for _, m in ipairs(h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages) do
      local action = m.payload.actions and m.payload.actions[1]
      if action and action.text and action.text:find "⏰" then return action end
    end
    task.sleep(0.01)
  end
  error "nothing rang"
end

local function run_at(h, dialog)
  local row = h.core.db:first("SELECT run_at FROM jobs WHERE dialog_id = $1 AND state = 'open' ORDER BY id DESC LIMIT 1", dialog)
  return row and row.run_at / 1000
end

describe("reminder", function()
  local h
  setup(function() h = host.start { config = "return { plugins = { reminder = { utc_offset = '+02:00' } } }" } end)
  teardown(function() h:stop() end)

  for text, expected in pairs {
    ["remind me to call Mum in 10 minutes"] = { "call Mum", 600 },
    ["/remind water the plants in an hour"] = { "water the plants", 3600 },
    ["/remind stretch in 2 hours"] = { "stretch", 7200 },
    ["напомни мне позвонить маме через 10 минут"] = { "позвонить маме", 600 },
    ["Напомни через час выключить духовку"] = { "выключить духовку", 3600 },
    ["нагадай мені зателефонувати мамі через 3 дні"] = { "зателефонувати мамі", 3 * 86400 },
  } do
    it("understands: " .. text, function()
      local dialog = "in" .. #text .. "." .. expected[2]
      local r = h:say(dialog, text).body
      assert.equal("reminder", r.plugin.name)
      local _, data = next(json.decode(h.core.db:first("SELECT state FROM dialogs WHERE id = $1", dialog).state).reminder.items)
      assert.equal(expected[1], data.what)
      assert.is_true(math.abs(run_at(h, dialog) - os.time() - expected[2]) < 5)
    end)
  end

  it("understands times of the user's clock", function()
    local function local_time(at) return os.date("!%H:%M", at + 7200) end
    h:say("at", "remind me about the meeting at 18:30")
    assert.equal("18:30", local_time(run_at(h, "at")))
    assert.is_true(run_at(h, "at") > os.time() and run_at(h, "at") <= os.time() + 86400)
    h:say("tm", "напомни о враче завтра в 9:15")
    assert.equal("09:15", local_time(run_at(h, "tm")))
    assert.equal(os.date("!%d", os.time() + 7200 + 86400), os.date("!%d", run_at(h, "tm") + 7200))
    h:say("uk", "нагадай про зустріч о 7", { locale = "uk" })
    assert.equal("07:00", local_time(run_at(h, "uk")))
  end)

  it("asks for what is missing", function()
    assert.matches("^When%?", h:say("ask", "remind me to sleep").body.text)
    assert.matches("^I did not get the time", h:say("ask", "soon").body.text)
    assert.matches("^I will remind you at .*: sleep$", h:say("ask", "10 minutes").body.text)
    assert.equal("text_reply", h:say("ask", "blah blah").body.plugin.name) -- the conversation is over
    assert.matches("^О чём", h:say("ask2", "/remind", { locale = "ru" }).body.text)
    assert.matches("^Когда", h:say("ask2", "выпить воды", { locale = "ru" }).body.text)
    assert.matches("^Напомню в %d%d:%d%d: выпить воды$", h:say("ask2", "через 5 минут", { locale = "ru" }).body.text)
    h:say("ask3", "/remind")
    assert.equal("All right, nothing is set.", h:say("ask3", "Cancel!").body.text)
    h:say("ask4", "/remind x")
    h:say("ask4", "hm")
    h:say("ask4", "hm")
    assert.matches("^Let us leave it", h:say("ask4", "hm").body.text)
    -- A command is not an answer.
    h:say("ask5", "/remind x")
    assert.equal("hi", h:say("ask5", "/echo hi").body.text)
  end)

  it("rings once, can be put off and done", function()
    h:say("ring", "/remind tea in 1 second")
    local action = rung(h, "ring")
    assert.equal("⏰ tea", action.text)
    local snooze, done = action.buttons[1][1], action.buttons[1][2]
    assert.matches("^I will remind you", press(h, "ring", snooze).text)
    assert.is_true(run_at(h, "ring") - os.time() > 590)
    assert.equal("Well done!", press(h, "ring", done).text)
    assert.equal("This reminder is not there any more.", press(h, "ring", done).text)
  end)

  it("lists and cancels", function()
    assert.matches("^You have no reminders", h:say("list", "/reminders").body.text)
    h:say("list", "/remind one in 2 hours")
    h:say("list", "/remind two in 1 hour")
    local r = h:say("list", "/reminders").body
    assert.matches("^2 reminders:\n.* two\n.* one\n$", r.text)
    assert.equal("bold", r.actions[1].entities[1].type)
    assert.equal("Cancelled: two", press(h, "list", r.actions[1].buttons[1][1]).text)
    assert.matches("^1 reminder:", h:say("list", "/reminders").body.text)
  end)

  it("rings after a restart", function()
    local own = host.start()
    own:say("later", "/remind wake up in 1 second")
    own:stop()
    task.sleep(1.1)
    own = host.start { home = own.home }
    assert.equal("⏰ wake up", rung(own, "later").text)
    own:stop()
  end)
end)
