-- Files of plugins and of people, to Telegram and from it, against the simulated one.

local eventually = require "spec.support.eventually"
local fs = require "host.fs"
local host = require "spec.support.host"
local json = require "host.json"
local log = require "parley.ops.log"
local sim = require "parley.sim.telegram"
local sweep = require "parley.blobs.sweep"

local MAIN = [[
local p = parley.plugin()
local function told(c, file, err)
  c:reply(file and (file.type .. ' ' .. file.size .. ' ' .. file.name) or err.code .. ': ' .. err.message)
end
p.on.command('report', function(c, text)
  local file = assert(c.files:put(text ~= '' and text or 'a,b\n1,2\n', { name = 'report.csv' }))
  c:reply { document = { file = file.id }, text = 'Your **report**', format = 'markdown', buttons = { { { text = 'More' } } } }
end)
p.on.command('put', function(c, size) told(c, c.files:put(('x'):rep(tonumber(size)), { name = 'x.txt' })) end)
p.on.command('gone', function(c)
  local file = c.files:put 'soon gone'
  c.files:delete(file.id)
  c:reply { document = { file = file.id } }
  c:reply 'after it'
end)
p.on.command('other', function(c, id) told(c, c.files:info(id)) end)
p.on.command('album', function(c)
  local one, two = c.files:put('\137PNG\r\n\26\n one'), c.files:put('\137PNG\r\n\26\n two')
  c:reply { album = { { photo = { url = 'https://x.example/3.png' } }, { photo = { file = one.id }, text = '*second*',
    format = 'markdown' }, { photo = { file = two.id } } }, text = 'Three', buttons = { { { text = 'Good' } } } }
  c:reply { album = { { photo = { file = one.id } }, { photo = { file = two.id } } }, text = 'Two' }
end)
p.on.command('poll', function(c)
  c:reply { poll = { question = 'Tea?', options = { 'yes', 'no' }, anonymous = false } }
end)
p.on.command('edit', function(c, text) c:edit('2', { text = text, buttons = { { { text = 'Same' } } } }) end)
p.on.any(function(c)
  local file, err = c:download(c.message.payload)
  if not file then return told(c, nil, err) end
  told(c, file)
  c:reply(c.files:read(file.id, 0, 40))
  c:reply { document = { file = file.id } }
end)
return p
]]

