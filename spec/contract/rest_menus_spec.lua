-- Menus of REST plugins: the same action, and an event for what their buttons lead to.

local host = require "spec.support.host"
local http_server = require "host.http_server"
local json = require "host.json"
local time = require "host.time"

describe("a menu of a REST plugin", function()
  local server, h, asked
  local function menu(name, args, text, buttons)
    return { type = "menu", name = name, args = args, text = text, buttons = buttons }
  end
  local function answer(request)
    local event, state = request.event, request.dialog.state
    if event.type == "menu" and event.menu.name == "item" then
      return { actions = { menu("item", event.menu.args, event.menu.args.name, { { { text = "Back", back = true } } }) } }
    end
    local n = state.n or 0
    if event.type == "callback" then n = n + event.message.payload.data.add end
    return { state = { n = n }, actions = { menu("main", nil, "Cart: " .. n, { {
      { text = "Add", data = { add = 1 } }, { text = "Tea", menu = "item", args = { name = "tea" } },
      { text = "Lost", menu = "lost" },
    } }) } }
  end
  setup(function()
    server = assert(http_server.listen({ port = 0 }, function(req)
      asked = json.decode(req:body())
      local reply = asked.event.type == "menu" and asked.event.menu.name == "lost"
        and { actions = json.array(), declined = true } or answer(asked)
      req:respond(200, "Content-Type: application/json\r\n", json.encode(reply))
    end))
    h = host.start {
      config = ("return { plugins = { shop = { allow_private = true, signing_secret = %q } } }"):format(
        "whsec_" .. ("c"):rep(44)),
      plugins = { shop = { manifest = {
        transport = "rest", endpoint = "http://127.0.0.1:" .. server:port(),
      } } },
    }
  end)
  teardown(function()
    h:stop()
    server:close()
  end)

  local function press(reply, i)
    local b = reply.actions[1].buttons[1][i]
    time.advance(2)
    local r = h:request("POST", "/api/v1/dialogs/d/messages", {
      user = { external_id = "alice" }, type = "callback", payload = { plugin = b.plugin, data = b.data },
    })
    assert.equal(200, r.status, r.text)
    return r.body
  end

  it("is kept up to date, and asked for by an event", function()
    local cart = h:say("d", "/shop").body
    assert.equal("Cart: 0", cart.text)
    local added = press(cart, 1)
    assert.same({ "Cart: 1", { name = "main", edit = true } }, { added.text, added.actions[1].menu })
    assert.same({ name = "main" }, asked.dialog.menu)
    local tea = press(added, 2)
    assert.same({ type = "menu", name = "item", args = { name = "tea" } },
      { type = asked.event.type, name = asked.event.menu.name, args = asked.event.menu.args })
    assert.equal("tea", tea.text)
    local back = press(tea, 1)
    assert.same({ "main", "Cart: 1" }, { asked.event.menu.name, back.text })
    local late = press(added, 1)
    assert.equal("This menu is out of date.", late.actions[1].text)
    assert.equal("menu", asked.event.type) -- it has heard of no press
    -- A menu that the plugin does not know any more goes.
    assert.same({ { type = "menu", close = true } }, press(back, 3).actions)
  end)
end)
