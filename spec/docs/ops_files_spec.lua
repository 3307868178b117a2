-- docs/ops: the dashboard and the alert rules, held to what a host shows that has had a busy day.

local backlog = require "parley.ops.backlog"
local endpoints = require "parley.ops.endpoints"
local fake_openai = require "spec.support.fake_openai"
local fs = require "host.fs"
local host = require "spec.support.host"
local http_server = require "host.http_server"
local json = require "host.json"
local meters = require "parley.ops.meters"
local programs = require "spec.support.process"
local promql = require "spec.support.promql"
local releases = require "spec.support.release"
local redis = require "spec.support.redis"
local sim = require "parley.sim.telegram"

local eventually = programs.eventually

local DAY = [[
local p = parley.plugin()
p.on.command("later", function(c, job) c:schedule { ["in"] = 0, job = job } c:reply "noted" end)
p.on.job("ring", function(c) c:reply "ring" end)
p.on.job("stumble", function() error "not yet" end)
p.on.command("poem", function(c, text) c:reply(c.llm:chat(text).text) end)
p.on.command("broken", function() error "out of luck" end)
return p
]]

-- A REST plugin that is busy at first, and newer than the host.
local function rest_plugin()
  local calls = 0
  local server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, function(req)
    calls = calls + 1
    if calls == 1 then return req:respond(503, "", "") end
    req:respond(200, "Content-Type: application/json\r\n",
      [[{"actions": [{"type": "send", "text": "far away"}], "mood": "good"}]])
  end))
  return server, ("http://127.0.0.1:%d"):format(server:port())
end

-- A new version on trial, in a process of its own: what comes by the API is not the operator's.
local function deploy(h)
  local r = h:client("adm", { "admin" })("POST", "/api/v1/admin/plugins/shop/deployments", {
    files = releases.files("2.0.0", releases.source "c:reply 'two'"), share_percent = 50,
  })
  assert.equal(201, r.status, r.text)
  for _, inside in ipairs { true, false } do h:say(releases.dialogs(1, 50, inside, 1)[1], "/shop") end
end

-- Metrics: name (of its samples): label: values.
local function read(text)
  local out = {}
  for line in text:gmatch "[^\n]+" do
    local name, labels = line:match "^([%a_:][%w_:]*)({?.-}?) %S+$"
    if name then
      out[name] = out[name] or {}
      for label, value in labels:gmatch '([%a_][%w_]*)="(.-)"' do
        out[name][label] = out[name][label] or {}
        out[name][label][value] = true
      end
    end
  end
  return out
end

-- People write to a bot, which is slowed down, refused, and at last not known any more.
local function telegram_day(s, shows)
  local ann = s.world:add_user {}
  local function write(text) s:act("send", { bot = "day_bot", user = ann.id, text = text }) end
  s:act("faults", { kind = "status", status = 429, retry_after = 1, method = "sendMessage" })
  write "/echo hi"
  shows 'parley_telegram_refusals_total{bot="main",of="chat"} 1'
  shows 'parley_telegram_chats_waiting{bot="main"} 1'
  s:act("faults", { kind = "status", status = 400, method = "sendMessage" })
  write "/echo bad"
  shows 'parley_telegram_undelivered_total{bot="main",code="bad_request"} 1'
  s:act("faults", { kind = "status", status = 401, method = "sendMessage" })
  write "/echo nobody"
  write "/echo waits"
  shows 'parley_telegram_away{bot="main",code="unauthorized"} 1'
end

