-- The schemas of the core contract, version v1alpha. Each is JSON Schema 2020-12 as a Lua table:
-- the source of validation, of the OpenAPI document and of the reference.

local M = {}

local TEXT_MAX = 16384

local locale = {
  type = "string", pattern = "^%a%a%a?[%-_%w]*$", maxLength = 35,
  description = "BCP 47, like uk-UA",
}

local user = {
  type = "object", additionalProperties = false,
  description = "one of id, telegram_id, external_id is needed",
  properties = {
    id = { type = "string", format = "uuid" },
    telegram_id = { type = "integer", minimum = 1, maximum = 9007199254740991 },
    external_id = { type = "string", minLength = 1, maxLength = 128 },
    locale = locale,
    name = { type = "string", maxLength = 256 },
  },
}

local message_id = {
  type = "string", minLength = 1, maxLength = 128, pattern = "^[%w._:%-]+$",
  description = "the client's own; the same one again gets the first answer",
}

M.DialogMessageCreateV1 = {
  title = "DialogMessageCreateV1", type = "object", additionalProperties = false,
  required = { "user", "type" },
  properties = {
    user = user,
    type = {
      type = "string",
      enum = {
        "text", "command", "callback", "photo", "voice", "audio", "video", "document", "sticker",
        "location", "contact", "event",
      },
    },
    text = { type = "string", maxLength = TEXT_MAX },
    payload = { type = "object", ["x-max-bytes"] = 65536 },
    message_id = message_id,
    channel = { type = "string", pattern = "^%l[%l%d_]*$", maxLength = 32, default = "api" },
    locale = locale,
    sent_at = { type = "string", format = "date-time", maxLength = 40 },
    reply_to = { type = "string", maxLength = 128 },
    context = { type = "object", ["x-max-bytes"] = 16384 },
  },
  examples = {
    { user = { external_id = "alice" }, type = "text", text = "hello", message_id = "m-1" },
  },
}

M.DialogResetRequestV1 = {
  title = "DialogResetRequestV1", type = "object", additionalProperties = false,
  properties = { reason = { type = "string", maxLength = 256 }, user = user },
}

M.DialogSendV1 = {
  title = "DialogSendV1", type = "object", additionalProperties = false, required = { "actions" },
  properties = {
    actions = {
      type = "array", minItems = 1, maxItems = 5, description = "of type send",
      items = {
        type = "object", ["x-documented-as"] = require("parley.schema.actions").types.send,
      },
    },
    lane = {
      type = "string", enum = { "operator", "p2p" }, default = "operator",
      description = "how soon it is sent, when much is to be: operator before p2p",
    },
  },
  examples = { { actions = { { type = "send", text = "Your order is ready." } } } },
}

M.UserUpsertV1 = {
  title = "UserUpsertV1", type = "object", additionalProperties = false,
  properties = {
    telegram_id = user.properties.telegram_id,
    external_id = user.properties.external_id,
    role = { type = "string", enum = { "user", "operator", "admin" } },
    locale = locale,
    name = user.properties.name,
    attributes = { type = "object", ["x-max-bytes"] = 16384 },
  },
  examples = { { external_id = "alice", name = "Alice", locale = "en" } },
}

local action = {
  type = "object", required = { "type" },
  properties = { type = { type = "string" }, text = { type = "string" } },
  ["x-documented-as"] = require("parley.schema.actions").ActionV1,
}

M.DialogSendResponseV1 = {
  title = "DialogSendResponseV1", type = "object",
  required = { "dialog_id", "message_id", "status", "actions", "reset_version", "trace_id" },
  properties = {
    dialog_id = { type = "string" }, message_id = { type = "string" },
    status = { type = "string", enum = { "sent" }, description = "stored, and on its way" },
    actions = { type = "array", items = action }, reset_version = { type = "integer" },
    trace_id = { type = "string" },
  },
}

M.DialogMessageResponseV1 = {
  title = "DialogMessageResponseV1", type = "object",
  required = {
    "dialog_id", "message_id", "status", "reset_version", "actions", "latency_ms", "trace_id",
  },
  properties = {
    dialog_id = { type = "string" },
    message_id = { type = "string" },
    status = { type = "string", enum = { "answered", "fallback", "queued", "failed", "reset" } },
    reset_version = { type = "integer" },
    actions = { type = "array", items = action },
    reply_message_id = { type = "string" },
    text = { type = "string", description = "the plain text of the actions" },
    plugin = {
      type = "object",
      properties = { name = { type = "string" }, version = { type = "string" } },
    },
    intent = {
      type = "object",
      properties = {
        name = { type = "string" }, confidence = { type = "number" }, source = { type = "string" },
        alternatives = { type = "array" },
      },
    },
    usage = { type = "object" },
    latency_ms = {
      type = "object", required = { "total", "plugin" },
      properties = { total = { type = "number" }, plugin = { type = "number" } },
    },
    trace_id = { type = "string" },
  },
}

M.InvokeResponseV1 = {
  title = "InvokeResponseV1", type = "object",
  description = "what a plugin answers; fields that are not known are ignored and counted",
  properties = {
    actions = { type = { "array", "null" }, items = action },
    state = { type = { "object", "null" }, description = "a patch of what is kept: null deletes" },
    ["end"] = { type = { "boolean", "null" }, description = "true: nothing is kept" },
    intent = { type = { "object", "null" } },
    error = {
      type = { "object", "null" },
      properties = {
        code = { type = "string" }, message = { type = "string" }, retryable = { type = "boolean" },
      },
    },
  },
  examples = { { actions = { { type = "send", text = "Your report is ready." } } } },
}

