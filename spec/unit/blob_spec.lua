-- Files that are named by what is in them, and what kind of file some bytes are.

local blob = require "host.blob"
local crypto = require "host.crypto"
local fs = require "host.fs"
local mime = require "parley.blobs.mime"
local task = require "host.task"
local temporary = require "parley.util.temporary"

describe("a file that is named by its content", function()
  local folder
  before_each(function() folder = assert(temporary.folder()) end)

  local function written(...)
    local writer = assert(blob.create(folder))
    for _, data in ipairs { ... } do assert(writer:write(data)) end
    return writer
  end

  it("is there, whole, when it is finished", function()
    local writer = written("one ", "", "two\0", "\255")
    assert.equal(9, writer:size())
    assert.equal(1, #fs.list(folder))
    local file = assert(writer:finish())
    assert.same({ hash = crypto.hex(crypto.sha256 "one two\0\255"), size = 9 }, file)
    local path = ("%s/%s/%s"):format(folder, file.hash:sub(1, 2), file.hash)
    assert.equal("one two\0\255", fs.read(path))
    assert.same({ file.hash:sub(1, 2) }, fs.list(folder))
    assert.same(file, written("one two\0\255"):finish())
    assert.same({ file.hash }, fs.list(folder .. "/" .. file.hash:sub(1, 2)))
  end)

  it("leaves nothing when it is given up, by its writer or with it", function()
    written("one"):abort()
    assert.same({}, fs.list(folder))
    written "two" -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.same({}, fs.list(folder))
  end)

  it("is finished once", function()
    local writer = written "x"
    assert(writer:finish())
    assert.has_error(function() writer:write "y" end, "this file is finished, or given up")
    assert.has_error(function() writer:finish() end, "this file is finished, or given up")
    writer:abort()
    assert.equal(1, #fs.list(folder))
  end)

  it("may lose who waits for it", function()
    local writer = written "x"
    local t = task.spawn(function() return writer:finish() end)
    task.sleep(0)
    t:cancel()
    t:join()
    assert.has_error(function() writer:size() end)
  end)

  it("says where it could not be made", function()
    local writer, err = blob.create(folder .. "/none")
    assert.is_nil(writer)
    assert.same({ "not_found", true }, { err.code, err.message:find("none", 1, true) ~= nil })
    assert.is_nil((blob.create("/" .. ("x"):rep(5000))))
  end)
end)

describe("the type of a file", function()
  for head, expected in pairs {
    ["\255\216\255\224"] = "image/jpeg", ["\137PNG\r\n\26\n"] = "image/png", ["%PDF-1.7"] = "application/pdf",
    ["RIFF\1\2\3\4WEBPVP8 "] = "image/webp", ["\0\0\0\32ftypisom"] = "video/mp4", ["\0\0\0\32ftypM4A "] = "audio/mp4",
    ["OggS\0"] = "audio/ogg", ["\255\251\144"] = "audio/mpeg",
    ["PK\3\4"] = "application/zip", ["a\0b"] = "application/octet-stream",
    ["hello"] = "text/plain", [""] = "text/plain", ["MZ\144"] = "application/x-executable",
  } do
    it("is " .. expected .. " by its bytes", function() assert.equal(expected, mime.of(head, "innocent.jpg")) end)
  end

  it("is told by the name where the bytes are the same", function()
    assert.equal("text/csv", mime.of("a,b", "x.CSV"))
    assert.matches("wordprocessingml", mime.of("PK\3\4", "x.docx"))
    assert.equal("text/plain", mime.of("a,b", "x.exe"))
  end)
end)
