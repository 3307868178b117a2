-- Dockerfile and compose.yaml, as far as they can be tried without an engine that builds images.

local blocks = require "spec.support.doc_blocks"
local config = require "parley.config"
local fs = require "host.fs"
local host = require "spec.support.host"
local http_server = require "host.http_server"
local json = require "host.json"
local programs = require "spec.support.process"
local redis = require "host.redis"

-- What a command prints.
local function output(argv, options)
  local r = programs.run(argv, options)
  assert(r.code == 0, table.concat(argv, " ") .. "\n" .. r.out)
  return r.out
end

local function words(text)
  local out = {}
  for word in text:gmatch "%S+" do out[#out + 1] = word end
  table.sort(out)
  return out
end

describe("Dockerfile", function()
  local text
  setup(function() text = assert(fs.read "Dockerfile") end)

  it("installs the packages of the libraries that the program is linked with", function()
    local patterns = {}
    for name in output({ "objdump", "-p", programs.EXE }):gmatch "NEEDED%s+(%S+)" do
      -- Those of the C library and of the sanitizers are in every image, or in none.
      if not name:find "^lib[cm]%.so" and not name:find "san%.so" then patterns[#patterns + 1] = "*/" .. name end
    end
    assert.is_true(#patterns > 5)
    local wanted, seen = { "ca-certificates" }, {}
    for package in output({ "dpkg", "-S", unpack(patterns) }):gmatch "([%w.+-]+):%w+: /u?s?r?/?lib/[%w_-]+/lib" do
      -- libgcc-s1 is part of the base image.
      if not seen[package] and package ~= "libgcc-s1" then wanted[#wanted + 1], seen[package] = package, true end
    end
    table.sort(wanted)
    local installed = text:match "FROM debian:12%-slim\n.*%-%-no%-install%-recommends \\\n%s*([^\\]+)"
    assert.same(wanted, words(installed))
  end)

  it("builds with what tools/packages names, and copies what there is", function()
    assert.matches("RUN tools/install build\n", text)
    for paths in text:gmatch "\nCOPY ([^-\n]+) %S+\n" do
      for path in paths:gmatch "%S+" do assert.is_true(fs.exists(path), path) end
    end
  end)

  -- The check of the image, on a host that listens elsewhere.
  local function check(port)
    local argv = assert(json.decode(text:match "HEALTHCHECK[^\n]* CMD (%[.-%])\n"))
    argv[3] = argv[3]:gsub("8081", tostring(port))
    return programs.run(argv, { stderr = "null" }).code
  end

  it("has a health check that is good when the host is ready, and only then", function()
    local status = 200
    local h = host.start()
    local endpoints = require("parley.ops.endpoints").new(h.core)
    local server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, function(req, method, path)
      if status == 200 then return endpoints(req, method, path) end
      req:respond(status, "", "")
    end))
    local port = server:port()
    assert.equal(0, check(port))
    status = 503
    assert.equal(1, check(port))
    server:close()
    h:stop()
    assert.equal(1, check(port))
  end)

  it("runs as nobody in particular, on the ports that it names", function()
    assert.matches("\nUSER %d+:%d+\n", text)
    assert.matches("PARLEY_HTTP_LISTEN=0.0.0.0:8080 PARLEY_OPS_LISTEN=0.0.0.0:8081\nEXPOSE 8080 8081\n", text)
  end)
end)

describe("compose.yaml", function()
  local compose, dir
  setup(function()
    compose = assert(json.decode(output { "python3", "-c",
      "import json, yaml; print(json.dumps(yaml.safe_load(open('compose.yaml'))))" }))
    dir = host.temp_dir()
    for _, block in ipairs(blocks.read "docs/operate/container.md") do
      if block.kind == "sh" then output({ "bash", "-ec", block.text }, { cwd = dir }) end
    end
  end)

  local function secret(name) return dir .. "/" .. compose.secrets[name].file end

  it("names secrets that the page makes, and gives each to whom it says", function()
    local made = fs.list(dir .. "/secrets")
    local named = {}
    for name, s in pairs(compose.secrets) do
      assert.equal("secrets/" .. name, s.file)
      named[#named + 1] = name
    end
    table.sort(made)
    table.sort(named)
    assert.same(named, made)
    for service, s in pairs(compose.services) do
      local has = {}
      for _, name in ipairs(s.secrets) do has[name] = true end
      for name in json.encode(s):gmatch "/run/secrets/([%w_]+)" do
        assert(has[name], service .. " is not given " .. name)
      end
    end
  end)

  it("has a Parley whose settings are taken", function()
    local env = compose.services.parley.environment
    local cfg = assert(config.load(dir .. "/home", { getenv = function(name)
      local value = env[name]
      return value and value:gsub("^/run/secrets/([%w_]+)$", secret)
    end }))
    assert.matches("^postgres://parley:%x+@postgres:5432/parley$", cfg.database_url)
    assert.matches("^redis://:%x+@redis:6379/0$", cfg.redis_url)
    assert.equal(48, #cfg.secret_key)
    assert.is_truthy(cfg.database_url:find(fs.read(secret "postgres_password"), 1, true))
    assert.is_truthy(cfg.redis_url:find(fs.read(secret "redis_password"), 1, true))
  end)

  it("has a Redis that asks for the password, and a check that knows it", function()
    local server = assert(http_server.listen({ host = "127.0.0.1", port = 0 }, function() end))
    local port = server:port()
    server:close()
    local function own(text)
      return (text:gsub("%$%$", "$"):gsub("/tmp/", dir .. "/"):gsub("/run/secrets/([%w_]+)", secret))
    end
    local argv = compose.services.redis.command
    argv[3] = own(argv[3]) .. " --bind 127.0.0.1 --port " .. port
    local process = assert(require("host.process").spawn { argv = argv, stdout = "null" })
    local url = ("redis://:%s@127.0.0.1:%d"):format(fs.read(secret "redis_password"), port)
    local healthy = own(compose.services.redis.healthcheck.test[2]):gsub("redis%-cli", "redis-cli -p " .. port)
    programs.eventually("a healthy Redis", function()
      return programs.run({ "sh", "-c", healthy }, { stderr = "null" }).code == 0
    end)
    local client = assert(redis.open { url = url })
    assert.equal("noeviction", assert(client:call("CONFIG", "GET", "maxmemory-policy"))[2])
    assert.equal("", assert(client:call("CONFIG", "GET", "save"))[2])
    client:close()
    local refused = programs.run({ "redis-cli", "-p", tostring(port), "ping" })
    assert.matches("NOAUTH", refused.out)
    process:kill "TERM"
    assert(process:wait(60))
  end)
end)
