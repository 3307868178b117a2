-- parley plugin deploy: a version of a plugin comes into service, for all dialogs or for a share.

local archive = require "parley.plugins.archive"
local duration = require "parley.util.duration"
local exit = require "parley.cli.exit"
local find = require "parley.cli.plugin.find"
local fs = require "host.fs"
local options = require "parley.cli.options"
local order = require "parley.cli.plugin.order"
local output = require "parley.cli.output"
local temporary = require "parley.util.temporary"

local function percent(text)
  local n = tonumber((text:match "^([%d.]+)%%?$"))
  if n and n >= 0.01 and n <= 50 then return n end
  return nil, ("0.01%% to 50%% expected, got '%s'"):format(text)
end

local function margin(text)
  local n = tonumber((text:match "^([%d.]+)%%?$"))
  if n and n <= 100 then return n / 100 end
  return nil, ("0%% to 100%% expected, got '%s'"):format(text)
end

local M = {
  about = [[
Puts the version of a plugin that lies in a folder, or in a file of parley plugin pack, in service
in every worker of every instance of the running host; whatever happens to the folder then changes
nothing. With --canary only a share of the dialogs gets it, always the same ones: it is rolled back
by itself when it is clearly worse than the version before, and promoted at the end of the window
when it is not. The same version once more, with another share, changes the share.]],
  arguments = {
    { name = "PLUGIN", help = "a name, or the path of a folder or a file", needed = true },
  },
  options = order.options {
    { name = "canary", value = "PERCENT", help = "of the dialogs, such as 5%", check = percent },
    {
      name = "window", value = "TIME", check = duration.check,
      help = "after which a canary that is no worse is promoted (default 10m)",
    },
    {
      name = "max-window", value = "TIME", check = duration.check,
      help = "how far that may be put off while calls are too few (default: six windows)",
    },
    {
      name = "min-calls", value = "N", check = options.number(1, 1000000, true),
      help = "calls of each version that it needs for that (default 100)",
    },
    {
      name = "more-errors", value = "PERCENT", check = margin,
      help = "of its calls may fail beyond those of the version before (default 1%)",
    },
    {
      name = "slower", value = "TIMES", check = options.number(1, 100),
      help = "as long may 95 of 100 of its calls take (default 1.5)",
    },
    order.reason,
  },
}

local function say(r, plugin)
  local d = r.deployment
  for _, w in ipairs(r.warnings) do
    io.stderr:write(("%s:%d: warning: %s\n"):format(w.file, w.line, w.message))
  end
  if d.state == "running" then
    return ("%s %s serves %g %% of the dialogs beside %s, bundle %s; deployment %d, watched for %s")
      :format(plugin, d.canary.version, d.share_percent, d.stable.version, d.canary.hash:sub(1, 12),
        d.number, duration.text(d.window_seconds))
  end
  return ("%s %s serves, bundle %s; its folder is not followed until parley plugin rollback --undo")
    :format(plugin, d.canary.version, d.canary.hash:sub(1, 12))
end

local function deploy(o, dir)
  local r, code = order.send(o, "deploy", {
    path = dir, share_percent = o.canary, window_seconds = o.window,
    max_window_seconds = o.max_window, min_calls = o.min_calls, error_margin = o.more_errors,
    latency_ratio = o.slower,
  })
  if not r then return code end
  if o.output == "json" then return output.json(r) end
  io.stdout:write(say(r, r.deployment.plugin_id), "\n")
  return exit.DONE
end

-- The host reads the folder before it answers.
local function deploy_file(o)
  local into, err = temporary.folder()
  if not into then return exit.failed(err) end
  local dir
  dir, err = archive.unpack(o[1], into)
  local code = dir and deploy(o, dir) or exit.failed(err)
  temporary.remove(into)
  return code
end

function M.run(o)
  local st = fs.stat(o[1])
  if st and st.type == "file" then return deploy_file(o) end
  local dir, err = find.one(o.home, o[1])
  if not dir then return exit.failed(err) end
  return deploy(o, dir)
end

return M