-- A day in the life of a host, in short.
local function a_busy_day()
  local model, shared, rest, endpoint = fake_openai.start(), redis.start(), rest_plugin()
  local s = assert(sim.start { limits = false })
  local bot = s.world:add_bot { username = "day_bot" }
  local h = host.start {
    config = ([[return {
      telegram = { token = %q, api = %q },
      redis_url = %q,
      llm = { provider = "openai", url = %q, key = "k", model = "ok", prices = { ok = { prompt = 2, completion = 8 } } },
      rate_limits = { user = { requests = 1000, seconds = 60 } },
      plugins = { far = { allow_private = true, signing_secret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" } },
    }]]):format(bot.token, s:url(), shared.url, model.url),
    plugins = {
      day = { main = DAY, manifest = { permissions = { "jobs", "llm:chat" }, commands = {
        { name = "later" }, { name = "poem" }, { name = "broken" },
      } } },
      far = { manifest = { transport = "rest", endpoint = endpoint } },
      shop = { main = releases.source "c:reply 'one'", manifest = { commands = { { name = "shop" } } } },
      gone = { main = "return parley.plugin()" }, ill = { main = "return parley.plugin()" },
    },
  }
  local ops = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, endpoints.new(h.core)))
  local public = h.port
  local function scrape()
    local plugins = h.core.manager.current.chooser.by_name -- of whatever generation serves by now
    plugins.gone.state, plugins.ill.state = "disabled", "degraded"
    h.port = ops:port()
    local r = h:request("GET", "/metrics", nil, { token = false })
    h.port = public
    assert.equal(200, r.status)
    return r.text
  end

  for _, text in ipairs { "/echo hi", "/poem a rose", "/broken", "/far", "/later ring", "/later stumble", "what is this?" } do
    assert.equal(200, h:say("d", text).status)
  end
  deploy(h)
  h:say("d", "/echo hi", { message_id = "again" })
  h:say("d", "/echo hi", { message_id = "again" })
  h:request("GET", "/api/v1/dialogs/d", nil, { token = "prl_bot_nobody" })
  h:request("GET", "/api/v1/dialogs/none")
  local db = h.core.db
  h.core.turn.db = setmetatable({ commit = function() return nil, { code = "io", message = "disk gone" } end }, {
    __index = function(_, name) return function(_, ...) return db[name](db, ...) end end,
  })
  h:say("d", "/echo not now")
  h.core.turn.db = db
  local function shows(what)
    return eventually(what, function()
      local text = scrape()
      -- Another generation may have come since their states were set.
      local stands = text:find '{plugin="gone",state="disabled"} 1' and text:find '{plugin="ill",state="degraded"} 1'
      return stands and text:find(what) and text
    end)
  end
  shows 'parley_jobs_total{outcome="done"} [1-9]'
  shows 'parley_jobs_total{outcome="retried"} [1-9]'
  shows 'parley_shared_mode{mode="redis"} 1'
  telegram_day(s, shows)
  shared:stop()
  local text = shows 'parley_shared_mode{mode="degraded"} 1'
  ops:close()
  h:stop()
  s:close()
  rest:close()
  model:stop()
  return text
end

-- What a host on SQLite, without TLS, has no series of; Prometheus' own.
local ELSEWHERE = { parley_db_connections = true, parley_tls_certificate_expires_timestamp_seconds = true }
local OF_PROMETHEUS = { up = { job = true, instance = true } }
local OF_TARGETS = { job = true, instance = true }

local function declared(name)
  for _, registry in ipairs { meters.registry, backlog.registry } do
    local family = registry.by_name[name]
    if family then
      local labels = {}
      for _, label in ipairs(family.labels) do labels[label] = {} end
      return labels
    end
  end
end

