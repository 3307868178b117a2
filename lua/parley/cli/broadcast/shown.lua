-- How a broadcast looks in a terminal.

local M = {}

local function duration(seconds)
  if seconds < 60 then return ("%d s"):format(seconds) end
  if seconds < 3600 then return ("%d min"):format(math.ceil(seconds / 60)) end
  return ("%d h %d min"):format(math.floor(seconds / 3600), math.floor(seconds % 3600 / 60))
end

---When it starts, or will be over, or was.
---@param b table BroadcastV1
---@return string
function M.when(b)
  local p = b.progress
  if b.state == "scheduled" then return "starts " .. b.start_at end
  if b.finished_at then return "over " .. b.finished_at end
  if p.eta_seconds then return "about " .. duration(p.eta_seconds) .. " left" end
  return b.started_at and "since " .. b.started_at or ""
end

---Names and values, in lines.
---@param b table BroadcastV1
---@return string[][]
function M.lines(b)
  local p = b.progress
  local out = {
    { "id", b.id }, { "bot", b.bot }, { "label", b.label or "" }, { "state", b.state },
    { "time", M.when(b) },
    { "progress", ("%g %%, %d a minute"):format(p.percent, p.per_minute) },
    { "looked at", p.candidates and ("%d of %d"):format(p.examined, p.candidates) or "" },
  }
  for _, name in ipairs { "recipients", "sent", "blocked", "failed", "uncertain" } do
    out[#out + 1] = { name, tostring(p[name]) }
  end
  out[#out + 1] = { "on the way", tostring(p.on_the_way) }
  return out
end

return M
