-- parley check: settings, rules, triggers and every plugin, as a start or a reload would take them,
-- and what these would let pass but no author means.

local config = require "parley.config"
local copies = require "parley.deployments.copies"
local exit = require "parley.cli.exit"
local fs = require "host.fs"
local generation = require "parley.plugins.generation"
local json = require "host.json"
local lint = require "parley.plugins.lint"
local options = require "parley.cli.options"
local output = require "parley.cli.output"
local precompile = require "parley.plugins.precompile"
local registry = require "parley.plugins.registry"
local secrets = require "parley.plugins.secrets"
local store = require "parley.store"

local M = {
  about = [[
Checks settings, rules, triggers and every plugin, as a start or a reload would take them, and says
what is wrong, with file and line. Warns of what these let pass: commands without a handler, texts
and plural forms that a language lacks.]],
  options = { options.home, options.config, options.output },
}

local function warnings_of(plugins)
  local out = json.array()
  for _, p in ipairs(plugins) do
    local dir = p.file:match "^(.*)/manifest%.json$"
    for _, warning in ipairs(dir and lint.warnings(dir, p.manifest, p.driver) or {}) do
      out[#out + 1] = warning
    end
  end
  return out
end

-- The names of the plugins that would get a process of their own.
local function isolated(plugins)
  local out = json.array()
  for _, p in ipairs(plugins) do
    if p.ring == "isolated" then out[#out + 1] = p.name end
  end
  return out
end

-- What the database says, when there is one that can be asked: plugins that have registered, and
-- what was deployed. A trial does not keep the host from starting.
local function stored(cfg)
  local path = cfg.database_url:match "^sqlite:(.+)$"
  local db = not (path and not fs.exists(path)) and store.open(cfg, { migrate = false })
  if not db then return {} end
  local given = registry.given(db)
  if given then
    given.deployments = {}
    copies.bring({ db = db, config = cfg, manager = { spared = {} } }, given)
    given.master = #given.rows > 0 and secrets.master(cfg) or ""
  end
  db:close()
  return given or {}
end

function M.run(o)
  local cfg, err = config.load(o.home, { file = o.config, try = precompile.survives })
  if not cfg then return exit.failed(err) end
  local g
  g, err = generation.build(cfg, stored(cfg))
  if not g then return exit.failed(err) end
  local found = {
    plugins = #g.plugins, rules = g.rules.count, warnings = warnings_of(g.plugins),
    isolated = isolated(g.plugins),
  }
  g:close()
  if o.output == "json" then return output.json(found) end
  for _, warning in ipairs(found.warnings) do io.stdout:write(lint.line(warning)) end
  local verdict = #found.warnings == 0 and "all is well"
    or ("nothing that stops a start, %d warnings"):format(#found.warnings)
  io.stdout:write(("%s: %d plugins, %d rules\n"):format(verdict, found.plugins, found.rules))
  if #found.isolated > 0 then
    io.stdout:write(("isolated: %s\n"):format(table.concat(found.isolated, ", ")))
  end
  return exit.DONE
end

return M
