-- Metrics as Prometheus reads them: the text exposition format 0.0.4.

local concat, floor, format = table.concat, math.floor, string.format

local M = {}

M.CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

local function number(v)
  if v ~= v then return "NaN" end
  if v == math.huge then return "+Inf" end
  if v == -math.huge then return "-Inf" end
  if v == floor(v) and v > -2 ^ 53 and v < 2 ^ 53 then return format("%d", v) end
  local short = format("%.15g", v)
  return tonumber(short) == v and short or format("%.17g", v)
end

local ESCAPES = { ["\\"] = "\\\\", ["\n"] = "\\n", ['"'] = '\\"' }

-- {a="x",b="y"}, or nothing; `le` is the bound of a bucket.
local function label_text(names, values, le)
  local out = {}
  for i, name in ipairs(names) do
    out[i] = name .. '="' .. values[i]:gsub('[\\\n"]', ESCAPES) .. '"'
  end
  if le then out[#out + 1] = 'le="' .. le .. '"' end
  return #out > 0 and "{" .. concat(out, ",") .. "}" or ""
end

local function render_histogram(out, family, s)
  local total = 0
  for i, count in ipairs(s.counts) do
    total = total + count
    local le = family.bounds[i] and number(family.bounds[i]) or "+Inf"
    out[#out + 1] = family.name .. "_bucket" .. label_text(family.labels, s.labels, le) .. " " ..
      number(total)
  end
  local labels = label_text(family.labels, s.labels)
  out[#out + 1] = family.name .. "_sum" .. labels .. " " .. number(s.sum)
  out[#out + 1] = family.name .. "_count" .. labels .. " " .. number(total)
end

--- A snapshot in the Prometheus text form.
---@param snapshot parley.metrics.Snapshot[]
---@return string
function M.render(snapshot)
  local out = {}
  for _, family in ipairs(snapshot) do
    if #family.series > 0 then
      out[#out + 1] = "# HELP " .. family.name .. " " .. family.help:gsub("[\\\n]", ESCAPES)
      out[#out + 1] = "# TYPE " .. family.name .. " " .. family.type
      for _, s in ipairs(family.series) do
        if s.counts then
          render_histogram(out, family, s)
        else
          local labels = label_text(family.labels, s.labels)
          out[#out + 1] = family.name .. labels .. " " .. number(s.value)
        end
      end
    end
  end
  out[#out + 1] = ""
  return concat(out, "\n")
end

return M
