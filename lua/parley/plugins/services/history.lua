-- history: what was said in this dialog since its last reset, oldest first.

local gate = require "parley.plugins.gate"
local json = require "host.json"
local time = require "host.time"

local M = {}

local MAX = 20
local BYTES = 32 * 1024 -- of the stored messages, newest first

local QUERY = "SELECT sender_type, payload, created_at FROM messages WHERE dialog_id = $1 "
  .. "AND reset_version = $2 ORDER BY id DESC LIMIT $3"

local function text_of(payload)
  if payload.text then return payload.text end
  local texts = {}
  for _, action in ipairs(payload.actions or {}) do
    if action.type == "send" and action.text then texts[#texts + 1] = action.text end
  end
  return table.concat(texts, "\n\n")
end

---@param db table
---@param dialog {id: string, reset_version: integer}
---@param n integer|nil at most 20
---@return {role: "user"|"plugin"|"operator"|"system", plugin: string?, type: string, text: string,
---  at: string}[]|nil
---@return table|nil err
function M.read(db, dialog, n)
  local rows, err = db:query(QUERY, dialog.id, dialog.reset_version, math.min(n or MAX, MAX))
  if not rows then return nil, err end
  local out, bytes = {}, 0
  for _, row in ipairs(rows) do
    bytes = bytes + #row.payload
    if bytes > BYTES then break end
    local payload = json.decode(row.payload)
    table.insert(out, 1, {
      role = row.sender_type, plugin = payload.plugin, type = payload.type or "reply",
      text = text_of(payload), at = time.rfc3339(row.created_at),
    })
  end
  return json.array(out)
end

gate.register("history", {
  permission = "history",
  run = function(invocation, n)
    if n ~= nil and (type(n) ~= "number" or n < 1 or n % 1 ~= 0) then
      return gate.refuse("invalid", "history: a positive whole number expected")
    end
    return M.read(invocation.db, invocation.dialog, n)
  end,
})

return M
