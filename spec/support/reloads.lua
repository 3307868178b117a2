-- A host that is reloaded again and again while people talk to it, every second time to something that is broken. Each
-- answer names the version of every part that made it, so that one of a half-loaded generation is known.

local fs = require "host.fs"
local json = require "host.json"
local load = require "spec.support.load"
local serve = require "spec.support.serve"
local task = require "host.task"
local time = require "host.time"

local M = {}

-- A version in all of its parts: manifest, main.lua, lib/, locales/, and another plugin that it invites.
local SHOP = [[
local p = parley.plugin()
local part = require "part"
p.self_check(function() assert(part.version == %d, "lib/ is of another version") end)
p.on.command("shop", function(c)
  c:reply(("%d %%s %%s"):format(part.version, c:t "version"))
  c:invoke "mate"
end)
return p
]]
local MATE = [[
local p = parley.plugin()
p.on.any(function(c) c:reply "%d" end)
return p
]]

local function manifest(name, version, more)
  local m = {
    schema = "v1alpha", name = name, version = version .. ".0.0", api = "1", transport = "lua",
    commands = { { name = name } }, limits = { memory_mb = 8 },
  }
  for key, value in pairs(more or {}) do m[key] = value end
  return json.encode(m)
end

local function write(home, path, text)
  local full = home .. "/" .. path
  assert(fs.mkdir(full:match "^(.*)/"))
  assert(fs.write(full, text))
end

---Writes a version that is well.
---@param home string
---@param n integer
function M.deploy(home, n)
  write(home, "plugins/shop/manifest.json", manifest("shop", n, { locales = { "en" } }))
  write(home, "plugins/shop/main.lua", SHOP:format(n, n))
  write(home, "plugins/shop/lib/part.lua", ("return { version = %d }"):format(n))
  write(home, "plugins/shop/locales/en.json", json.encode { version = tostring(n) })
  write(home, "plugins/mate/manifest.json", manifest("mate", n))
  write(home, "plugins/mate/main.lua", MATE:format(n))
  write(home, "conf/rules.lua", ("return { { name = 'v%d', match = { text = 'nothing' }, route = { reply = 'x' } } }"):format(n))
end

-- What may be wrong with a version, each over one that is otherwise well; and what the refusal must name.
local BROKEN = {
  { "plugins/mate/main.lua", "oh no(", "plugins/mate/main.lua:1: " },
  { "plugins/shop/lib/part.lua", "return { version = 0 }", "main.lua:3: the self check failed: lib/ is of another" },
  { "plugins/mate/manifest.json", '{\n"schema": "v1alpha",\n"name": 7}', "plugins/mate/manifest.json:3: " },
  { "conf/rules.lua", "return {\n  { match = { txt = 'x' } } }", "conf/rules.lua:2: " },
  { "plugins/shop/main.lua", "local t = {} for i = 1, 1e7 do t[i] = i .. 'x' end", "memory" },
  { "plugins/mate/main.lua", "while true do end", "CPU" },
  { "plugins/shop/locales/en.json", '{"version":', "plugins/shop/locales/en.json:1: " },
  { "plugins/mate/main.lua", "local x = require 'nothing'", "plugins/mate/main.lua:1: no module" },
  { "plugins/mate/manifest.json", manifest("mate", 1, { commands = { { name = "shop" } } }), "the command 'shop'" },
  { "conf/parley.lua", "return {\n  wrokers = 2,\n}", "conf/parley.lua:2: unknown key" },
}

---Writes a version that is broken.
---@param home string
---@param n integer
---@param kind integer of BROKEN
---@return string says what its refusal must say
function M.spoil(home, n, kind)
  M.deploy(home, n)
  local path, text, says = unpack(BROKEN[kind])
  write(home, path, text)
  return says
end

local function reload(h)
  local code, out = h:run "reload -o json"
  if code == 0 then return json.decode(out) end
  return nil, out
end

local function resident(h) return h:status().workers[1].rss_bytes end

