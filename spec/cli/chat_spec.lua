local fs = require "host.fs"
local json = require "host.json"
local process = require "host.process"
local programs = require "spec.support.process"
local serve = require "spec.support.serve"

describe("parley chat", function()
  local h
  setup(function() h = serve.start() end)
  teardown(function() h:close() end)

  -- The lines go in by a pipe; stdout and stderr come back together.
  local function chat(input, options, env)
    return h:run("chat " .. (options or ""), { input = input, env = env })
  end

  it("sends each line and prints the replies", function()
    local code, out = chat "/echo hello\n\n/echo <b>\27[31mred</b>\n"
    assert.equal(0, code)
    assert.equal("hello\n<b>?[31mred</b>\n", out)
  end)

  it("numbers buttons, and presses them by their number", function()
    local _, out = chat "/faq\n9\n2\n"
    assert.matches("%[2%] Where is my data%?\n", out)
    assert.matches("There is no button 9%.", out)
    assert.matches("\nIn the database of whoever runs this Parley", out)
  end)

  it("sends a number when the answer before has no buttons, for questions that ask for one", function()
    local _, out = chat "/faq\n/echo how many?\n2\n"
    assert.matches("\nhow many%?\n", out)
    assert.is_nil(out:find("In the database", 1, true))
    assert.is_nil(out:find("There is no button", 1, true))
  end)

  it("writes documents", function()
    local _, out = chat("/echo a\n/echo b\n", "-o json")
    local n = 0
    for line in out:gmatch "[^\n]+" do
      n = n + 1
      assert.equal(("ab"):sub(n, n), json.decode(line).text)
    end
    assert.equal(2, n)
  end)

  it("keeps to a dialog", function()
    chat("/remind tea in 5 hours\n", "--dialog mine --user me")
    local _, out = chat("/reminders\n", "--dialog mine --user me")
    assert.matches("^1 reminder:", out)
  end)

  it("speaks the terminal's language", function()
    local _, out = chat("хто ти\n", nil, { LC_ALL = "uk_UA.UTF-8" })
    assert.matches("^Що таке Parley", out)
  end)

  it("says what is wrong and what to do", function()
    local url = "http://127.0.0.1:" .. h.port
    local code, out = chat("/echo x\n", "--token prl_bot_nonsense")
    assert.equal(74, code)
    assert.matches("^parley: the token is not accepted: .* parley token create makes one", out)
    code, out = chat("/echo x\n", "--token prl_bot_nonsense", { LC_ALL = "ru_RU.UTF-8" })
    assert.equal(74, code)
    assert.matches("^parley: токен не принят", out)
    code, out = chat("/echo x\n", "--url http://127.0.0.1:1 --token x")
    assert.equal(74, code)
    assert.matches("http://127.0.0.1:1 cannot be reached: .* parley serve starts one", out)
    code, out = chat("/echo x\n", "--url " .. url)
    assert.equal(64, code)
    assert.matches("another host needs a token of its own", out)
    code, out = chat(("x"):rep(20000) .. "\n")
    assert.equal(74, code)
    assert.matches("^parley: this was refused: ", out)
    code, out = chat("", "--dialog a/b")
    assert.equal(64, code)
    assert.matches("%-%-dialog: 1 to 64 characters", out)
    code, out = chat("", "--url 127.0.0.1:8080")
    assert.equal(64, code)
    assert.matches("%-%-url: http://HOST:PORT or https://... expected, got '127.0.0.1:8080'", out)
    code, out = chat("", "--tokn x")
    assert.equal(64, code)
    assert.matches("unknown option '%-%-tokn'%. Did you mean '%-%-token'", out)
    assert.equal(64, (chat("", "--user a/b")))
    local token = h:make_token "dialogs:read"
    code, out = chat("/echo x\n", "--token " .. token)
    assert.equal(74, code)
    assert.matches("^parley: the token may not do this: it needs the scopes", out)
  end)

  it("shows menus, whose buttons have numbers", function()
    local code, out = chat("/language\n3\n4\n", "--dialog menus --user linguist")
    assert.equal(0, code)
    assert.matches("^Language: English\n  %[1%] ✓ English\n  %[2%] Русский\n  %[3%] Українська\n  %[4%] Done\n"
      .. "Мова: українська\n  %[1%] English\n.-  %[4%] Готово\nThe menu is closed.\n$", out)
  end)

  it("goes on after a mistake, and takes the last message for the result", function()
    local code, out = chat(("x"):rep(20000) .. "\n/echo fine\n")
    assert.equal(0, code)
    assert.matches("\nfine\n$", out)
  end)

  it("takes its token from the environment, for another host too", function()
    local code, out = chat("/echo x\n", "--url http://127.0.0.1:" .. h.port, { PARLEY_TOKEN = h.token })
    assert.equal(0, code, out)
    assert.equal("x\n", out)
  end)

  it("makes a token for itself where there is none, and ends it", function()
    assert(fs.remove(h.home .. "/data/dev-token"))
    local code, out = chat "/echo x\n"
    assert.equal(0, code, out)
    assert.equal("x\n", out)
    local list = json.decode((select(2, h:run "token list -o json")))
    assert.equal("parley chat", list[#list].label)
    assert.equal("revoked", list[#list].state)
    assert(fs.write(h.home .. "/data/dev-token", h.token))
  end)

  it("shows what comes by itself, and nothing from before", function()
    chat("/echo before\n", "--dialog waits --user me")
    local p = assert(process.spawn {
      argv = { programs.EXE, "chat", "--home", h.home, "--dialog", "waits", "--user", "me", "-o", "json" }, stdin = "pipe",
    })
    p:write("/remind tea in 1 second\n", 60)
    local first = json.decode((assert(p:read_line(60))))
    assert.matches("^I will remind you", first.text)
    local second = json.decode((assert(p:read_line(20))))
    assert.equal("⏰ tea", second.actions[1].text)
    assert.is_string(second.id)
    p:close_stdin()
    assert.equal("", p:read(nil, 60))
    assert.same({ code = 0 }, p:wait(60))
  end)

  describe("at a terminal", function()
    local p, seen
    before_each(function()
      seen = ""
      p = assert(process.spawn {
        argv = { "python3", "spec/support/terminal.py", programs.EXE, "chat", "--home", h.home }, stdin = "pipe",
        env = { LC_ALL = "C", NO_COLOR = false },
      })
    end)
    after_each(function() p:close() end)

    -- Reads until `text` is shown, and returns all that has been since the last time.
    local function await(text)
      while not seen:find(text, 1, true) do
        local byte, err = p:read(1, 20)
        assert(byte, ("'%s' was not shown, but: %s"):format(text, seen) .. (err and err.message or ""))
        seen = seen .. byte
      end
      local out = seen
      seen = ""
      return out
    end
    local function say(line) assert(p:write(line .. "\n", 60)) end

    it("shows replies with their trace dimmed, and buttons to press", function()
      await "Write a message; /help says what else there is."
      await "> "
      say "/echo hello"
      assert.matches("hello\r\n\27%[2mplugin echo · [%d.]+ ms, of which [%d.]+ ms in the plugin\27%[0m\r\n> ", await "> ")
      say "/faq"
      assert.matches("  %[1%] What is Parley%?\r\n", await "> ")
      say "7"
      assert.matches("There is no button 7%.", await "> ")
      say "1"
      assert.matches("Parley hosts conversations", await "> ")
    end)

    it("has commands of its own", function()
      await "> "
      say "/trace"
      assert.matches("The trace is hidden%.", await "> ")
      say "/echo quiet"
      assert.equal("quiet\r\n> ", await "> ")
      say "/trace"
      assert.matches("The trace is shown%.", await "> ")
      say "/help"
      assert.matches("A number presses a button%.", await "> ")
      say "/new"
      assert.matches("The conversation starts over%.", await "> ")
      say "/quit"
      assert.equal("blocking", p:read_err_line(10))
      assert.same({ code = 0 }, p:wait(60))
    end)

    it("shows that an answer takes its time", function()
      await "> "
      local worker = h:status().workers[1].pid
      programs.kill(worker, "STOP")
      say "/echo at last"
      assert.matches("^\27%[2m… is typing\27%[0m$", (await "is typing\27[0m"))
      programs.kill(worker, "CONT")
      assert.matches("^\r\27%[Kat last\r\n", (await "> "))
    end)

    it("ends with Ctrl-D", function()
      await "> "
      assert(p:write("\4", 60))
      assert.same({ code = 0 }, p:wait(60))
    end)
  end)
end)
