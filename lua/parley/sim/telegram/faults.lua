-- How the simulator misbehaves, on request: rules that hit the next calls that fit them.

local M = {}
M.__index = M

---What a rule may do.
M.KINDS = {
  status = "answers with the HTTP status `status` and, when given, `retry_after`",
  garbage = "answers 200 with bytes that are no JSON",
  truncated = "answers with half of the document, then closes the connection",
  hang = "takes the call and never answers, for `seconds`",
  slow = "does what it should after `seconds`",
  reset = "closes the connection without having done anything",
  lost = "does what it should, and closes the connection without an answer",
}

function M.new() return setmetatable({ rules = {} }, M) end

---@param rule {kind: string, bot: string|nil, method: string|nil, chat_id: integer|nil,
---  times: integer|nil, skip: integer|nil, share: number|nil, status: integer|nil,
---  retry_after: integer|nil, seconds: number|nil}
---  times: how many calls it hits (default 1; 0: all); skip: how many pass first; share: of them
---@return boolean|nil ok
---@return string|nil problem
function M:add(rule)
  if not M.KINDS[rule.kind] then
    local names = {}
    for name in pairs(M.KINDS) do names[#names + 1] = name end
    table.sort(names)
    return nil, "kind: one of " .. table.concat(names, ", ") .. " expected"
  end
  local status = tonumber(rule.status) or 0
  if rule.kind == "status" and (status < 400 or status > 599) then
    return nil, "status: 400 to 599 expected"
  end
  local times = tonumber(rule.times) or 1
  -- A form has texts only.
  for _, key in ipairs { "status", "retry_after", "seconds", "share" } do
    rule[key] = tonumber(rule[key])
  end
  self.rules[#self.rules + 1] = {
    rule = rule, left = times == 0 and math.huge or times, skip = tonumber(rule.skip) or 0,
  }
  return true
end

function M:clear() self.rules = {} end

local function fits(rule, bot, method, params)
  return (not rule.bot or rule.bot == bot.user.username)
    and (not rule.method or rule.method:lower() == method:lower())
    and (not rule.chat_id or tostring(rule.chat_id) == tostring(params.chat_id))
    and (not rule.share or math.random() < rule.share)
end

---The rule that hits this call; it is used up by it.
---@return table|nil rule
function M:take(bot, method, params)
  for i, r in ipairs(self.rules) do
    if fits(r.rule, bot, method, params) then
      if r.skip > 0 then
        r.skip = r.skip - 1
      else
        r.left = r.left - 1
        if r.left <= 0 then table.remove(self.rules, i) end
        return r.rule
      end
    end
  end
end

return M
