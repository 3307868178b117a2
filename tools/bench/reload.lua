-- Reloads under load, half of them broken: what they cost, and whether anybody has noticed.

package.path = "./?.lua;" .. package.path
local reloads = require "spec.support.reloads"

local n, seconds, rate, ring = ...
local r = reloads.run {
  reloads = tonumber(n), seconds = tonumber(seconds), rate = tonumber(rate), ring = ring, quiet = 5,
}

local function row(what, format, ...) print(("%-46s " .. format):format(what, ...)) end
local function share(list, q) return list[math.max(1, math.ceil(q * #list))] end

local refused = 0
for _, count in pairs(r.refused) do refused = refused + count end
local versions = 0
for _ in pairs(r.versions) do versions = versions + 1 end

row("reloads", "%s in %s s, half of them broken; plugins %s", n, seconds, ring)
row("turns", "%d, by %d versions", r.turns, versions)
row("turns that failed, or were made of two versions", "%d, %d", refused, #r.wrong)
row("broken reloads that were taken up or not named", "%d", #r.silent)
local function spread(list)
  return ("%.1f ms, %.1f ms, %.1f ms"):format(share(list, 0.5), share(list, 0.99), list[#list])
end
row("a reload, p50, p95 and slowest", "%g ms, %g ms, %g ms", share(r.took_ms, 0.5), share(r.took_ms, 0.95),
  r.took_ms[#r.took_ms])
row("a turn before, p50, p99 and slowest", "%s", spread(r.quiet_ms))
row("a turn meanwhile, p50, p99 and slowest", "%s", spread(r.latency_ms))
row("memory after a fifth, and at the end", "%.1f MB, %.1f MB", r.before / 1048576, r.after / 1048576)
row("generations alive, workers restarted", "%d, %d", r.generations, r.restarts)
for _, text in ipairs(r.wrong) do print("wrong: " .. text) end
for _, text in ipairs(r.silent) do print("wrong: " .. text) end
if refused + #r.wrong + #r.silent + r.restarts > 0 then os.exit(1) end
