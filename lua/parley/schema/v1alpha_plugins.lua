-- Schemas of v1alpha for REST plugins and those who watch them: registration, catalogue, heartbeat,
-- events.

local errors = require "parley.schema.errors"
local manifest = require "parley.schema.manifest"

local M = {}

local SEVERITIES = { "debug", "info", "warning", "error", "critical" }
local STATES = { "registered", "active", "degraded", "disabled" }

local text, integer = { type = "string" }, { type = "integer" }
local time = { type = "string", format = "date-time" }

M.PluginRegistrationRequestV1 = {
  title = "PluginRegistrationRequestV1", type = "object", additionalProperties = false,
  required = { "manifest" },
  properties = {
    manifest = manifest.manifest,
    rotate = {
      type = "boolean", default = false,
      description = "another token and signing secret; those before are good for a day",
    },
  },
}

M.PluginRegistrationResponseV1 = {
  title = "PluginRegistrationResponseV1", type = "object",
  required = { "plugin_id", "heartbeat_interval_sec", "manifest_hash", "status" },
  properties = {
    plugin_id = text,
    token = {
      type = "string", description = "for X-Plugin-Token; shown once, at the first registration",
    },
    signing_secret = { type = "string", description = "of the calls; shown once, too" },
    heartbeat_interval_sec = { type = "number" }, manifest_hash = text,
    status = { type = "string", enum = STATES },
  },
}

M.PluginCatalogResponseV1 = {
  title = "PluginCatalogResponseV1", type = "object", required = { "plugins" },
  properties = {
    plugins = {
      type = "array",
      items = {
        type = "object",
        required = {
          "plugin_id", "name", "version", "transport", "status", "manifest", "manifest_hash",
        },
        properties = {
          plugin_id = text, name = text, version = text,
          transport = { type = "string", enum = { "lua", "rest" } },
          status = { type = "string", enum = STATES },
          reason = { type = "string", description = "why it is degraded or disabled" },
          registered = { type = "boolean", description = "false: it lies in a folder of the host" },
          manifest = manifest.PluginManifestShownV1, manifest_hash = text, last_heartbeat = time,
          ring = {
            type = "string", enum = { "trusted", "isolated" },
            description = "whether it runs in the host's process or in one of its own",
          },
          process = {
            type = "object", description = "of an isolated plugin, in the worker that answers; for "
              .. "tokens with the scope admin",
            properties = {
              pid = { type = "integer" }, memory_bytes = { type = "integer" },
              limit_bytes = { type = "integer" },
            },
          },
        },
      },
    },
  },
}

M.PluginHeartbeatRequestV1 = {
  title = "PluginHeartbeatRequestV1", type = "object", additionalProperties = false,
  required = { "status" },
  properties = {
    status = { type = "string", enum = { "ok", "degraded" } },
    version = {
      type = "string", minLength = 1, maxLength = 64,
      description = "of the manifest that the plugin has now",
    },
    inflight = { type = "integer", minimum = 0, maximum = 1000000 },
    metrics = { type = "object", ["x-max-bytes"] = 4096 },
  },
  examples = { { status = "ok", version = "1.0.0", inflight = 2 } },
}

M.HeartbeatAckV1 = {
  title = "HeartbeatAckV1", type = "object",
  required = { "status", "next_heartbeat_before", "manifest_refresh" },
  properties = {
    status = { type = "string", enum = STATES, description = "as the host sees the plugin" },
    next_heartbeat_before = time,
    manifest_refresh = {
      type = "boolean", description = "the version is another: GET /manifest is asked soon",
    },
  },
}

M.PluginEventV1 = {
  title = "PluginEventV1", type = "object", additionalProperties = false,
  required = { "event_type", "severity" },
  properties = {
    event_type = { type = "string", minLength = 1, maxLength = 64, pattern = "^%a[%w_.]*$" },
    severity = { type = "string", enum = SEVERITIES },
    payload = { type = "object", ["x-max-bytes"] = 16384 },
    occurred_at = {
      type = "string", format = "date-time", maxLength = 40, description = "default: now",
    },
    invocation_id = { type = "string", format = "uuid" },
    trace_id = {
      type = "string", pattern = "^[%da-f]+$", minLength = 32, maxLength = 32,
      description = "default: of this request",
    },
  },
  examples = { { event_type = "stock_low", severity = "warning", payload = { item = "tea" } } },
}

M.PluginEventsV1 = {
  title = "PluginEventsV1", description = "one event, or a list of at most 100",
  anyOf = {
    M.PluginEventV1, { type = "array", minItems = 1, maxItems = 100, items = M.PluginEventV1 },
  },
}

M.EventAckV1 = {
  title = "EventAckV1", type = "object", required = { "accepted", "ids" },
  properties = { accepted = integer, ids = { type = "array", items = text } },
}

M.PluginEventListV1 = {
  title = "PluginEventListV1", type = "object", required = { "events" },
  properties = {
    events = {
      type = "array",
      items = {
        type = "object",
        required = {
          "id", "plugin_id", "event_type", "severity", "trace_id", "occurred_at", "received_at",
        },
        properties = {
          id = text, plugin_id = text, event_type = text,
          severity = { type = "string", enum = SEVERITIES },
          payload = { anyOf = { errors.PluginErrorV1, { type = "object" } } },
          trace_id = text, invocation_id = text, occurred_at = time, received_at = time,
        },
      },
    },
    next_cursor = {
      type = "string", description = "a page may hold fewer events than asked for, and go on",
    },
  },
}

return M
