-- Rules: where a message goes, before any model or plugin is asked.
--
-- This file is evaluated alone: it can read the message and nothing else, and has no way to reach
-- the network, files or the database. `parley reload` takes changes up; a mistake keeps the old
-- rules and is reported with its line.
--
-- A rule is a table or a function, asked from top to bottom:
--
--   {
--     name = "opening_hours",              -- for logs; may be left out
--     match = {                            -- all must hold; a list means any of its texts
--       text = { "^hours", "^години" },    -- Lua patterns; also: contains (plain text), command,
--       channel = "telegram",              -- type, channel, locale ("uk" includes uk-UA), role,
--     },                                   -- state (of the conversation), user, dialog
--     unless = { role = "admin" },         -- and these must not all hold
--     route = { plugin = "faq" },          -- plugin | intent | reply | drop, and locale, tags
--   },
--
--   function(m)                            -- m: text, type, payload, channel, locale, role, state,
--     if #(m.text or "") > 4000 then       -- user, dialog; return a route, or nothing
--       return { reply = "Shorter, please.", tags = { "long" } }
--     end
--   end,
--
-- The first rule that gives a plugin, an intent, a reply or drop = true ends it; locale and tags
-- are collected on the way.

return {
}
