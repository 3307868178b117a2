-- The latest lines of the log that name a plugin, kept in memory for `parley plugin logs`: redacted
-- as they are in the log, and bounded.
--
-- A plugin that says much pushes out its own lines first: when there is no room, the longest list
-- loses its oldest line. Lines of the level debug have a list of their own, and are kept whatever
-- the host's own level is, so that an author sees them without changing a setting of the operator.

local crypto = require "host.crypto"
local fifo = require "parley.util.fifo"
local host_log = require "host.log"
local json = require "host.json"
local time = require "host.time"

---@class parley.Recent
local M = {}
M.__index = M

local RANK = { debug = 1, info = 2, warn = 3, error = 4 }
local DEBUG = "debug:" -- before the name of a plugin: no name has a colon

---@class parley.RecentOptions
---@field of_one? integer lines of one plugin, and as many of the level debug
---@field lines? integer of all
---@field bytes? integer of all, as JSON

---@param o parley.RecentOptions|nil
---@return parley.Recent
function M.new(o)
  o = o or {}
  return setmetatable({
    of_one = o.of_one or 300, most = o.lines or 3000, bytes_most = o.bytes or 2 * 1024 * 1024,
    -- Another worker that has taken this one's place counts anew.
    life = crypto.hex(crypto.random(8)), seq = 0, lists = {}, count = 0, bytes = 0,
  }, M)
end

local function drop(self, name)
  local list = self.lists[name]
  local line = list:shift()
  self.count, self.bytes = self.count - 1, self.bytes - #line.text
  if list:size() == 0 then self.lists[name] = nil end
end

local function longest(self)
  local found, size
  for name, list in pairs(self.lists) do
    local n = list:size()
    if not found or n > size or (n == size and list:peek().seq < self.lists[found]:peek().seq) then
      found, size = name, n
    end
  end
  return found
end

---Keeps a line. The trace id is that of the task when the fields have none.
---@param level string
---@param message string
---@param fields table with `plugin`
function M:add(level, message, fields)
  local name = (level == "debug" and DEBUG or "") .. fields.plugin
  local text = host_log.line(level, message, fields, "json")
  self.seq = self.seq + 1
  local list = self.lists[name] or fifo.new()
  self.lists[name] = list
  list:push {
    seq = self.seq, at = time.now_ms(), rank = RANK[level], dialog = fields.dialog_id, text = text,
  }
  self.count, self.bytes = self.count + 1, self.bytes + #text
  if list:size() > self.of_one then drop(self, name) end
  while self.count > self.most or self.bytes > self.bytes_most do drop(self, longest(self)) end
end

---@class parley.RecentQuery
---@field plugin? string
---@field level? string this one, and those above it; default "info"
---@field dialog? string
---@field since_ms? integer
---@field after? {life: string, seq: integer} of an answer before: what has come since
---@field limit integer the latest so many
---@field bytes? integer that an answer may have; default 1 MiB

---@param plugin string|nil of all
---@return integer lines that are kept
function M:size(plugin)
  if not plugin then return self.count end
  local list, more = self.lists[plugin], self.lists[DEBUG .. plugin]
  return (list and list:size() or 0) + (more and more:size() or 0)
end

-- Those that fit, the oldest first.
local function matching(self, q)
  local rank = RANK[q.level or "info"]
  local after = q.after and q.after.life == self.life and q.after.seq or 0
  local out = {}
  for name, list in pairs(self.lists) do
    local of = name:sub(1, #DEBUG) == DEBUG and name:sub(#DEBUG + 1) or name
    if not q.plugin or q.plugin == of then
      for i = list.first, list.last do
        local line = list[i]
        if line.seq > after and line.rank >= rank and line.at >= (q.since_ms or 0)
          and (not q.dialog or q.dialog == line.dialog) then
          out[#out + 1] = line
        end
      end
    end
  end
  table.sort(out, function(a, b) return a.seq < b.seq end)
  return out
end

---The latest lines that fit, the oldest first, each as its fields in the log; `left_out` says how
---many more there were.
---@param q parley.RecentQuery
---@return {life: string, seq: integer, lines: table[], left_out: integer, seen: integer}
function M:read(q)
  local found, room = matching(self, q), q.bytes or 1024 * 1024
  local first = #found + 1
  while first > 1 and #found - first + 1 < q.limit and room >= #found[first - 1].text do
    first = first - 1
    room = room - #found[first].text
  end
  local lines = json.array()
  for i = first, #found do lines[#lines + 1] = json.decode(found[i].text) end
  return {
    life = self.life, seq = self.seq, lines = lines, left_out = first - 1,
    seen = self:size(q.plugin),
  }
end

return M
