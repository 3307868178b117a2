-- Schemas of v1alpha for deployments of plugins.

local admin = require "parley.schema.v1alpha_admin"

local M = { ReasonV1 = admin.ReasonV1 }

local DAY_S = 86400

local text, integer, number = { type = "string" }, { type = "integer" }, { type = "number" }
local time = { type = "string", format = "date-time" }

M.DeploymentCreateV1 = {
  title = "DeploymentCreateV1", type = "object", additionalProperties = false,
  required = { "files" },
  properties = {
    files = {
      type = "object", minProperties = 1, maxProperties = 200,
      additionalProperties = { type = "string" },
      description = "text by file name: manifest.json, main.lua, lib/*.lua, locales/*.json",
    },
    share_percent = {
      type = "number", minimum = 0.01, maximum = 50,
      description = "of the dialogs, as a canary; default: it serves all of them at once",
    },
    window_seconds = {
      type = "number", minimum = 1, maximum = DAY_S, default = 600,
      description = "after which a canary that is no worse is promoted",
    },
    max_window_seconds = {
      type = "number", minimum = 1, maximum = 30 * DAY_S,
      description = "how far the window may go on while calls are too few; default: six windows",
    },
    min_calls = {
      type = "integer", minimum = 1, maximum = 1000000, default = 100,
      description = "of each version, before the canary is promoted",
    },
    error_margin = {
      type = "number", minimum = 0, maximum = 1, default = 0.01,
      description = "by how much its share of failed calls may be larger",
    },
    latency_ratio = {
      type = "number", minimum = 1, maximum = 100, default = 1.5,
      description = "how many times as long 95 of 100 calls may take",
    },
    reason = { type = "string", minLength = 1, maxLength = 256 },
  },
  examples = {
    {
      share_percent = 5, reason = "orders by phone",
      files = { ["manifest.json"] = "{...}", ["main.lua"] = "local p = parley.plugin() ..." },
    },
  },
}

local version = {
  type = "object", required = { "version", "hash" },
  properties = { version = text, hash = { type = "string", description = "of the bundle" } },
}

local counts = {
  type = "object", required = { "calls", "errors" },
  properties = {
    calls = integer, errors = integer, p50_ms = number, p95_ms = number,
    critical = {
      type = "object", additionalProperties = integer,
      description = "crash, hang, memory_limit, circuit: how often",
    },
  },
}

M.DeploymentV1 = {
  title = "DeploymentV1", type = "object",
  required = {
    "plugin_id", "number", "state", "share_percent", "canary", "window_seconds",
    "max_window_seconds", "min_calls", "error_margin", "latency_ratio", "created_by", "started_at",
  },
  properties = {
    plugin_id = text, number = integer,
    state = { type = "string", enum = { "running", "promoted", "rolled_back", "cancelled" } },
    share_percent = number, canary = version, stable = version,
    window_seconds = number, max_window_seconds = number, min_calls = integer,
    error_margin = number, latency_ratio = number,
    counts = {
      type = "object", properties = { canary = counts, stable = counts },
      description = "so far, or when it was decided",
    },
    reason = text, created_by = text, started_at = time,
    window_ends_at = { type = "string", format = "date-time", description = "while it runs" },
    undecided_at = {
      type = "string", format = "date-time",
      description = "its longest window has passed: it is for a person to decide",
    },
    decided_at = time,
  },
}

M.DeploymentCreatedV1 = {
  title = "DeploymentCreatedV1", type = "object", required = { "deployment", "warnings" },
  properties = {
    deployment = M.DeploymentV1,
    warnings = {
      type = "array", description = "what loads, and no author means",
      items = {
        type = "object", required = { "file", "line", "message" },
        properties = { file = text, line = integer, message = text },
      },
    },
  },
}

M.DeploymentListV1 = {
  title = "DeploymentListV1", type = "object", required = { "deployments" },
  properties = { deployments = { type = "array", items = M.DeploymentV1 } },
}

M.DeploymentDecidedV1 = {
  title = "DeploymentDecidedV1", type = "object",
  required = { "plugin_id", "number", "state", "reason" },
  properties = {
    plugin_id = text, number = integer,
    state = { type = "string", enum = { "promoted", "cancelled" } }, reason = text,
  },
}

return M
