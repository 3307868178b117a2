-- Triggers: what is done when something happens, as data.
--
-- Every event of the audit can set one off; one worker of all instances carries them out, within a
-- second. `parley reload` takes changes up; a mistake keeps the old ones and is reported with its
-- line. env(), secret() and include() may be called here, as in parley.lua.
--
--   {
--     id = "TR-100",                            -- stands in the audit, in messages and reasons
--     event = "plugin_timeout",                 -- a name, a pattern like "plugin_*", or a list
--     severity = "error",                       -- at least; may be left out
--     when = { source = "shop", details = { code = { "connect", "timeout" } } },  -- all must hold
--     window = { count = 5, seconds = 60, by = "source" },  -- the fifth within a minute, of each
--     pause_seconds = 600,                      -- then it is quiet for a while   source, or "all"
--     text = { en = "{source} is slow: {message}", uk = "..." },  -- for people
--     act = {                                   -- in one transaction
--       { notify = "admins" },                  -- a message in their dialogs, a line in the log
--       { disable = "source" },                 -- the plugin that the event is about, or a name
--       { enable = "backup_shop" },
--       { mode = "degraded" },                  -- Redis out of use, or "normal" again
--       { emit = "shop_is_down", severity = "critical" },
--       { webhook = "https://ops.example.org/hook", secret = secret "OPS_WEBHOOK_SECRET" },
--     },
--   },

return {
  {
    id = "TR-004",
    event = "plugin_failed", severity = "critical",
    pause_seconds = 60,
    text = {
      en = "Security: the plugin {source} has failed critically: {message} (trace_id {trace_id})",
      ru = "Безопасность: критический сбой плагина {source}: {message} (trace_id {trace_id})",
      uk = "Безпека: критичний збій плагіна {source}: {message} (trace_id {trace_id})",
    },
    act = { { emit = "security_alert", severity = "critical" }, { notify = "admins" } },
  },
  {
    id = "TR-008",
    event = "plugin_failed", severity = "critical",
    act = { { disable = "source" } },
  },
  {
    id = "TR-009",
    event = "mode_changed", when = { source = "redis", details = { mode = "degraded" } },
    window = { by = "all" },
    pause_seconds = 60,
    text = {
      en = "Redis is away ({reason}): Parley works in degraded mode, the database stands in.",
      ru = "Redis недоступен ({reason}): режим degraded, его заменяет база данных.",
      uk = "Redis недоступний ({reason}): режим degraded, його заміняє база даних.",
    },
    act = { { notify = "admins" } },
  },
}
