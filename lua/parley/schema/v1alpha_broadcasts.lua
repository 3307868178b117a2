-- Schemas of v1alpha for broadcasts.

local actions = require "parley.schema.actions"
local admin = require "parley.schema.v1alpha_admin"

local M = { ReasonV1 = admin.ReasonV1 }

local LIST_MAX = 50000 -- about what a body of 1 MiB holds

local text, integer = { type = "string" }, { type = "integer" }
local time = { type = "string", format = "date-time" }

local bot = {
  type = "string", minLength = 1, maxLength = 64, pattern = "^[%w_.]+$", default = "main",
}
local locale = { type = "string", maxLength = 35, pattern = "^%a%a%a?[%-_%w]*$" }

local function list(item, max, description)
  return { type = "array", minItems = 1, maxItems = max, items = item, description = description }
end

M.BroadcastAudienceV1 = {
  title = "BroadcastAudienceV1", type = "object", additionalProperties = false,
  description = "filters, of which all must fit (none: everybody who has written to the bot); or "
    .. "a list of recipients",
  properties = {
    locales = list(locale, 50, "one of them; uk is uk-UA, too"),
    roles = list({ type = "string", enum = { "user", "operator", "admin" } }, 3, "one of them"),
    plugins = list({ type = "string", pattern = "^%l[%l%d_]*$", maxLength = 40 }, 50,
      "one of them keeps a session with the user"),
    attributes = {
      type = "object", minProperties = 1, maxProperties = 20,
      additionalProperties = { type = { "string", "number", "boolean" } },
      description = "of the user: each has this value, or is a list that has it",
    },
    dialogs = list({ type = "string", minLength = 1, maxLength = 64 }, LIST_MAX,
      "such as tg:main:42, also of groups"),
    users = list({ type = "string", minLength = 1, maxLength = 64 }, LIST_MAX, "ids of users"),
    telegram_ids = list({ type = "integer", minimum = 1, maximum = 2 ^ 53 - 1 }, LIST_MAX),
  },
}

M.BroadcastCreateV1 = {
  title = "BroadcastCreateV1", type = "object", additionalProperties = false,
  required = { "actions" },
  properties = {
    bot = bot,
    label = { type = "string", minLength = 1, maxLength = 128, description = "for people" },
    locale = {
      type = "string", maxLength = 35, pattern = locale.pattern,
      description = "of recipients in whose language there is no text; default: the host's",
    },
    actions = {
      type = "array", minItems = 1, maxItems = 5,
      items = { type = "object", ["x-documented-as"] = actions.types.send },
      description = "of type send. A text, also of a button, may be an object of texts by locale",
    },
    audience = M.BroadcastAudienceV1,
  },
  examples = {
    {
      label = "new hours", audience = { locales = { "en", "uk" } },
      actions = {
        { type = "send", text = { en = "We open at 8 now.", uk = "Тепер ми відчиняємо о 8." } },
      },
    },
  },
}

M.BroadcastStartV1 = {
  title = "BroadcastStartV1", type = "object", additionalProperties = false,
  properties = {
    at = { type = "string", format = "date-time", maxLength = 40, description = "default: now" },
    reason = { type = "string", minLength = 1, maxLength = 256 },
  },
}

M.BroadcastV1 = {
  title = "BroadcastV1", type = "object",
  required = { "id", "bot", "state", "locale", "actions", "audience", "progress", "created_at" },
  properties = {
    id = text, bot = text, label = text, locale = text, created_by = text, trace_id = text,
    state = {
      type = "string",
      enum = { "draft", "scheduled", "running", "paused", "done", "cancelled" },
    },
    actions = { type = "array", items = { type = "object" } },
    audience = {
      type = "object", description = "as it was given; of a list only its length, `listed`",
    },
    progress = {
      type = "object",
      properties = {
        candidates = { type = "integer", description = "dialogs to look at" },
        examined = { type = "integer", description = "dialogs looked at" },
        recipients = { type = "integer", description = "among those" },
        sent = integer,
        blocked = { type = "integer", description = "they have blocked the bot" },
        failed = integer,
        uncertain = { type = "integer", description = "nobody knows whether, or how often" },
        on_the_way = integer, percent = { type = "number" },
        per_minute = { type = "integer", description = "recipients, over the last seconds" },
        eta_seconds = { type = "integer", description = "while it runs" },
      },
    },
    created_at = time, start_at = time, started_at = time, finished_at = time,
  },
}

M.BroadcastListV1 = {
  title = "BroadcastListV1", type = "object", required = { "broadcasts" },
  properties = {
    broadcasts = { type = "array", items = M.BroadcastV1 }, next_cursor = text,
  },
}

M.BroadcastReportV1 = {
  title = "BroadcastReportV1", type = "object", required = { "broadcast", "reasons" },
  properties = {
    broadcast = M.BroadcastV1,
    reasons = {
      type = "array", description = "why recipients have not got it, or perhaps twice",
      items = {
        type = "object", required = { "result", "code", "recipients" },
        properties = { result = text, code = text, recipients = integer },
      },
    },
  },
}

M.BroadcastResultListV1 = {
  title = "BroadcastResultListV1", type = "object", required = { "results" },
  properties = {
    results = {
      type = "array",
      items = {
        type = "object", required = { "dialog_id", "result", "code", "at" },
        properties = {
          dialog_id = text, code = text, message = text, at = time,
          result = { type = "string", enum = { "blocked", "failed", "uncertain" } },
        },
      },
    },
    next_cursor = text,
  },
}

return M
