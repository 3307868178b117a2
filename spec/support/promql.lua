-- What a query for Prometheus names: enough of PromQL to find the metrics, labels and values in it.

local M = {}

local BEFORE_LABELS = { by = true, without = true, on = true, ignoring = true, group_left = true, group_right = true }
local WORDS = { ["and"] = true, ["or"] = true, unless = true, bool = true, offset = true }

-- The text in quotes at `at`, and where it ends.
local function quoted(text, at)
  local quote, i = text:sub(at, at), at + 1
  while text:sub(i, i) ~= quote do
    assert(i <= #text, "a string does not end: " .. text)
    i = i + (text:sub(i, i) == "\\" and 2 or 1)
  end
  return text:sub(at + 1, i - 1), i + 1
end

-- {a="x",b=~"y"}: the matchers, and where they end.
local function matchers(text, at)
  local out = {}
  at = text:match("^{%s*()", at)
  while text:sub(at, at) ~= "}" do
    local label, op, value_at = text:match("^([%a_][%w_]*)%s*([=!][=~]?)%s*()", at)
    assert(label, "a matcher was expected: " .. text:sub(at))
    local value, after = quoted(text, value_at)
    out[#out + 1] = { label = label, op = op, value = value }
    at = text:match("^%s*,?%s*()", after)
  end
  return out, at + 1
end

---@param text string
---@return {metrics: {name: string, matchers: {label: string, op: string, value: string}[]}[], labels: string[]}
---  `labels`: those that by, on and their like name
function M.read(text)
  local out, at = { metrics = {}, labels = {} }, 1
  while at <= #text do
    local name, after = text:match("^([%a_:][%w_:]*)%s*()", at)
    if not name then
      if text:find("^[\"']", at) then
        at = select(2, quoted(text, at))
      else -- a range, a number, a duration, or what stands between
        at = text:match("^%b[]()", at) or text:match("^%d[%w.]*()", at) or at + 1
      end
    elseif BEFORE_LABELS[name] then
      local list
      list, at = text:match("^(%b())()", after)
      for label in list:gmatch "[%a_][%w_]*" do out.labels[#out.labels + 1] = label end
    elseif WORDS[name] or text:find("^%(", after) or text:find("^by%f[%W]", after) or text:find("^without%f[%W]", after) then
      at = after
    else
      local metric = { name = name, matchers = {} }
      out.metrics[#out.metrics + 1] = metric
      at = after
      if text:sub(at, at) == "{" then metric.matchers, at = matchers(text, at) end
    end
  end
  return out
end

return M
