-- Schemas of v1alpha for dead letters.

local dead_letters = require "parley.store.dead_letters"

local M = {}

local text = { type = "string" }

M.KIND = {
  type = "string", enum = dead_letters.KINDS,
  description = "message: of a user, whose turn has failed for good; job; outbox: what a channel "
    .. "has not taken; stream: an event that Redis has refused",
}

M.DeadLetterV1 = {
  title = "DeadLetterV1", type = "object",
  required = { "id", "kind", "source", "error", "payload", "attempts", "trace_id", "created_at" },
  properties = {
    id = text, kind = M.KIND, source = text, trace_id = text, attempts = { type = "integer" },
    error = { type = "object", properties = { code = text, message = text } },
    payload = { type = "object", description = "the message, job, delivery or event" },
    created_at = { type = "string", format = "date-time" },
  },
}

M.DeadLetterListV1 = {
  title = "DeadLetterListV1", type = "object", required = { "dead_letters" },
  properties = {
    dead_letters = { type = "array", items = M.DeadLetterV1 }, next_cursor = text,
  },
}

M.DeadLetterGoneV1 = {
  title = "DeadLetterGoneV1", type = "object", required = { "id" },
  properties = { id = text, replayed = { type = "boolean" }, purged = { type = "boolean" } },
}

M.DeadLetterPurgeV1 = {
  title = "DeadLetterPurgeV1", type = "object", additionalProperties = false,
  properties = {
    kind = M.KIND,
    before = {
      type = "string", format = "date-time", maxLength = 40,
      description = "only those that are older; without it, and without kind: all",
    },
  },
}

M.DeadLettersPurgedV1 = {
  title = "DeadLettersPurgedV1", type = "object", required = { "purged" },
  properties = { purged = { type = "integer", description = "how many" } },
}

return M