-- The worker when the processes of old generations have gone: each isolated plugin has one, and a spare may wait.
local function at_rest(h, ring)
  return serve.eventually("no process too many", function()
    local worker = h:status().workers[1]
    local isolation = worker.status.isolation
    return isolation.processes - isolation.spares == (ring == "isolated" and #worker.status.plugins or 0) and worker
  end)
end

-- Every answer that is none of a whole version, and how many there are of each.
local function check(l, good)
  local wrong, seen = {}, {}
  for _, dialog in ipairs(l.dialogs) do
    for _, text in pairs(dialog.text) do
      local a, b, c, d = text:match "^(%d+) (%d+) (%d+)\n\n(%d+)$"
      if a and a == b and b == c and c == d and good[tonumber(a)] then
        seen[a] = (seen[a] or 0) + 1
      else
        wrong[#wrong + 1] = text
      end
    end
  end
  return wrong, seen
end

-- Milliseconds from a message to its answer, sorted: of those that were sent before the reloads began, and after.
local function latencies(l, began)
  local before, after = {}, {}
  for _, dialog in ipairs(l.dialogs) do
    for n, at in pairs(dialog.acked) do
      local list = dialog.sent[n] < began and before or after
      list[#list + 1] = (at - dialog.sent[n]) * 1000
    end
  end
  table.sort(before)
  table.sort(after)
  return before, after
end

---@class spec.Reloads
---@field reloads integer half of them broken
---@field seconds number the load goes on for at least so long
---@field rate number turns/s aimed at
---@field ring "trusted"|"isolated"|nil where the plugins run, default "trusted"
---@field quiet number|nil seconds of load before the first reload

---@param o spec.Reloads
---@return table result {turns, refused, wrong, versions, good, broken, silent, took_ms, before, after, generations,
---  restarts, quiet_ms, latency_ms}
function M.run(o)
  -- AddressSanitizer keeps what was freed for a while, which is no loss.
  local asan = (fs.getenv "ASAN_OPTIONS" or "") .. ":quarantine_size_mb=4"
  -- Room for the states of all plugins, also of more than ship now: then each that is isolated has a process.
  local conf = ("return { plugin_ring = '%s', plugins_memory_mb = 64 }"):format(o.ring or "trusted")
  local h = serve.start { env = { ASAN_OPTIONS = asan }, prepare = function(home)
    write(home, "conf/parley.lua", conf)
    M.deploy(home, 1)
  end }
  local good, took, silent, before = { true }, {}, {}, nil
  local l = load.start {
    targets = { { port = h.port } }, token = h.token, prefix = "reloads", repeats = 0,
    dialogs = { { command = "shop", count = 16 } }, connections = 1, rate = o.rate,
  }
  task.sleep(o.quiet or 0)
  local began = time.mono()
  for i = 1, o.reloads do
    local broken = i % 2 == 0
    local says
    if broken then
      says = M.spoil(h.home, i + 1, (i / 2 - 1) % #BROKEN + 1)
    else
      good[i + 1] = true
      M.deploy(h.home, i + 1)
    end
    local r, err = reload(h)
    write(h.home, "conf/parley.lua", conf)
    if broken and (r or not err:find(says, 1, true)) then silent[#silent + 1] = says .. ": " .. (err or "taken up") end
    if not broken and not r then silent[#silent + 1] = "refused: " .. err end
    if r then took[#took + 1] = r.took_ms end
    -- What the first rounds allocate stays with the process; what grows after that is lost.
    if i == math.ceil(o.reloads / 5) then before = resident(h) end
    task.sleep(math.max(began + o.seconds * i / o.reloads - time.mono(), 0))
  end
  l:stop()
  local wrong, seen = check(l, good)
  local quiet_ms, latency_ms = latencies(l, began)
  local status = at_rest(h, o.ring)
  table.sort(took)
  local result = {
    turns = l.turns, refused = l.refused, wrong = wrong, versions = seen, silent = silent, took_ms = took,
    before = before, after = status.rss_bytes, generations = #status.status.generations, restarts = status.restarts,
    quiet_ms = quiet_ms, latency_ms = latency_ms,
  }
  h:close()
  return result
end

return M
