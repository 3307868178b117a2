-- A reload of one worker: settings, certificate, rules, triggers and plugins are read anew and put
-- in service together, or stay as they are together.

local audit = require "parley.store.audit"
local certificate = require "parley.ops.certificate"
local config = require "parley.config"
local crypto = require "host.crypto"
local log = require "parley.ops.log"
local mode = require "parley.triggers.mode"
local pool = require "parley.plugins.pool"
local registry = require "parley.plugins.registry"
local switch = require "parley.plugins.switch"
local task = require "host.task"
local time = require "host.time"

local M = {}

---Leaves a row in the audit.
---@param core table parley.core
---@param severity string
---@param details table
function M.note(core, severity, details)
  local ok, err = core.db:commit {
    audit.insert { source = "host", action = "reload", severity = severity, details = details },
  }
  if not ok then log.write("error", "the audit row was not stored", { error = err.message }) end
end

-- What triggers have disabled is tried again: an operator has seen to it.
local function forgive(core)
  local statements = switch.forgive()
  for _, s in ipairs(mode.forget()) do statements[#statements + 1] = s end
  local ok, err = core.db:commit(statements)
  if ok then ok, err = registry.sync(core) end
  if ok then ok, err = mode.sync(core) end
  if not ok then
    log.write("error", "what triggers have disabled stays so", { error = err.message })
  end
end

---Reads configuration, rules and plugins again. What needs the sockets or the database opened anew
---stays as it is until a restart, and is named.
---@param core table parley.core
---@return {generation: integer, plugins: integer, rules: integer, took_ms: number,
---  needs_restart: string[]}|nil result
---@return table|nil err the generation before goes on serving
function M.run(core)
  local since = time.mono()
  task.trace(crypto.trace_id())
  local generation, read
  local cfg, err = core.config.again()
  if cfg and core.certificate and cfg.tls.certificate then
    read, err = certificate.read(cfg, core.certificate)
    if not read then cfg = nil end
  end
  if cfg then
    core.manager:enable_all()
    generation, err = core.manager:reload(cfg)
  end
  if not generation then
    log.write("error", "reload refused, the generation before goes on", {
      code = err.code, error = err.message,
    })
    M.note(core, "error", { code = err.code, message = err.message })
    return nil, err
  end
  local result = {
    generation = generation.number, plugins = #generation.plugins, rules = generation.rules.count,
    needs_restart = config.needs_restart(core.config, cfg),
    took_ms = math.floor((time.mono() - since) * 1e4 + 0.5) / 10,
  }
  core.config = cfg
  if read then core.certificate:use(read) end
  core.shared:refresh()
  core.lanes.max = cfg.lane_queue
  core.limits:configure(cfg.rate_limits)
  pool.configure(cfg.plugins_memory_mb * 1024 * 1024)
  forgive(core)
  core.served:record()
  log.write("info", "reloaded", result)
  M.note(core, "info", result)
  return result
end

return M
