-- What people send, fetched by REST plugins: by links that are signed, do not last, and open nothing else.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local http = require "host.http_client"
local json = require "host.json"
local python = require "spec.support.python"
local sim = require "parley.sim.telegram"

local PDF = "%PDF-1.4 " .. ("page "):rep(40000)

describe("a REST plugin", function()
  local s, h, bot, ann, server
  setup(function() server = python.start "spec/support/fake_plugin.py" end)
  teardown(function() server:stop() end)

  local function start(more, permissions)
    s = assert(sim.start { limits = false })
    bot, ann = s.world:add_bot { username = "shop_bot" }, s.world:add_user { first_name = "Ann" }
    h = host.start {
      plugins = { bad = { manifest = {
        transport = "rest", endpoint = ("http://127.0.0.1:%d/base/"):format(server.port),
        permissions = permissions or { "files" },
      } } },
      config = ([[return {
        telegram = { token = %q, api = %q, limits = { paced = false } }, fallback_plugin = 'bad', record_calls = 'all',
        plugins = { bad = { signing_secret = 'whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=', allow_private = true } },
        files = { %s },
      }]]):format(bot.token, s:url(), more or ""),
    }
  end
  after_each(function()
    h:stop()
    s:close()
  end)

  -- The envelope of the call that a message has led to.
  local function call_for(given)
    given.bot, given.user = "shop_bot", ann.id
    local log = ("http://127.0.0.1:%d/log"):format(server.port)
    local function calls() return json.decode(http.request({ url = log, allow_private = true, max_body = 1e8 }).body).calls end
    local before = #calls()
    assert(s:act(given.items and "album" or "send", given))
    return eventually("a call", function() return calls()[before + 1] end).request
  end
  local function fetch(path) return h:request("GET", path, nil, { token = false }) end
  local function document(more)
    local given = { content = PDF, file_name = 'my "re\tport".pdf', mime_type = "application/pdf" }
    for k, v in pairs(more or {}) do given[k] = v end
    return call_for { document = given, caption = "see ok" }
  end

  it("gets a link for each file, which gives the bytes as they were sent", function()
    start()
    local request = document()
    assert.equal(1, #request.files)
    local file = request.files[1]
    assert.same({ #PDF, "application/pdf" }, { file.size, file.mime_type })
    local url = ("http://127.0.0.1:%d%s"):format(h.port, file.path)
    local r = assert(http.request { url = url, allow_private = true, max_body = 1e7 })
    assert.equal(200, r.status, r.body)
    assert.is_true(r.body == PDF)
    assert.same({ "application/pdf", "no-store", "nosniff" },
      { r.headers["content-type"], r.headers["cache-control"], r.headers["x-content-type-options"] })
    assert.equal('attachment; filename="my _re_port_.pdf"', r.headers["content-disposition"])
    -- Once more, from the disk: also when Telegram is away.
    assert(s:act("faults", { kind = "status", status = 502, times = 0 }))
    assert.equal(200, fetch(file.path).status)
    local rows = h.core.db:query "SELECT source, details FROM audit_logs WHERE action = 'file_fetched'"
    assert.equal(1, #rows)
    assert.same({ "bad", #PDF }, { rows[1].source, json.decode(rows[1].details).size })
    -- The call is in the vendor's log before its answer is here, and recorded after it.
    local recorded = eventually("the record of the call", function()
      return h.core.db:first "SELECT request FROM plugin_calls WHERE request IS NOT NULL"
    end)
    assert.is_nil(recorded.request:find(file.path, 1, true))
  end)

  it("gets one for each file of an album, and none without the permission", function()
    start()
    local request = call_for { items = { { photo = { content = "one" }, caption = "see ok" }, { photo = { content = "two" } } } }
    assert.equal(2, #request.files)
    assert.equal("two", fetch(request.files[2].path).text:match "two")
    h:stop()
    s:close()
    start(nil, { "jobs" })
    assert.is_nil(document().files)
  end)

  it("opens nothing with a link that is changed, that is old, or that is of a plugin without the permission", function()
    start()
    local path = document().files[1].path
    local text, signature = path:match "^/api/v1/files/([^.]+)%.(.+)$"
    for _, wrong in ipairs {
      text, text .. "." .. signature:reverse(), text:sub(2) .. "." .. signature, "x." .. signature, "." .. signature, "%00.%00",
      text .. "." .. signature .. "." .. signature,
    } do
      local r = fetch("/api/v1/files/" .. wrong)
      assert.same({ 404, "file_not_found" }, { r.status, r.body.code }, wrong)
    end
    local links = h.core.links
    local read = links.read
    links.read = function(...)
      local link = read(...)
      link.expires_at = 1
      return link
    end
    local r = fetch(path)
    assert.same({ 410, "file_link_expired" }, { r.status, r.body.code })
    links.read = read
    local plugin = h.core.manager.current.chooser.by_name.bad
    plugin.state = "disabled"
    assert.equal(404, fetch(path).status)
    plugin.state = "active"
    assert.equal(200, fetch(path).status)
  end)

  it("keeps to the limits of files, and hears why there is none", function()
    start "max_mb = 0.1"
    local r = fetch(document().files[1].path)
    assert.same({ 413, "too_large" }, { r.status, r.body.code })
    h:stop()
    s:close()
    start "user_mb = 0.1"
    r = fetch(document().files[1].path)
    assert.same({ 507, "files_full" }, { r.status, r.body.code })
    h:stop()
    s:close()
    start "types = { 'image/*' }"
    r = fetch(document().files[1].path)
    assert.same({ 415, "unsupported_media_type" }, { r.status, r.body.code })
    h:stop()
    s:close()
    start()
    local path = document().files[1].path
    s.world.files = {}
    r = fetch(path)
    assert.same({ 404, "file_not_found" }, { r.status, r.body.code })
  end)

  it("may follow a link several times at once", function()
    start()
    local path = document().files[1].path
    local task = require "host.task"
    local tasks = {}
    for i = 1, 8 do tasks[i] = task.spawn(fetch, path) end
    for i = 1, 8 do
      local _, r = tasks[i]:join()
      assert.equal(200, r.status, r.text:sub(1, 300))
    end
    assert.equal(1, h:count "blobs")
  end)
end)
