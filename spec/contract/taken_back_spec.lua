-- A conversation whose version of the plugin was taken back: by its own errors, by an operator who aborts the trial, or by
-- one who goes back to the version before.

local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local json = require "host.json"
local release = require "spec.support.release"

local ADMIN = "/api/v1/admin/plugins/shop"

-- A conversation whose second question tells the version; `first` is asked before.
local function shop(word, first, more)
  return ([[
    local p = parley.plugin()
    p.on.command("shop", function(c) c:enter "order" end)
    p.on.command("hint", function(c) c:reply "hint %s" end)
    p.conversation("order", function(c)
      local name = c:ask "%s"
      if name == "crash" then %s end
      local n = c:ask("%s: how many, " .. name .. "?")
      c:reply("%s: " .. name .. " " .. n)
    end)
    return p]]):format(word, first or "name?", more or "", word, word)
end

local COMMANDS = { { name = "shop", description = "s" }, { name = "hint", description = "h" } }
local AGAIN = "Something has changed here, and we have to begin again. Sorry!"

for _, ring in ipairs { "trusted", "isolated" } do
  describe("a conversation in the " .. ring .. " ring whose version", function()
    local h, admin, inside

    before_each(function()
      h = host.start {
        config = ("return { plugin_ring = '%s', plugins_memory_mb = 1000 }"):format(ring),
        plugins = { shop = { manifest = { version = "1.0.0", commands = COMMANDS }, main = shop "one" } },
      }
      admin = h:client("adm", { "admin" })
      inside = release.dialogs(1, 20, true, 2)
    end)
    after_each(function() h:stop() end)

    local function say(text, dialog) return h:say(dialog or inside[1], text).body.text end
    local function talk(dialog)
      local shop_of = h:request("GET", "/api/v1/dialogs/" .. (dialog or inside[1])).body.dialog.state.shop
      return shop_of and shop_of.__talk
    end
    local function deploy(version, main, percent)
      local r = admin("POST", ADMIN .. "/deployments", {
        files = release.files(version, main, { commands = json.array(COMMANDS) }), share_percent = percent,
      })
      assert.equal(201, r.status, r.text)
    end
    local function serves(version)
      eventually(version .. " for all", function()
        local p = h.core.manager.current.chooser.by_name.shop
        return p.manifest.version == version and not p.canary
      end)
    end
    local function abort() assert.equal(200, admin("POST", ADMIN .. "/deployments/abort", { reason = "it is rude" }).status) end

    it("was rolled back by itself goes on with what serves", function()
      deploy("2.0.0", shop("two", nil, "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e5) .. i end"), 20)
      for _, dialog in ipairs(inside) do
        assert.equal("name?", say("/shop", dialog))
        assert.equal("two: how many, Ann?", say("Ann", dialog))
        say("/shop", dialog)
      end
      h:say(inside[2], "crash") -- its memory is full: that is enough
      serves "1.0.0"
      assert.equal("hint one", say "/hint")
      assert.equal("one: how many, Bob?", say "Bob")
      assert.equal(h.core.manager.current.chooser.by_name.shop.hash, talk().bundle)
      assert.equal("one: Bob 2", say "2")
      assert.is_nil(talk())
      -- That which was in the middle of it is not lost either.
      assert.equal("one: how many, Eve?", say("Eve", inside[2]))
    end)

    it("was rolled back ends, and says so, when what serves comes another way", function()
      deploy("2.0.0", shop("two", "nick?"), 20)
      assert.equal("nick?", say "/shop")
      abort()
      serves "1.0.0"
      assert.equal(AGAIN, say "Ann")
      assert.is_nil(talk())
      assert.equal("name?", say "/shop")
    end)

    it("was aborted by hand goes on with what serves, also from the cache", function()
      deploy("2.0.0", shop "two", 20)
      assert.equal("name?", say "/shop")
      -- Fewer dialogs get it: this one goes on with its code beside the one that serves.
      local outside
      for percent = 19, 1, -1 do
        if #release.dialogs(1, percent, true, 1) == 1 and release.dialogs(1, percent, true, 1)[1] ~= inside[1] then
          outside = percent
          break
        end
      end
      deploy("2.0.0", shop "two", outside)
      assert.equal("two: how many, Ann?", say "Ann")
      abort()
      serves "1.0.0"
      assert.equal(AGAIN, say "3") -- its second question was another one
      assert.is_nil(talk())
    end)

    it("was gone back from by hand goes on with what serves, however far that is", function()
      for i, word in ipairs { "two", "three" } do
        deploy((i + 1) .. ".0.0", shop(word))
        assert.equal("name?", say("/shop", word))
      end
      for _, version in ipairs { "2.0.0", "1.0.0" } do
        assert.equal(version, admin("POST", ADMIN .. "/rollback", {}).body.version)
      end
      for _, word in ipairs { "two", "three" } do
        assert.equal("one: how many, Ann?", say("Ann", word))
      end
    end)

    it("was gone back from, and serves again, goes on with it", function()
      deploy("2.0.0", shop "two")
      assert.equal("name?", say "/shop")
      assert.equal("name?", say("/shop", "e"))
      assert.equal("1.0.0", admin("POST", ADMIN .. "/rollback", {}).body.version)
      assert.equal("one: how many, Ann?", say "Ann")
      deploy("2.0.0", shop "two")
      deploy("3.0.0", shop "three")
      -- Each with the code with which it has come this far.
      assert.equal("two: how many, Bob?", say("Bob", "e"))
      assert.equal("one: Ann 1", say "1")
    end)

    it("was replaced, and not taken back, keeps it", function()
      assert.equal("name?", say "/shop")
      deploy("2.0.0", shop "two")
      assert.equal("one: how many, Ann?", say "Ann")
      assert.equal("one: Ann 2", say "2")
    end)
  end)
end