local text, integer = { type = "string" }, { type = "integer" }

local menu = {
  type = "object", additionalProperties = false, required = { "name" },
  description = "a menu of this plugin: the one of the dialog, or the one to be shown",
  properties = { name = text, args = { type = "object" } },
}

-- What a plugin is asked: the same for those in Lua, by the door, and for those over HTTP.
M.InvokeRequestV1 = {
  title = "InvokeRequestV1", type = "object", additionalProperties = false,
  required = {
    "invocation_id", "attempt", "deadline_ms", "plugin", "dialog", "user", "event", "config",
    "trace_id",
  },
  properties = {
    invocation_id = { type = "string", format = "uuid", description = "the webhook-id, too" },
    attempt = { type = "integer", minimum = 1 },
    deadline_ms = { type = "integer", description = "what is left when it is sent" },
    plugin = text,
    dialog = {
      type = "object", required = { "id", "channel", "reset_version", "state" },
      additionalProperties = false,
      properties = {
        id = text, channel = text, locale = text, reset_version = integer,
        state = { type = "object", description = "what the plugin has kept" },
        menu = menu,
      },
    },
    user = {
      type = "object", required = { "id", "role", "locale" }, additionalProperties = false,
      properties = { id = text, role = text, locale = text, name = text },
    },
    event = {
      type = "object", required = { "type" }, additionalProperties = false,
      properties = {
        type = { type = "string", description = "of the message; job; continue; menu" },
        message = { type = "object", description = "as in DialogMessageCreateV1" },
        name = { type = "string", description = "of an event of a client" },
        job = { type = "string", description = "the name that schedule gave" },
        id = { type = "string", description = "of the job, when schedule gave one" },
        data = { description = "of the event or the job" },
        menu = menu,
      },
    },
    intent = {
      type = "object",
      properties = {
        name = text, confidence = { type = "number" }, source = text,
        alternatives = { type = "array" },
      },
    },
    history = {
      type = "array", maxItems = 20,
      description = "oldest first; with the permission `history` only",
      items = {
        type = "object", required = { "role", "type", "text", "at" },
        properties = { role = text, plugin = text, type = text, text = text, at = text },
      },
    },
    files = {
      type = "array", maxItems = 10,
      description = "what the message brings; with the permission `files` only",
      items = {
        type = "object", required = { "file_id", "path", "expires_at" },
        additionalProperties = false,
        properties = {
          file_id = text, expires_at = text, name = text, size = integer, mime_type = text,
          path = { type = "string", description = "of this host, to be fetched with GET" },
        },
      },
    },
    config = { type = "object", description = "the operator's settings of the plugin" },
    invoked_by = { type = "string", description = "the plugin whose action invoked this one" },
    trace_id = text,
  },
}

M.TurnActionsResponseV1 = {
  title = "TurnActionsResponseV1", type = "object",
  required = { "dialog_id", "invocation_id", "status", "reset_version", "trace_id" },
  properties = {
    dialog_id = { type = "string" },
    invocation_id = { type = "string", description = "of the call that was answered 202" },
    status = { type = "string", enum = { "answered", "fallback", "queued", "failed" } },
    reset_version = { type = "integer" },
    reply_message_id = { type = "string" },
    trace_id = { type = "string", description = "of the turn that goes on" },
  },
}

M.UserUpsertResponseV1 = {
  title = "UserUpsertResponseV1", type = "object", required = { "user", "created" },
  properties = { user = { type = "object" }, created = { type = "boolean" } },
}

M.DialogSnapshotResponseV1 = {
  title = "DialogSnapshotResponseV1", type = "object", required = { "dialog", "messages" },
  properties = {
    dialog = {
      type = "object",
      properties = {
        id = { type = "string" }, user = { type = "object" }, channel = { type = "string" },
        status = { type = "string", enum = { "active", "handoff", "closed" } },
        reset_version = { type = "integer" }, created_at = { type = "string" },
        last_message_at = { type = "string" }, state = { type = "object" },
      },
    },
    messages = { type = "array", items = { type = "object" } },
    next_cursor = { type = "string" },
  },
}

-- Of GET /healthz, on the listener of the operator.
M.HealthV1 = {
  title = "HealthV1", type = "object", required = { "status", "version", "checks" },
  properties = {
    status = { type = "string", enum = { "ok", "draining", "unavailable" } },
    version = text, uptime_seconds = integer,
    checks = {
      type = "object", required = { "database", "plugins", "shared" },
      additionalProperties = {
        type = "object", required = { "status" },
        properties = {
          status = { type = "string", enum = { "ok", "degraded", "unavailable" } },
          code = text, message = text, mode = text, reason = text,
          latency_ms = { type = "number" }, active = integer, generation = integer,
        },
      },
    },
  },
}

M.ProblemV1 = {
  title = "ProblemV1", description = "RFC 9457", type = "object",
  required = { "type", "title", "status", "code", "trace_id" },
  properties = {
    type = { type = "string" }, title = { type = "string" }, status = { type = "integer" },
    detail = { type = "string" }, code = { type = "string" }, trace_id = { type = "string" },
    errors = {
      type = "array",
      items = {
        type = "object",
        properties = {
          path = { type = "string", description = "of a member of the request" },
          code = { type = "string" }, message = { type = "string" },
          file = { type = "string", description = "of a reload that is refused" },
          line = { type = "integer" },
        },
      },
    },
  },
}

return M
