-- The store of bundles: whole, durable, checked, and kept while it is needed.

local bundle = require "parley.plugins.bundle"
local bundles = require "parley.plugins.bundles"
local folder = require "host.folder"
local fs = require "host.fs"
local json = require "host.json"
local task = require "host.task"
local temporary = require "parley.util.temporary"

describe("a stored bundle", function()
  local home, dir
  before_each(function()
    home = assert(temporary.folder())
    dir = home .. "/shop"
    assert(fs.mkdir(dir .. "/lib"))
    assert(fs.mkdir(dir .. "/locales"))
    assert(fs.write(dir .. "/manifest.json", json.encode {
      schema = "v1alpha", name = "shop", version = "1.0.0", api = "1", transport = "lua",
      commands = { { name = "shop", description = "x" } }, locales = { "en" },
    }))
    assert(fs.write(dir .. "/main.lua", "return 1"))
    assert(fs.write(dir .. "/lib/prices.lua", "return {}"))
    assert(fs.write(dir .. "/locales/en.json", '{"hello":"Hello"}'))
  end)
  after_each(function() temporary.remove(home) end)

  local function put() return assert(bundles.put(home, assert(bundle.read(dir)))) end
  local function place(hash) return home .. "/data/bundles/shop/" .. hash end

  it("is read as its folder was, when the folder has become another", function()
    local before = assert(bundle.read(dir))
    local hash = put()
    assert.equal(before.hash, hash)
    assert(fs.write(dir .. "/main.lua", "return 2"))
    local b = assert(bundles.read(home, "shop", hash))
    assert.same({ before.files, before.manifest, hash }, { b.files, b.manifest, b.hash })
  end)

  it("has another hash for each thing that the folder may say", function()
    local seen = {}
    local function fresh(what)
      local hash = assert(bundle.read(dir)).hash
      assert.is_nil(seen[hash], what .. " has changed nothing")
      seen[hash] = true
    end
    fresh "the folder"
    assert(fs.write(dir .. "/main.lua", "return 2"))
    fresh "main.lua"
    assert(fs.write(dir .. "/lib/prices.lua", "return {1}"))
    fresh "lib/"
    assert(fs.write(dir .. "/locales/en.json", '{"hello":"Hi"}'))
    fresh "locales/"
    assert(fs.write(dir .. "/lib/more.lua", ""))
    fresh "a new file"
    -- The same bytes in the same order, as another file.
    assert(fs.write(dir .. "/locales/uk.json", '{"a":"b"}'))
    fresh "a language"
    assert(fs.remove(dir .. "/locales/uk.json"))
    assert(fs.write(dir .. "/lib/uk.lua", '{"a":"b"}'))
    fresh "the folder of a file"
  end)

  it("is refused when there is too much of it", function()
    local text = ("-"):rep(256 * 1024)
    for i = 1, 64 do assert(fs.write(("%s/lib/m%d.lua"):format(dir, i), text)) end
    local none, err = bundle.read(dir)
    assert.is_nil(none)
    assert.equal("plugin", err.code)
    assert.matches(dir .. "/lib: the files of a plugin have at most 16 MiB together", err.message, 1, true)
    assert(fs.remove(dir .. "/lib/m1.lua"))
    assert(bundle.read(dir))
  end)

  it("is put once, however often and from wherever it comes", function()
    local b = assert(bundle.read(dir))
    local tasks = {}
    for i = 1, 8 do tasks[i] = task.spawn(function() return bundles.put(home, b) end) end
    for _, t in ipairs(tasks) do
      local ok, hash = t:join(60)
      assert(ok)
      assert.equal(b.hash, hash)
    end
    assert.same({ b.hash }, fs.list(home .. "/data/bundles/shop"))
  end)

  it("is refused when it is no longer what it was, and mended by the next put", function()
    local hash = put()
    assert(fs.write(place(hash) .. "/main.lua", "return 'something else'"))
    local none, err = bundles.read(home, "shop", hash)
    assert.is_nil(none)
    assert.equal("bundle", err.code)
    assert.matches("changed", err.message)
    put()
    assert.equal("return 1", assert(bundles.read(home, "shop", hash)).files.main)
  end)

  it("is missed by name", function()
    local none, err = bundles.read(home, "shop", ("0"):rep(64))
    assert.is_nil(none)
    assert.equal("this instance has no bundle 000000000000 of 'shop'", err.message)
    assert.same({}, bundles.list(home, "shop"))
    assert.has_error(function() bundles.read(home, "shop", "../../etc") end)
  end)

  it("goes when there are enough newer ones and nobody holds it", function()
    local hashes = {}
    for i = 1, 5 do
      assert(fs.write(dir .. "/main.lua", "return " .. i))
      hashes[i] = put()
      task.sleep(0.02) -- the file system's clock ticks more slowly than this machine writes
    end
    local newest_first = {}
    for i, entry in ipairs(bundles.list(home, "shop")) do newest_first[i] = entry.hash end
    assert.same({ hashes[5], hashes[4], hashes[3], hashes[2], hashes[1] }, newest_first)
    assert.equal(2, bundles.prune(home, "shop", 2, { [hashes[1]] = true }))
    assert(bundles.read(home, "shop", hashes[1]))
    assert.is_nil((bundles.read(home, "shop", hashes[2])))
    assert.equal(3, #bundles.list(home, "shop"))
  end)

  it("leaves nothing behind when it cannot be written", function()
    assert(fs.mkdir(home .. "/data/bundles/shop"))
    local ok, err = folder.write(home .. "/data/bundles/shop/x", { ["lib"] = "a file", ["lib/a.lua"] = "in it" })
    assert.is_nil(ok)
    assert.is_string(err.message)
    assert.same({}, fs.list(home .. "/data/bundles/shop"))
  end)

  it("never names a file outside its folder", function()
    for _, name in ipairs { "../x", "/x", "a//b", "a/", ".hidden", "a/.b", "a b", "" } do
      assert.has_error(function() folder.write(home .. "/data/x", { [name] = "" }) end)
    end
  end)
end)
