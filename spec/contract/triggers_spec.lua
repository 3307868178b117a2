-- Triggers at work: what events lead to, once, and what an administrator hears of it.

local eventually = require "spec.support.eventually"
local config = require "parley.config"
local core = require "parley.core"
local database = require "spec.support.database"
local audit = require "parley.store.audit"
local fs = require "host.fs"
local host = require "spec.support.host"
local http_server = require "host.http_server"
local json = require "host.json"
local servers = require "spec.support.redis"
local registration = require "spec.support.registration"
local task = require "host.task"
local webhook = require "parley.plugins.webhook"

local OPEN = "return { allow_private_plugins = true }"

describe("triggers", function()
  local h
  local function start(text, conf)
    local home = host.temp_dir()
    assert(fs.mkdir(home .. "/conf"))
    if text then assert(fs.write(home .. "/conf/triggers.lua", text)) end
    h = host.start { home = home, config = conf or OPEN, plugins = {
      shop = { main = "local p = parley.plugin() p.on.command('shop', function(c) c:reply 'shop' end) return p" },
    } }
  end
  after_each(function() if h then h:stop() end end)

  local function happens(source, action, severity, details)
    assert(h.core.db:commit { audit.insert { source = source, action = action, severity = severity, details = details } })
  end

  local function rows(where, ...)
    return h.core.db:query("SELECT * FROM audit_logs WHERE " .. where .. " ORDER BY id", ...)
  end

  local function details_of(row) return json.decode(row.details) end
  local function fired(id) return rows("action = 'trigger_fired' AND source = $1", "trigger:" .. id) end
  local function state_of(name) return h.core.manager.current.chooser.by_name[name].state end

  -- Nothing is marked any more.
  local function settled()
    eventually("the end of it", function() return #rows "signal = 1" == 0 end)
  end

  local function make_admin(name, locale)
    local r = h:request("POST", "/api/v1/users", { external_id = name, role = "admin", locale = locale })
    assert.equal(201, r.status)
    h:say("dialog-" .. name, "/echo hi", { user = { external_id = name } })
  end

  local function notices(dialog)
    local out = {}
    for _, m in ipairs(h:request("GET", "/api/v1/dialogs/" .. dialog).body.messages) do
      if m.sender_type == "system" then out[#out + 1] = m.payload.actions[1].text end
    end
    return out
  end

  describe("that ship", function()
    it("disable a plugin that has failed critically, tell administrators, and stay over a restart (TR-004, TR-008)", function()
      start()
      make_admin("ann", "en")
      make_admin("oksana", "uk-UA")
      h:say("nobody", "/echo hi")
      happens("shop", "plugin_failed", "critical", { code = "breach", message = "it has lied" })
      eventually("the end of the plugin", function() return state_of "shop" == "disabled" end)
      settled()
      assert.equal("fallback", h:say("d", "/shop").body.status)
      local row = h.core.db:first "SELECT status, reason FROM plugins WHERE id = 'shop'"
      assert.same({ status = "disabled", reason = "trigger TR-008: it has lied" }, row)
      local cause = rows("action = 'plugin_failed'")[1]
      local note = "Security: the plugin shop has failed critically: it has lied (trace_id " .. cause.trace_id .. ")"
      assert.same({ note }, notices "dialog-ann")
      assert.matches("^Безпека: критичний збій плагіна shop: it has lied", notices("dialog-oksana")[1])
      assert.same({}, notices "nobody")
      local alert = rows "action = 'security_alert'"
      assert.equal(1, #alert)
      assert.same({ "critical", "trigger:TR-004", cause.trace_id }, { alert[1].severity, alert[1].source, alert[1].trace_id })
      assert.same({ 1, 1 }, { #fired "TR-004", #fired "TR-008" })
      assert.equal(cause.id, details_of(fired("TR-008")[1]).event_id)
      assert.equal("shop", details_of(rows("action = 'plugin_disabled'")[1]).plugin_id)
      local home = h.home
      h:stop()
      h = host.start { home = home }
      assert.equal("disabled", state_of "shop")
      -- An operator enables it.
      local admin = h:client("adm", { "admin" })
      assert.equal(200, admin("POST", "/api/v1/admin/plugins/shop/enable", {}).status)
      assert.equal("shop", h:say("d", "/shop").body.text)
    end)

    it("disable a registered plugin that says so of itself", function()
      start()
      local _, dice = registration.register(h)
      assert.equal(200, dice("POST", "/api/v1/plugins/dice/heartbeat", { status = "ok" }).status)
      assert.equal("active", state_of "dice")
      dice("POST", "/api/v1/plugins/dice/events", { event_type = "plugin_failed", severity = "error" })
      dice("POST", "/api/v1/plugins/dice/events",
        { event_type = "plugin_failed", severity = "critical", payload = { message = "keys are out" } })
      eventually("the end of the plugin", function() return state_of "dice" == "disabled" end)
      assert.equal("trigger TR-008: keys are out", h.core.db:first("SELECT reason FROM plugins").reason)
      assert.equal("disabled", dice("POST", "/api/v1/plugins/dice/heartbeat", { status = "ok" }).body.status)
      settled()
      assert.equal(1, #fired "TR-008")
    end)

    it("disable one that chooses its words badly", function()
      start()
      happens("shop", "plugin_failed", "critical", { message = "\0\n" .. ("є"):rep(500) })
      eventually("the end of the plugin", function() return state_of "shop" == "disabled" end)
      assert.equal("trigger TR-008:   " .. ("є"):rep(98) .. "...", h.core.db:first("SELECT reason FROM plugins").reason)
    end)

    it("never disable the fallback", function()
      start()
      happens("text_reply", "plugin_failed", "critical", {})
      eventually("the refusal", function() return #rows "action = 'trigger_failed'" > 0 end)
      settled()
      assert.equal("active", state_of "text_reply")
      assert.equal("it is the fallback plugin: nobody stands behind it",
        details_of(rows("action = 'trigger_failed'")[1]).message)
      assert.equal(1, #fired "TR-004") -- the others go on
    end)

    it("let a plugin of a folder be tried again by a reload", function()
      start()
      happens("shop", "plugin_failed", "critical", {})
      eventually("the end of the plugin", function() return state_of "shop" == "disabled" end)
      assert(h.core:reload())
      assert.equal("active", state_of "shop")
      assert.equal(0, h:count "plugins")
    end)

    it("leave what an operator has disabled alone", function()
      start()
      local admin = h:client("adm", { "admin" })
      admin("POST", "/api/v1/admin/plugins/shop/disable", { reason = "holidays" })
      assert(h.core:reload())
      assert.equal("disabled", state_of "shop")
    end)

    it("tell of the degraded mode (TR-009)", function()
      start()
      make_admin "ann"
      happens("redis", "mode_changed", "warning", { mode = "degraded", reason = "refused" })
      happens("redis", "mode_changed", "info", { mode = "redis" })
      eventually("the notice", function() return #fired "TR-009" > 0 end)
      settled()
      assert.same({ "Redis is away (refused): Parley works in degraded mode, the database stands in." }, notices "dialog-ann")
    end)
  end)

  -- A database in a file has one worker.
  if database.is_postgres then
    it("are carried out by one of all instances, and every one follows", function()
      start()
      local others = {}
      for i = 1, 2 do
        local home = host.temp_dir()
        local env = { PARLEY_DATABASE_URL = h.core.config.database_url }
        others[i] = assert(core.new(assert(config.load(home, { getenv = function(name) return env[name] end }))))
        assert(others[i]:begin())
      end
      finally(function() for _, other in ipairs(others) do other:close() end end)
      for _ = 1, 5 do happens("echo", "plugin_failed", "critical", {}) end
      for _, c in ipairs { h.core, unpack(others) } do
        eventually("the end of the plugin", function()
          return c.manager.current.chooser.by_name.echo.state == "disabled"
        end)
      end
      settled()
      assert.same({ 5, 1 }, { #fired "TR-008", #fired "TR-004" })
    end)
  end

  describe("of an operator", function()
    it("count within their window, and emit what sets off others", function()
      start [[return {
        { id = "A", event = "plugin_timeout", window = { count = 3, seconds = 60 },
          act = { { emit = "shop_is_slow", severity = "error" } } },
        { id = "B", event = "*_is_slow", act = { { disable = "shop" }, { emit = "shop_is_slow" } } },
      }]]
      happens("shop", "plugin_timeout", "error", {})
      happens("shop", "plugin_timeout", "error", {})
      settled()
      assert.equal("active", state_of "shop")
      happens("shop", "plugin_timeout", "error", {})
      eventually("the end of the plugin", function() return state_of "shop" == "disabled" end)
      settled()
      assert.same({ 1, 1 }, { #fired "A", #fired "B" }) -- what B emits does not set it off again
      assert.equal(3, details_of(fired("A")[1]).count)
    end)

    it("switch the mode, for all and over restarts, until they switch back or an operator reloads", function()
      local server = servers.start()
      finally(function() server:stop() end)
      local conf = ("return { redis_url = %q }"):format(server.url)
      start([[return {
        { id = "A", event = "take_redis_out", act = { { mode = "degraded" } } },
        { id = "B", event = "take_redis_in", act = { { mode = "normal" } } },
      }]], conf)
      local function mode(expected)
        eventually("the mode " .. expected, function() return h.core.shared:mode() == expected end)
      end
      mode "redis"
      happens("core", "take_redis_out", "info", { message = "it is moved" })
      mode "degraded"
      local row = eventually("the audit", function() return rows("action = 'mode_changed' AND severity = 'warning'")[1] end)
      assert.equal("trigger A: it is moved", details_of(row).reason)
      local home = h.home
      h:stop()
      h = host.start { home = home }
      mode "degraded"
      task.sleep(1.5) -- Redis is well, and would be used by now
      mode "degraded"
      happens("core", "take_redis_in", "info")
      mode "redis"
      happens("core", "take_redis_out", "info")
      mode "degraded"
      assert(h.core:reload())
      mode "redis"
    end)

    it("enable a plugin", function()
      start [[return { { id = "A", event = "all_clear", act = { { enable = "shop" } } } }]]
      h:client("adm", { "admin" })("POST", "/api/v1/admin/plugins/shop/disable", {})
      assert.equal("disabled", state_of "shop")
      happens("core", "all_clear", "info")
      eventually("the plugin", function() return state_of "shop" == "active" end)
    end)

    it("call a webhook, signed, and again while it is away", function()
      local got = {}
      local hook = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, function(req)
        got[#got + 1] = {
          body = req:body(), id = req:header "webhook-id", timestamp = req:header "webhook-timestamp",
          signature = req:header "webhook-signature",
        }
        req:respond(#got == 1 and 503 or 204, "", "")
      end))
      local secret = webhook.new_secret()
      start(([[return { { id = "A", event = "sold_out",
        act = { { webhook = "http://127.0.0.1:%d/x", secret = %q, allow_private = true } } } }]]):format(hook:port(), secret))
      happens("shop", "sold_out", "warning", { item = "tea" })
      eventually("the second call", function() return #got == 2 end)
      hook:close()
      local call = got[2]
      assert.equal(got[1].id, call.id)
      assert.equal(webhook.sign(webhook.key(secret), call.id, tonumber(call.timestamp), call.body), call.signature)
      local body = json.decode(call.body)
      assert.same({ "A", "sold_out", "shop", "warning", "tea" },
        { body.trigger, body.event.name, body.event.source, body.event.severity, body.event.details.item })
    end)

    it("say so when a webhook is refused", function()
      start [[return { { id = "A", event = "x", act = { { webhook = "http://127.0.0.1:1/x" } } } }]]
      happens("shop", "x", "info")
      local row = eventually("the failure", function() return rows("action = 'trigger_failed'")[1] end)
      assert.same({ "trigger:A", "error", "webhook" }, { row.source, row.severity, details_of(row).action })
    end)

    it("are taken up by a reload, whole or not at all", function()
      start "return {}"
      happens("shop", "x", "info")
      assert.equal(0, #rows "signal = 1")
      assert(fs.write(h.home .. "/conf/triggers.lua", "return {\n{ id = 'A', event = 'x', act = { { emit = 'seen' } } } }"))
      assert(h.core:reload())
      happens("shop", "x", "info")
      eventually("the event", function() return #rows "action = 'seen'" == 1 end)
      assert(fs.write(h.home .. "/conf/triggers.lua", "return {\n{ id = 'A', event = 'x', act = { { emt = 'seen' } } } }"))
      local ok, err = h.core:reload()
      assert.is_nil(ok)
      assert(err.message:find("conf/triggers.lua:2: trigger 'A': act[1]: there is no action 'emt'. Did you mean 'emit'?", 1,
        true), err.message)
      happens("shop", "x", "info")
      eventually("the second event", function() return #rows "action = 'seen'" == 2 end)
    end)

    it("handle what a plugin emits in its turn", function()
      start [[return { { id = "A", event = "sold", when = { details = { item = "tea" } }, act = { { emit = "seen" } } } }]]
      h:write_plugin("seller", {
        manifest = { permissions = { "events" } },
        main = "local p = parley.plugin() p.on.command('seller', function(c) c:emit('sold', { item = 'tea' }) end) return p",
      })
      assert(h.core:reload())
      local r = h:say("d", "/seller").body
      local seen = eventually("the event", function() return rows("action = 'seen'")[1] end)
      assert.equal(r.trace_id, seen.trace_id)
    end)
  end)
end)
