-- The context `c` of a handler: what the event is. Its methods are in the files before this one.

local array_mt, session = array_mt, parley.session

local meta = { __index = parley.methods, __metatable = false }

---A context for one event.
---@param request table InvokeRequestV1
---@param extra table|nil fields of its own
---@return table c
function parley.context(request, extra)
  local patch = {}
  local dialog = request.dialog
  local c = {
    message = request.event.message or {},
    event = request.event,
    user = request.user or {},
    dialog = dialog,
    intent = request.intent,
    config = request.config or {},
    invoked_by = request.invoked_by,
    locale = request.user and request.user.locale or dialog.locale or "en",
    trace_id = request.trace_id,
    session = session(dialog.state or {}, patch),
    _actions = setmetatable({}, array_mt),
    _patch = patch,
  }
  for k, v in pairs(extra or {}) do c[k] = v end
  return setmetatable(c, meta)
end