local COMMANDS = json.array()
for _, name in ipairs { "report", "put", "gone", "other", "album", "poll", "edit" } do
  COMMANDS[#COMMANDS + 1] = { name = name }
end

describe("files of Telegram", function()
  local s, h, bot, ann
  local function start(config)
    h = host.start {
      plugins = { talk = { main = MAIN, manifest = { commands = COMMANDS, permissions = { "files" } } } },
      config = ([[return {
        telegram = { token = %q, api = %q, limits = { paced = false } }, fallback_plugin = 'talk', files = { %s },
      }]])
        :format(bot.token, s:url(), config or ""),
    }
  end
  before_each(function()
    s = assert(sim.start { limits = false })
    bot = s.world:add_bot { username = "shop_bot" }
    ann = s.world:add_user { first_name = "Ann" }
  end)
  after_each(function()
    h:stop()
    s:close()
  end)

  local function write(text, more)
    local given = { bot = "shop_bot", user = ann.id, text = text }
    for key, value in pairs(more or {}) do given[key] = value end
    assert(s:act("send", given))
  end
  local function answers(n)
    local out
    eventually(n .. " answers", function()
      out = {}
      for _, m in ipairs(s:view("messages", { bot = "shop_bot", chat = tostring(ann.id) }).messages) do
        if m.from == bot.user then out[#out + 1] = m end
      end
      return #out >= n
    end)
    return out
  end
  local function calls(method)
    local out = {}
    for _, call in ipairs(s.calls) do
      if call.method == method then out[#out + 1] = call end
    end
    return out
  end

  it("go up once, and are known from then on", function()
    start()
    write "/report"
    local message = answers(1)[1]
    assert.same({ "report.csv", "text/csv" }, { message.document.file_name, message.document.mime_type })
    assert.equal("a,b\n1,2\n", s.world.files[message.document.file_id].content)
    assert.equal("Your report", message.caption)
    assert.same({ { type = "bold", offset = 5, length = 6 } }, message.caption_entities)
    assert.equal("More", message.reply_markup.inline_keyboard[1][1].text)
    eventually("it is noted", function() return h.core.db:first "SELECT file_id FROM blob_files" end)
    write "/report"
    assert.equal(message.document.file_id, answers(2)[2].document.file_id)
    assert.equal("attach://file1", calls("sendDocument")[1].params.document)
    assert.equal(message.document.file_id, calls("sendDocument")[2].params.document)
    assert.equal(2, h.core.db:first("SELECT count(*) AS n FROM blobs").n)
  end)

  it("go up again when Telegram has forgotten them", function()
    start()
    write "/report"
    local first = answers(1)[1].document.file_id
    eventually("it is noted", function() return h.core.db:first "SELECT file_id FROM blob_files" end)
    s.world.files[first] = nil
    write "/report"
    local again = answers(2)[2].document.file_id
    assert.are_not.equal(first, again)
    assert.equal("a,b\n1,2\n", s.world.files[again].content)
  end)

  it("go up again when the upload has failed", function()
    start()
    s:act("faults", { kind = "status", status = 502, method = "sendDocument" })
    write "/report"
    assert.equal("report.csv", answers(1)[1].document.file_name)
  end)

  it("that are gone stop nothing else", function()
    start()
    write "/gone"
    assert.equal("after it", answers(1)[1].text)
    local letter = h.core.db:first "SELECT error FROM dead_letters"
    assert.matches("not kept any more", json.decode(letter.error).message)
  end)

  it("go as albums, their text with the buttons behind them", function()
    start()
    write "/album"
    local got = answers(6)
    assert.equal(got[1].media_group_id, got[3].media_group_id)
    assert.same({ "second", "Three", "Good" }, { got[2].caption, got[4].text, got[4].reply_markup.inline_keyboard[1][1].text })
    assert.equal("\137PNG\r\n\26\n one", s.world.files[got[2].photo[1].file_id].content)
    assert.equal("\137PNG\r\n\26\n two", s.world.files[got[3].photo[1].file_id].content)
    assert.equal("Two", got[5].caption)
    -- Known from then on.
    assert.same({ got[2].photo[1].file_id, got[3].photo[1].file_id }, { got[5].photo[1].file_id, got[6].photo[1].file_id })
  end)

  it("come to the disk, are read in pieces, and go back without an upload", function()
    start()
    write(nil, { document = { content = "%PDF-" .. ("1"):rep(300000), file_name = "a.pdf" } })
    local got = answers(3)
    assert.same({ "application/pdf 300005 a.pdf", "%PDF-" .. ("1"):rep(35) }, { got[1].text, got[2].text })
    assert.matches("^SIM%-FILE", calls("sendDocument")[1].params.document)
    local blob = h.core.db:first "SELECT * FROM blobs"
    assert.equal("%PDF-" .. ("1"):rep(300000), fs.read(h.core.blobs:path(blob.hash)))
  end)

  it("go on where the connection broke", function()
    start()
    s:act("faults", { kind = "truncated", method = "file", times = 2 })
    local content = ("0123456789"):rep(20000)
    write(nil, { document = { content = content, file_name = "a.txt" } })
    assert.equal("text/plain 200000 a.txt", answers(1)[1].text)
    assert.same({ "bytes=100000-", "bytes=150000-" }, { calls("file")[2].params.range, calls("file")[3].params.range })
    assert.equal(content, fs.read(h.core.blobs:path(h.core.db:first("SELECT hash FROM blobs").hash)))
  end)

  it("are refused by size, type, and room, each with its reason", function()
    start "max_mb = 0.1, user_mb = 0.15, types = { 'text/*', 'image/png' }"
    write(nil, { document = { content = ("x"):rep(200000), file_name = "a.txt" } })
    assert.matches("^too_large: .*files.max_mb", answers(1)[1].text)
    write(nil, { document = { content = "%PDF-1", file_name = "a.txt" } })
    assert.matches("^type: files of the type 'application/pdf'", answers(2)[2].text)
    write "/put 100000"
    assert.equal("text/plain 100000 x.txt", answers(3)[3].text)
    write "/put 100000"
    assert.matches("^quota: .*files.user_mb", answers(4)[4].text)
    write(nil, { document = { content = "x", file_size = 30 * 1024 * 1024, file_name = "a.txt" } })
    assert.matches("^too_large", answers(5)[5].text)
    -- What was begun is gone, too.
    for _, name in ipairs(fs.list(h.core.blobs.folder)) do assert.is_nil((name:find "^%.new")) end
  end)

  it("never show the token", function()
    local lines, written = {}, log.write
    finally(function() log.write = written end)
    log.write = function(...) lines[#lines + 1] = json.encode { ... } end
    start()
    s:act("faults", { kind = "status", status = 404, method = "file" })
    write(nil, { document = { content = "x", file_name = "a.txt" } })
    assert.equal("not_found: download: Telegram answers 404", answers(1)[1].text)
    s:act("faults", { kind = "reset", method = "file", times = 0 })
    write(nil, { document = { content = "x", file_name = "a.txt" } })
    assert.matches("^connection: ", answers(2)[2].text)
    local all = table.concat(lines) .. answers(2)[2].text .. answers(2)[1].text
    assert.is_nil(all:find(bot.token, 1, true))
  end)

  it("of others cannot be looked into", function()
    start()
    local other = assert(h.core.blobs:put("secret", { plugin = "other" }, {}))
    write("/other " .. other.id)
    assert.matches("^not_found", answers(1)[1].text)
  end)

  it("go with their time, their bytes when nobody names them", function()
    start()
    local one = assert(h.core.blobs:put("one", { plugin = "talk" }, { ttl = 0.001 }))
    local two = assert(h.core.blobs:put("two", { plugin = "talk" }, {}))
    eventually("its time is over", function() return not h.core.blobs:get(one.id) end)
    local folder = h.core.blobs.folder
    assert(fs.write(folder .. "/.new.left", "x"))
    for _, path in ipairs { h.core.blobs:path(one.hash), h.core.blobs:path(two.hash), folder .. "/.new.left" } do
      os.execute(("touch -d '2 hours ago' '%s'"):format(path))
    end
    assert.equal(2, sweep.once(h.core.blobs))
    assert.is_false(fs.exists(h.core.blobs:path(one.hash)))
    assert.is_true(fs.exists(h.core.blobs:path(two.hash)))
    assert.is_false(fs.exists(folder .. "/.new.left"))
  end)

  it("are beside polls, which are messages, too", function()
    start()
    write "/poll"
    local poll = answers(1)[1].poll
    assert.same({ "Tea?", "yes" }, { poll.question, poll.options[1].text })
  end)
end)

describe("an edit", function()
  it("that changes nothing is not sent", function()
    local s = assert(sim.start { limits = false })
    local bot, ann = s.world:add_bot { username = "shop_bot" }, s.world:add_user {}
    local h = host.start {
      plugins = { talk = { main = MAIN, manifest = { commands = COMMANDS, permissions = { "files" } } } },
      config = ("return { telegram = { token = %q, api = %q, limits = { paced = false } }, fallback_plugin = 'talk' }")
        :format(bot.token, s:url()),
    }
    finally(function()
      h:stop()
      s:close()
    end)
    for i, text in ipairs { "/put 3", "/edit Once", "/edit Once", "/edit Twice", "/edit Twice" } do
      s:act("send", { bot = "shop_bot", user = ann.id, text = text })
      eventually("it is sent", function()
        return h.core.db:first("SELECT count(*) AS n FROM outbox WHERE state = 'sent'").n == i
      end)
    end
    assert.same({ 2, nil }, { s.counts["editMessageText 200"], s.counts["editMessageText 400"] })
  end)
end)
