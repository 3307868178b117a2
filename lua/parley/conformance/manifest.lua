-- GET /manifest: what Parley polls to learn what the plugin is.

local answer = require "parley.plugins.answer"
local manifest = require "parley.plugins.manifest"

local SECONDS = 5

local function get(t)
  local r, err = t:exchange("GET", "/manifest", nil, SECONDS)
  if not r or r.status ~= 200 then return nil, t.describe(r, err) end
  local m, result = manifest.check(r.body, { file = "manifest" })
  if not m then return nil, manifest.describe(result) end
  return m, result, r
end

local function is_valid(t)
  local m, problem, r = get(t)
  if not m then return problem end
  if m.transport ~= "rest" then return "transport: 'rest' expected, got '" .. m.transport .. "'" end
  t.manifest, t.shown = m, r
end

return {
  {
    name = "GET /manifest answers a valid PluginManifestV1",
    level = "must",
    fix = "answer 200 with the manifest that the plugin is registered with; docs/rest-plugins.md "
      .. "lists its fields",
    run = is_valid,
  },
  {
    name = "the manifest comes as application/json",
    level = "must",
    fix = "send Content-Type: application/json",
    run = function(t)
      if not t.shown then return nil, "there is no valid manifest" end
      return answer.type_problem(t.shown)
    end,
  },
  {
    name = "the manifest is the same each time",
    level = "must",
    fix = "leave times, counters and random values out: its hash tells Parley whether it has "
      .. "changed",
    run = function(t)
      if not t.shown then return nil, "there is no valid manifest" end
      local _, first = manifest.check(t.shown.body)
      local m, second = get(t)
      if not m then return second end
      if first ~= second then return ("hash %.12s first, then %.12s"):format(first, second) end
    end,
  },
}
