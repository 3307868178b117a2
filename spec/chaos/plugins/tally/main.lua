-- Counts the messages of a dialog and says which one came before: a turn that is lost, doubled or out of
-- order shows in its answers and in what it remembers. "ring" leaves a job, to be done once.

local p = parley.plugin()

p.on.command("tally", function(c, text)
  local session, n = c.session, text:match "^%d+"
  session.count = (session.count or 0) + 1
  local before = session.last or "none"
  session.last = n
  if text:find "ring" then c:schedule { ["in"] = 0, job = "ring", data = { n = n } } end
  c:reply(("%d after %s"):format(session.count, before))
end)

p.on.job("ring", function(c, data)
  local rung = c.session.rung or {}
  rung[#rung + 1] = data.n
  c.session.rung = rung
end)

return p