describe("docs/ops", function()
  local live, dashboard, alerts
  setup(function()
    live = read(a_busy_day())
    dashboard = assert(json.decode(assert(fs.read "docs/ops/grafana-dashboard.json")))
    alerts = assert(json.decode(programs.run({ "python3", "-c", [[
import json, sys, yaml
print(json.dumps(yaml.safe_load(open("docs/ops/alerts.yml"))))]] }).out))
  end)

  -- The values that a matcher asks for; nil: any, or what a person chooses.
  local function wanted(matcher)
    if matcher.value:find "%$" or matcher.label == "job" then return {} end
    if matcher.op == "=" or matcher.op == "!=" then return { matcher.value } end
    local out = {}
    for value in (matcher.value .. "|"):gmatch "(.-)|" do
      if value:find "^[%w_]+$" then out[#out + 1] = value end
    end
    return out
  end

  -- Fails when the query names what no host shows. Returns the labels that its result has.
  local function check(query)
    local found, has = promql.read(query), {}
    assert(#found.metrics > 0, "no metric in " .. query)
    for _, metric in ipairs(found.metrics) do
      local name = metric.name
      local labels = live[name] or OF_PROMETHEUS[name] or ELSEWHERE[name] and declared(name)
      assert(labels, ("no such metric: %s in %s"):format(name, query))
      for label in pairs(labels) do has[label] = true end
      for _, matcher in ipairs(metric.matchers) do
        assert(labels[matcher.label] or OF_TARGETS[matcher.label],
          ("%s has no label %s: %s"):format(name, matcher.label, query))
        for _, value in ipairs(wanted(matcher)) do
          assert(ELSEWHERE[name] or labels[matcher.label][value],
            ("%s has no %s=%q: %s"):format(name, matcher.label, value, query))
        end
      end
    end
    for label in pairs(OF_TARGETS) do has[label] = true end
    for _, label in ipairs(found.labels) do assert(has[label], ("no such label: %s in %s"):format(label, query)) end
    if #found.labels == 0 then return has end
    local kept = {}
    for _, label in ipairs(found.labels) do kept[label] = true end
    return kept
  end

  local function check_words(query, text, pattern)
    local has = check(query)
    for label in text:gmatch(pattern) do assert(has[label], ("%s: %s has no label %s"):format(text, query, label)) end
  end

  it("has a dashboard whose queries ask for metrics, labels and values that there are", function()
    local queries = 0
    for _, panel in ipairs(dashboard.panels) do
      for _, target in ipairs(panel.targets or {}) do
        check_words(target.expr, target.legendFormat, "{{%s*([%w_]+)%s*}}")
        queries = queries + 1
      end
    end
    assert.is_true(queries > 50)
    for _, annotation in ipairs(dashboard.annotations.list) do
      if annotation.expr then
        check_words(annotation.expr, annotation.titleFormat .. (annotation.textFormat or ""), "{{%s*([%w_]+)%s*}}")
      end
    end
    for _, variable in ipairs(dashboard.templating.list) do
      if variable.type == "query" then
        local query, label = variable.query.query:match "^label_values%((.*), ([%w_]+)%)$"
        assert(check(query)[label], variable.query.query)
      end
    end
  end)

  it("has a dashboard whose panels say what they show, and do not overlap", function()
    local taken, ids = {}, {}
    for _, panel in ipairs(dashboard.panels) do
      assert.is_nil(ids[panel.id])
      ids[panel.id] = true
      assert.is_truthy(panel.title ~= "" and panel.gridPos)
      if panel.type ~= "row" then
        assert.matches("%.$", panel.description)
        assert.is_truthy(panel.fieldConfig.defaults.unit or panel.type == "heatmap", panel.title)
      end
      local at = panel.gridPos
      assert.is_true(at.x >= 0 and at.x + at.w <= 24, panel.title)
      for x = at.x, at.x + at.w - 1 do
        for y = at.y, at.y + at.h - 1 do
          local place = x .. "," .. y
          assert(not taken[place], ("'%s' lies on '%s'"):format(panel.title, taken[place] or ""))
          taken[place] = panel.title
        end
      end
    end
  end)

  it("has a dashboard that uses the data source, job and instances that are chosen", function()
    for _, panel in ipairs(dashboard.panels) do
      for _, target in ipairs(panel.targets or {}) do
        assert.equal("${datasource}", target.datasource.uid)
        for _, metric in ipairs(promql.read(target.expr).metrics) do
          local chosen = {}
          for _, matcher in ipairs(metric.matchers) do chosen[matcher.label] = matcher.value end
          assert.equal("$job", chosen.job)
          assert.equal("$instance", chosen.instance)
        end
      end
    end
  end)

  it("has alerts that ask for metrics, labels and values that there are", function()
    local names = {}
    for _, group in ipairs(alerts.groups) do
      for _, rule in ipairs(group.rules) do
        assert.is_nil(names[rule.alert], rule.alert)
        names[rule.alert] = true
        assert.matches("^Parley%u", rule.alert)
        assert.is_true(rule.labels.severity == "critical" or rule.labels.severity == "warning")
        assert.is_truthy(rule.annotations.description:find "[.?]$", rule.alert)
        check_words(rule.expr, rule.annotations.summary .. rule.annotations.description, "%$labels%.([%w_]+)")
      end
    end
    assert.is_true(names.ParleyDown)
    for name in assert(fs.read "docs/ops/grafana-dashboard.json"):gmatch "%f[%w]Parley%u%w+" do
      assert.is_true(names[name], name)
    end
  end)

  it("would find what no host shows", function()
    for _, query in ipairs {
      "parley_turn_total", "parley_turn_seconds", "sum by (plugin) (parley_turns_total)", 'parley_turns_total{state="failed"}',
      'parley_turns_total{status="faild"}', 'parley_turns_total{status=~"failed|faild"}', "rate(parley_turns[5m])",
      'parley_queue_depth{queue="inbox"} > on (nothing) parley_queue_depth', "sum(up) by (queue)", "vector(1)",
    } do
      assert.has_error(function() check(query) end)
    end
  end)
end)
