-- What the doctor of bots says, in English. {x} is put in; keys that end with _do say what to do.

return {
  said = "{said}",
  again_do = "try again in a while",

  record_active = "active, by {transport}",
  record_paused = "the bot is paused: it neither gets nor sends anything",
  resume_do = "parley bot resume {name}",
  wrong_secret_key = "the token was stored under another secret_key",
  wrong_secret_key_do = "give this host the secret_key of the host that has added the bot, or "
    .. "give the bot its token again: {giving}",
  damaged = "the token cannot be read from the database",
  damaged_do = "give it again: {giving}",

  api_good = "{url} answers",
  api_dns = "the name {host} is not found: {said}",
  api_dns_do = "see to the DNS of this machine (/etc/resolv.conf), or to PARLEY_TELEGRAM_API",
  api_away = "{url} cannot be reached ({code}): {said}",
  api_connect_do = "a firewall, or no way to the internet from this machine: try curl -v {url}",
  api_tls_do = "a proxy that breaks TLS open, certificates that are out of date "
    .. "(ca-certificates), or a clock that is wrong: try curl -v {url}",
  api_timeout_do = "the connection stands and nothing comes: try curl -v {url}",

  token_good = "it is that of @{username} ({id})",
  token_renamed = "the bot is stored as @{stored}: commands of groups are not recognised",
  token_renamed_do = "give it its token again: {giving}",
  unauthorized_do = "Telegram does not know the token of this bot: it was revoked, or has a "
    .. "mistake. @BotFather shows the one that is good (/mybots); give it to the host: {giving}",
  giving = "parley bot token {name}",
  giving_main = "parley bot token {name}, and in TELEGRAM_BOT_TOKEN where that is set",

  webhook_none_good = "none is set",
  webhook_good = "{url}",
  webhook_set = "a webhook is set ({url}) while the host is to poll: it gets 409",
  webhook_set_do = "parley bot delete-webhook {name} polls; parley bot set-webhook {name} has it "
    .. "bring updates here",
  webhook_none = "no webhook is set: no updates come",
  webhook_none_do = "parley bot set-webhook {name}, or delete-webhook to poll",
  webhook_elsewhere = "the webhook leads elsewhere: {url}",
  webhook_elsewhere_do = "somebody else has set it: parley bot set-webhook {name}",
  webhook_paused = "Telegram is told to come again, since the bot is paused: {said}",
  failure = "the last failure, {ago} s ago: {said}",

  failure_custom_do = "Telegram trusts only the certificate that it was given with the webhook, "
    .. "and the address has another one: give it that: parley bot set-webhook {name} "
    .. "--certificate FILE",
  failure_certificate_do = "the certificate of the address is not one that Telegram trusts: "
    .. "renew it, serve it with its whole chain (fullchain.pem), or give a self-signed one along "
    .. "(parley bot set-webhook {name} --url URL --certificate FILE)",
  failure_tls_do = "TLS fails at the address: see to its certificate, with all of its chain",
  failure_dns_do = "the name in the address is not found in the DNS: make a record for it, or "
    .. "set the webhook to the right name (parley bot set-webhook {name} --url URL)",
  failure_refused_do = "nothing listens at the address: see to the proxy in front, and to its "
    .. "port",
  failure_timeout_do = "the address is not reached, or the host answers too slowly: see to the "
    .. "firewall and the proxy in front",
  failure_401_do = "somebody in front asks for a password, or the secret is another one: parley "
    .. "bot set-webhook {name} sets it anew",
  failure_403_do = "somebody in front refuses Telegram: let its requests through",
  failure_404_do = "the address leads elsewhere: the path is to be /tg/webhook/NAME of this host",
  failure_405_do = "somebody in front takes no POST: forward it to this host as it is",
  failure_413_do = "the proxy in front takes no bodies as large as an update: let it take 2 MB",
  failure_30x_do = "the address redirects, which Telegram does not follow: set the webhook to "
    .. "where it leads (parley bot set-webhook {name} --url URL)",
  failure_50x_do = "the proxy in front does not reach the host, or the host cannot store "
    .. "updates: see its log",
  failure_other_do = "see the log of the proxy in front, and of the host",

  address_good = "the address leads to a host of Parley, as seen from here",
  address_dns = "the name {host} of the webhook is not found: {said}",
  address_dns_do = "make a record (A, AAAA) for {host} with the public address of this host, or "
    .. "set the webhook to the right name: parley bot set-webhook {name} --url URL",
  address_connect = "nobody answers at the address of the webhook: {said}",
  address_connect_do = "see that the host (https_listen) or the proxy in front runs, and listens "
    .. "on that port; only when a router keeps this machine from its own public address is it "
    .. "well",
  address_timeout = "nothing comes from the address of the webhook: {said}",
  address_timeout_do = "see to the firewall and the proxy in front; a router may keep this "
    .. "machine from its own public address, too",
  address_ended = "the certificate at the address of the webhook has ended: {said}",
  address_ended_do = "renew it, and put the new one where tls.certificate, or the proxy in "
    .. "front, reads it (parley reload); a self-signed one is given to Telegram, too: "
    .. "set-webhook --certificate",
  address_name = "the certificate at the address of the webhook is for another name: {said}",
  address_name_do = "get one for {host}, or set the webhook to the name that it is for: parley "
    .. "bot set-webhook {name} --url URL",
  address_trust = "nobody trusts the certificate at the address of the webhook: {said}",
  address_trust_do = "serve it with its whole chain (fullchain.pem); when it is self-signed, "
    .. "give it to Telegram: parley bot set-webhook {name} --url URL --certificate FILE",
  address_unknown = "whether Telegram trusts the certificate there is not to be seen from here: "
    .. "it trusts only the one that it was given with the webhook",
  address_unknown_do = "when that was renewed since: parley bot set-webhook {name} --url URL "
    .. "--certificate FILE",
  address_tls = "TLS fails at the address of the webhook: {said}",
  address_tls_do = "what listens there is to speak TLS 1.2 or 1.3: https_listen of the host, or "
    .. "the proxy in front; see that the port is not that of plain HTTP",
  address_other = "somebody else answers at the address of the webhook (status {status})",
  address_other_do = "the proxy in front is to forward /tg/webhook/ to this host as it is",

  updates_one = "1 update waits",
  updates_few = "{n} updates wait",
  updates_many = "{n} updates wait at Telegram, which keeps them for a day",
  updates_paused_do = "they come when the bot is resumed: parley bot resume {name}",
  updates_many_do = "when they do not become fewer: parley status says whether a host runs, and "
    .. "how many messages it has before it; its log says what fails",
  conflict = "somebody else gets the updates of this bot: {said}",
  conflict_do = "stop the other program, or give the bot another token (/revoke at @BotFather), "
    .. "which only this host then knows: {giving}. Hosts of yours share a bot by sharing a "
    .. "database (PostgreSQL)",

  worker_good = "{owner} works for it",
  worker_none = "no host runs on this home",
  worker_none_do = "start it: parley serve",
  worker_lease = "no worker has taken the lease {lease}",
  worker_lease_do = "start a host (parley serve), or wait a few seconds for one that has just "
    .. "started",
  worker_hangs = "the lease of worker {owner} is not renewed: it hangs, or is cut off from the "
    .. "database",
  worker_hangs_do = "another worker takes it over within some seconds; when none does, no host "
    .. "runs: parley serve",
  database_do = "see to the database",

  groups_none = "it may not be added to groups",
  groups_none_do = "/setjoingroups at @BotFather, if it is to",
  groups_privacy = "privacy mode: in groups it gets commands, and replies to it, only",
  groups_privacy_do = "/setprivacy at @BotFather, then add it to the group again, if it is to "
    .. "hear everything",

  files_apart = "instances keep the files of plugins in folders of their own: {machines}",
  files_apart_do = "put data/blobs of all of them on one disk that they share "
    .. "(docs/operate/instances.md)",
}
