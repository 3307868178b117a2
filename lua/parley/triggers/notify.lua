-- Telling the administrators: a message of the system in their dialogs, and a line in the log.

local crypto = require "host.crypto"
local json = require "host.json"
local log = require "parley.ops.log"
local time = require "host.time"
local triggers = require "parley.triggers"

local M = {}

local DIALOGS_MAX = 100 -- of all administrators, the newest first

local FIND = "SELECT d.id, d.reset_version, COALESCE(u.chosen_locale, u.locale) AS locale "
  .. "FROM users u JOIN dialogs d ON d.user_id = u.id WHERE u.role = 'admin' "
  .. "AND d.status <> 'closed' ORDER BY d.last_message_at DESC LIMIT $1"

-- What is said when a trigger has no text of its own.
local PLAIN = {
  en = "{trigger}: {event} of {source} ({severity}). trace_id {trace_id}",
  ru = "{trigger}: событие {event}, источник {source} ({severity}). trace_id {trace_id}",
  uk = "{trigger}: подія {event}, джерело {source} ({severity}). trace_id {trace_id}",
}

-- The text of a trigger, which may name the trigger itself.
local function text_in(trigger, locale, event)
  local named = setmetatable({ trigger = trigger.id }, { __index = event })
  return triggers.text(trigger.text or PLAIN, locale, named)
end

---@param core {db: table, config: table}
---@param trigger parley.Trigger
---@param event parley.Event
---@return table[]|nil statements
---@return fun()|table after once they are stored; or the error
function M.plan(core, trigger, event)
  local rows, err = core.db:query(FIND, DIALOGS_MAX)
  if not rows then return nil, err end
  local statements, now = {}, time.now_ms()
  for i, row in ipairs(rows) do
    statements[i] = {
      "INSERT INTO messages (dialog_id, id, reset_version, sender_type, payload, trace_id, "
        .. "created_at) VALUES ($1, $2, $3, 'system', $4, $5, $6)",
      row.id, crypto.uuid7(), row.reset_version, json.encode {
        actions = json.array {
          { type = "send", text = text_in(trigger, row.locale or core.config.locale, event) },
        },
        trigger = trigger.id,
      }, event.trace_id, now,
    }
  end
  return statements, function()
    log.write(event.severity == "info" and "info" or "warn",
      text_in(trigger, core.config.locale, event), {
        trigger = trigger.id, event = event.action, source = event.source,
        severity = event.severity, trace_id = event.trace_id, dialogs = #rows,
      })
  end
end

return M
