local p = parley.plugin()

local ORDERS = "https://shop.example/orders"

p.on.command("web", function(c, what)
  local id = what:match "^%d+$"
  local auth = { auth = c.secret.shop }
  local r, err
  if id then
    r, err = c.http:get(ORDERS .. "/" .. id, auth)
  elseif what:find "^cancel" then
    r, err = c.http:delete(ORDERS .. "/" .. what:match "%d+", auth)
  elseif what:find "^paid" then
    r, err = c.http:patch(ORDERS .. "/" .. what:match "%d+", { state = "paid" }, auth)
  elseif what:find "^again" then
    r, err = c.http:put(ORDERS .. "/" .. what:match "%d+", { state = "new" }, auth)
  elseif what == "ping" then
    r, err = c.http:request { url = ORDERS, method = "HEAD", timeout = 2 }
  else
    r, err = c.http:post(ORDERS, { what = what, key = parley.uuid() }, auth)
  end
  if not r then return c:reply("The shop does not answer: " .. err.code) end
  c:reply(r.ok and r.json and r.json.state or "status " .. r.status)
end)

return p
