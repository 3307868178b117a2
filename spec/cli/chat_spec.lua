local json = require "host.json"
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
    local _, out = chat "/faq\n2\n9\n"
    assert.matches("%[2%] Where is my data%?\n", out)
    assert.matches("\nIn the database of whoever runs this Parley", out)
    assert.matches("There is no button 9%.", out)
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
    local code, out = chat("/echo x\n", "--token prl_bot_nonsense")
    assert.equal(74, code)
    assert.matches("the token is not accepted", out)
    code, out = chat("/echo x\n", "--url http://127.0.0.1:1 --token x")
    assert.equal(74, code)
    assert.matches("http://127.0.0.1:1 cannot be reached", out)
    code, out = chat("", "--dialog a/b")
    assert.equal(64, code)
    assert.matches("%-%-dialog: 1 to 64 characters", out)
    code, out = chat("", "--tokn x")
    assert.equal(64, code)
    assert.matches("unknown option '%-%-tokn'%. Did you mean '%-%-token'", out)
  end)
end)
