-- The contract document and the files that browsers get.

local host = require "spec.support.host"
local idempotency = require "parley.http.idempotency"
local json = require "host.json"

describe("the OpenAPI document", function()
  local h, doc
  setup(function()
    h = host.start()
    doc = h:request("GET", "/api/v1/openapi.json", nil, { token = false }).body
  end)
  teardown(function() h:stop() end)

  local function resolve(node, path, seen)
    if type(node) ~= "table" then return end
    local ref = node["$ref"]
    if ref then
      local name = ref:match "^#/components/schemas/(%w+)$"
      assert(name and doc.components.schemas[name], path .. ": " .. tostring(ref))
      assert.is_nil(next(node, "$ref"))
      seen[name] = true
    end
    for k, v in pairs(node) do resolve(v, path .. "/" .. tostring(k), seen) end
  end

  it("describes every route, with references that hold", function()
    assert.equal("3.1.0", doc.openapi)
    for _, route in ipairs(h.core.router.routes) do
      if not route.hidden then
        local op = assert(doc.paths[route.path][route.method:lower()], route.path)
        assert.truthy(op.summary)
        local keys = 0
        for _, p in ipairs(op.parameters) do keys = keys + (p.name == "Idempotency-Key" and 1 or 0) end
        assert.equal(idempotency.applies(route) and 1 or 0, keys)
        assert.truthy(op.responses["200"] or op.responses["201"])
        for name in route.path:gmatch "{([%w_]+)}" do
          local found = false
          for _, p in ipairs(op.parameters) do found = found or (p.name == name and p["in"] == "path") end
          assert.is_true(found)
        end
      end
    end
    local seen = { HealthV1 = true } -- of the ops listener, whose paths are not here
    resolve(doc, "", seen)
    for name in pairs(doc.components.schemas) do assert.is_true(seen[name] or false, name .. " is never used") end
  end)

  it("has its own schemas' examples valid", function()
    local compile = require("parley.schema.compile").compile
    for name, schema in pairs(require "parley.schema.v1alpha") do
      for _, example in ipairs(schema.examples or {}) do
        assert.is_nil(compile(schema)(assert(json.decode(json.encode(example)))), name)
      end
    end
  end)

  it("names every status that the bot endpoints give", function()
    local function check(method, path, template, body, opts)
      local r = h:request(method, path, body, opts)
      local op = doc.paths[template][method:lower()]
      local described = assert(op.responses[tostring(r.status)], method .. " " .. template .. " " .. r.status)
      if r.status >= 400 then
        assert.truthy(described.description:find(r.body.code, 1, true), r.body.code)
      end
    end
    local messages = "/api/v1/dialogs/{dialog_id}/messages"
    local good = { user = { external_id = "a" }, type = "text", text = "/echo x", message_id = "1" }
    check("POST", "/api/v1/dialogs/d/messages", messages, good)
    check("POST", "/api/v1/dialogs/d/messages", messages, { user = { external_id = "a" }, type = "text", text = "y",
      message_id = "1" })
    check("POST", "/api/v1/dialogs/d/messages", messages, good, { token = false })
    check("POST", "/api/v1/dialogs/d/messages", messages, good, { token = h:make_token { "users:write" } })
    check("POST", "/api/v1/dialogs/d/messages", messages, "{")
    check("POST", "/api/v1/dialogs/d/messages", messages, "[]")
    check("POST", "/api/v1/dialogs/d/messages", messages, "{}", { type = "text/plain" })
    check("POST", "/api/v1/dialogs/" .. ("x"):rep(65) .. "/messages", messages, good)
    check("POST", "/api/v1/dialogs/d/messages", messages,
      { user = { id = "01890000-0000-7000-8000-000000000000" }, type = "text", text = "x" })
    local keyed = { headers = { ["Idempotency-Key"] = "k" } }
    check("POST", "/api/v1/dialogs/d/reset", "/api/v1/dialogs/{dialog_id}/reset", "{}", keyed)
    check("POST", "/api/v1/dialogs/d/reset", "/api/v1/dialogs/{dialog_id}/reset", { reason = "other" }, keyed)
    check("POST", "/api/v1/users", "/api/v1/users", { external_id = "keyed" }, keyed)
    check("POST", "/api/v1/users", "/api/v1/users", { external_id = "another" }, keyed)
    check("POST", "/api/v1/dialogs/none/reset", "/api/v1/dialogs/{dialog_id}/reset", "{}")
    check("GET", "/api/v1/dialogs/d", "/api/v1/dialogs/{dialog_id}")
    check("GET", "/api/v1/dialogs/none", "/api/v1/dialogs/{dialog_id}")
    check("GET", "/api/v1/dialogs/d?limit=0", "/api/v1/dialogs/{dialog_id}")
    check("POST", "/api/v1/users", "/api/v1/users", { external_id = "new" })
    check("POST", "/api/v1/users", "/api/v1/users", { external_id = "new" })
  end)
end)

describe("the pages' files", function()
  local h
  setup(function() h = host.start() end)
  teardown(function() h:stop() end)

  it("come with their type, a tag and a policy", function()
    local r = h:request("GET", "/chat", nil, { token = false })
    assert.equal(200, r.status)
    assert.equal("text/html; charset=utf-8", r.headers["content-type"])
    assert.matches("default%-src 'none'", r.headers["content-security-policy"])
    assert.equal("nosniff", r.headers["x-content-type-options"])
    local again = h:request("GET", "/chat", nil, { token = false, headers = { ["If-None-Match"] = r.headers.etag } })
    assert.equal(304, again.status)
    assert.equal("", again.text)
    r = h:request("GET", "/web/chat.js", nil, { token = false })
    assert.equal("text/javascript; charset=utf-8", r.headers["content-type"])
  end)

  it("are the listed ones and no others", function()
    for _, path in ipairs {
      "/web/", "/web/nothing.js", "/web/../conf/parley.lua", "/web/%2e%2e/conf/parley.lua", "/web/chat.html", "/chat/",
      "/web/chat.js/x", "/web/..%2fREADME.md", "//chat",
    } do
      local r = h:request("GET", path, nil, { token = false })
      assert.is_true(r.status == 404 or r.status == 400, path .. " " .. r.status)
    end
    assert.equal(405, h:request("POST", "/chat", "{}", { token = false }).status)
  end)
end)
