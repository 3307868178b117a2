-- Parley's settings. Every key may be left out; PARLEY_* variables override what stands here.
-- env(name, default), secret(name) and include(file) are all that may be called.

return {
  profile = env("PARLEY_PROFILE", "dev"),
  http_listen = "127.0.0.1:8080",
  ops_listen = "127.0.0.1:8081",
  locale = "en",
  fallback_plugin = "text_reply",
}
