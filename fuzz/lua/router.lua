-- The path of a request: a route with all its parameters, or a problem that has a code.

local router = require "parley.http.router"

local METHODS = { "GET", "POST", "HEAD", "DELETE", "PUT", "X" }

local routes = router.new()
for i, path in ipairs {
  "/", "/health", "/api/v1/dialogs/{dialog}/messages", "/api/v1/dialogs/{dialog}",
  "/api/v1/plugins/{name}/{action}", "/api/v1/{x}/methods",
} do
  routes:add { method = METHODS[i % 2 + 1], path = path, handler = function() end }
end

return function(bytes)
  local method = METHODS[(bytes:byte(1) or 0) % #METHODS + 1]
  local route, params, allow = routes:match(method, "/" .. bytes:sub(2))
  if not route then
    assert(params == "not_found" or (params == "method_not_allowed" and allow ~= ""))
    return
  end
  for _, name in ipairs(route.parameters) do assert(type(params[name]) == "string") end
end
