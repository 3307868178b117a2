-- Routes are declarations: method, path, who may call, what goes in and out. Validation, access and
-- the OpenAPI document come from them.

local compile = require("parley.schema.compile").compile
local query = require "parley.http.query"

local M = {}
M.__index = M

function M.new() return setmetatable({ routes = {}, root = {} }, M) end

local function split(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do parts[#parts + 1] = part end
  return parts
end

---@param route {method: string, path: string, summary: string, auth: string|nil, scopes:
--- string[]|nil, request: table|nil, response: table|nil, statuses: table<integer, string>|nil,
--- query: table[]|nil, problems: string[]|nil, hidden: boolean|nil, body_optional: boolean|nil,
--- repeatable: boolean|nil, admit: (fun(ctx: table): boolean|nil, table|nil)|nil,
--- quiet: boolean|nil, handler: function}
--- `auth` names the header of its token; nil: open to all, or to whom `admit` lets in before the
--- body is looked at. `quiet`: it logs its failures itself. `path` has {parameters}. `statuses`: of
--- success, default 200; `problems`: codes beside those that auth and request bring; `hidden`: not
--- part of the contract. `body_optional`: an empty body is as good as {}. What `query` declares is
--- in ctx.args. `repeatable`: see parley.http.idempotency.
function M:add(route)
  assert(route.method and route.path and route.handler, "a route needs method, path and handler")
  route.validate = route.request and compile(route.request)
  route.read_query = route.query and query.compile(route.query)
  route.parameters = {}
  local node = self.root
  for _, part in ipairs(split(route.path)) do
    local name = part:match "^{([%w_]+)}$"
    if name then
      route.parameters[#route.parameters + 1] = name
      part = "{}"
    end
    node[part] = node[part] or {}
    node = node[part]
  end
  node.methods = node.methods or {}
  assert(not node.methods[route.method], "a route stands twice: " .. route.path)
  node.methods[route.method] = route
  self.routes[#self.routes + 1] = route
end

local function char_of(hex) return string.char(tonumber(hex, 16)) end

---@return table|nil route
---@return table|string params of the path, or the code of the problem
---@return string|nil allow for method_not_allowed
function M:match(method, path)
  if path:find("//", 1, true) then return nil, "not_found" end
  local node, values = self.root, {}
  for part in path:gmatch "[^/]+" do
    local child = node[part]
    if not child or part == "methods" or part == "{}" then -- names of our own, not of a path
      child = node["{}"]
      values[#values + 1] = part
    end
    if not child then return nil, "not_found" end
    node = child
  end
  if not node.methods or (path:sub(-1) == "/" and path ~= "/") then return nil, "not_found" end
  local route = node.methods[method] or (method == "HEAD" and node.methods.GET)
  if not route then
    local allow = {}
    for name in pairs(node.methods) do allow[#allow + 1] = name end
    table.sort(allow)
    return nil, "method_not_allowed", table.concat(allow, ", ")
  end
  local params = {}
  for i, name in ipairs(route.parameters) do
    local value = values[i]
    params[name] = value:find("%", 1, true) and value:gsub("%%(%x%x)", char_of) or value
  end
  return route, params
end

return M
