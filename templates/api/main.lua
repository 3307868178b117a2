-- NAME asks https://api.example.org. The operator sets the key, in conf/parley.lua:
--   secrets = { NAME = secret "NAME_API_KEY" },

local p = parley.plugin()

p.on.command("NAME", function(c, text)
  local id = text:match "^(%d+)%s*$"
  if not id then return c:reply(c:t "usage") end
  local url = "https://api.example.org/orders/" .. id
  local r, err = c.http:get(url, { auth = c.secret.NAME, timeout = 3 })
  if not r then
    c.log:warn("the orders cannot be asked", { code = err.code })
    return c:reply(c:t "away")
  end
  if r.status == 404 or not r.json then return c:reply(c:t("unknown", { id = id })) end
  c:reply(c:t("status", { id = id, status = tostring(r.json.status) }))
end)

return p
