-- Schemas of v1alpha for operators: tokens, the audit, reload.

local errors = require "parley.schema.errors"
local token = require "parley.auth.token"

local M = {}

local KINDS = { "bot", "plg", "reg", "adm" }
local SEVERITIES = { "debug", "info", "warning", "error", "critical" }
local YEARS = 100 * 366 * 86400

local text, integer = { type = "string" }, { type = "integer" }
local time = { type = "string", format = "date-time" }

M.TokenCreateV1 = {
  title = "TokenCreateV1", type = "object", additionalProperties = false,
  required = { "kind", "scopes" },
  properties = {
    kind = {
      type = "string", enum = KINDS,
      description = "bot: sends messages; plg: a plugin; reg: registers plugins; adm: an operator",
    },
    scopes = {
      type = "array", minItems = 1, maxItems = #token.SCOPES,
      items = { type = "string", enum = token.SCOPES },
    },
    label = { type = "string", minLength = 1, maxLength = 128, description = "what it is for" },
    expires_at = { type = "string", format = "date-time", maxLength = 40 },
  },
  examples = { { kind = "bot", scopes = { "dialogs:write" }, label = "the shop's bot" } },
}

local token_fields = {
  id = text, kind = { type = "string", enum = KINDS },
  scopes = { type = "array", items = text }, label = text,
  state = { type = "string", enum = { "active", "expired", "revoked" } },
  created_at = time, expires_at = time, revoked_at = time,
  last_used_at = { type = "string", format = "date-time", description = "to the minute" },
  old_secret_until = {
    type = "string", format = "date-time", description = "the secret before it is good until then",
  },
}

M.TokenV1 = {
  title = "TokenV1", type = "object", required = { "id", "kind", "scopes", "state", "created_at" },
  properties = token_fields,
}

M.TokenSecretV1 = {
  title = "TokenSecretV1", type = "object", required = { "id", "kind", "scopes", "state" },
  description = "token is shown this once; an answer repeated for an Idempotency-Key lacks it",
  properties = {
    token = text, id = text, kind = token_fields.kind, scopes = token_fields.scopes, label = text,
    state = token_fields.state, created_at = time, expires_at = time,
    old_secret_until = token_fields.old_secret_until,
  },
}

M.TokenListV1 = {
  title = "TokenListV1", type = "object", required = { "tokens" },
  properties = { tokens = { type = "array", items = M.TokenV1 }, next_cursor = text },
}

M.TokenRotateV1 = {
  title = "TokenRotateV1", type = "object", additionalProperties = false,
  properties = {
    grace_seconds = {
      type = "integer", minimum = 0, maximum = YEARS, default = 86400,
      description = "how long the secret before is good beside the new one",
    },
  },
}

M.AuditListV1 = {
  title = "AuditListV1", type = "object", required = { "entries" },
  properties = {
    entries = {
      type = "array",
      items = {
        type = "object",
        required = { "id", "source", "action", "severity", "trace_id", "created_at" },
        properties = {
          id = text, source = text, action = text,
          severity = { type = "string", enum = SEVERITIES }, trace_id = text,
          details = {
            anyOf = { errors.PluginErrorV1, errors.LLMErrorV1, { type = "object" } },
          },
          created_at = time,
        },
      },
    },
    next_cursor = {
      type = "string", description = "a page may hold fewer entries than asked for, and go on",
    },
  },
}

M.ReasonV1 = {
  title = "ReasonV1", type = "object", additionalProperties = false,
  properties = { reason = { type = "string", minLength = 1, maxLength = 256 } },
}

M.PluginStateV1 = {
  title = "PluginStateV1", type = "object", required = { "plugin_id", "status" },
  properties = {
    plugin_id = text, reason = text,
    status = { type = "string", enum = { "registered", "active", "degraded", "disabled" } },
  },
}

local hash = { type = "string", description = "of the bundle: all that the plugin's files say" }

M.RollbackV1 = {
  title = "RollbackV1", type = "object", additionalProperties = false,
  properties = {
    to = {
      type = "string", minLength = 6, maxLength = 64, pattern = "^[%da-f]+$",
      description = "how the hash of the bundle begins; default: what served before",
    },
    undo = { type = "boolean", description = "the folder is followed again" },
    reason = { type = "string", minLength = 1, maxLength = 256 },
  },
  examples = { { reason = "orders are not found since 1.4.0" } },
}

M.PluginBundleV1 = {
  title = "PluginBundleV1", type = "object",
  required = { "plugin_id", "hash", "version", "pinned" },
  properties = {
    plugin_id = text, hash = hash, version = text,
    pinned = { type = "boolean", description = "it serves whatever the folder says" },
  },
}

M.PluginBundlesV1 = {
  title = "PluginBundlesV1", type = "object", required = { "plugin_id", "bundles" },
  properties = {
    plugin_id = text,
    bundles = {
      type = "array", description = "the newest first",
      items = {
        type = "object",
        required = { "hash", "version", "served_at", "serves", "pinned", "here" },
        properties = {
          hash = hash, version = text,
          served_at = {
            type = "string", format = "date-time",
            description = "when it last came out of a folder into service",
          },
          serves = { type = "boolean" }, pinned = { type = "boolean" },
          here = { type = "boolean", description = "the instance that answers has it" },
        },
      },
    },
  },
}

M.ReloadRequestV1 = {
  title = "ReloadRequestV1", type = "object", additionalProperties = false,
  properties = {
    everywhere = {
      type = "boolean", default = false,
      description = "the workers of all instances that share the database, not of this one only",
    },
  },
}

local needs_restart = {
  type = "array", items = text, description = "settings that only a restart takes up",
}

M.ReloadV1 = {
  title = "ReloadV1", type = "object", required = { "generation", "plugins", "rules" },
  properties = {
    generation = integer, plugins = integer, rules = integer, took_ms = { type = "number" },
    needs_restart = needs_restart,
    workers = {
      type = "array", description = "with everywhere: what became of it in each",
      items = {
        type = "object", required = { "id", "ok" },
        properties = {
          id = { type = "string", description = "INSTANCE/NUMBER" }, ok = { type = "boolean" },
          generation = integer, took_ms = { type = "number" }, needs_restart = needs_restart,
          message = { type = "string", description = "why not, with file and line" },
        },
      },
    },
  },
}

return M
