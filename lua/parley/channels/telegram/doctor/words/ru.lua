-- What the doctor of bots says, in Russian; en.lua has the keys.

return {
  said = "{said}",
  again_do = "попробуйте ещё раз чуть позже",

  record_active = "работает, способ: {transport}",
  record_paused = "бот на паузе: ничего не получает и не отправляет",
  resume_do = "parley bot resume {name}",
  wrong_secret_key = "токен сохранён под другим secret_key",
  wrong_secret_key_do = "дайте этому серверу secret_key того, на котором бот добавлен, или "
    .. "задайте токен заново: {giving}",
  damaged = "токен не читается из базы данных",
  damaged_do = "задайте его заново: {giving}",

  api_good = "{url} отвечает",
  api_dns = "имя {host} не найдено: {said}",
  api_dns_do = "проверьте DNS этой машины (/etc/resolv.conf) или PARLEY_TELEGRAM_API",
  api_away = "{url} недоступен ({code}): {said}",
  api_connect_do = "мешает межсетевой экран, или у машины нет выхода в интернет: curl -v {url}",
  api_tls_do = "TLS вскрывает прокси, устарели сертификаты (ca-certificates) или неверны часы: "
    .. "curl -v {url}",
  api_timeout_do = "соединение есть, ответа нет: curl -v {url}",

  token_good = "это токен @{username} ({id})",
  token_renamed = "бот записан как @{stored}: команды в группах не распознаются",
  token_renamed_do = "задайте токен заново: {giving}",
  unauthorized_do = "Telegram не знает токена этого бота: он отозван или в нём опечатка. Верный "
    .. "покажет @BotFather (/mybots); задайте его: {giving}",
  giving = "parley bot token {name}",
  giving_main = "parley bot token {name}, и в TELEGRAM_BOT_TOKEN, если он задан",

  webhook_none_good = "не установлен",
  webhook_good = "{url}",
  webhook_set = "установлен вебхук ({url}), а сервер должен опрашивать: он получает 409",
  webhook_set_do = "parley bot delete-webhook {name} — опрашивать; parley bot set-webhook {name} "
    .. "— получать обновления здесь",
  webhook_none = "вебхук не установлен: обновления не приходят",
  webhook_none_do = "parley bot set-webhook {name}; чтобы опрашивать — delete-webhook",
  webhook_elsewhere = "вебхук ведёт не сюда: {url}",
  webhook_elsewhere_do = "его установил кто-то другой: parley bot set-webhook {name}",
  webhook_paused = "Telegram просят прийти позже, потому что бот на паузе: {said}",
  failure = "последняя ошибка, {ago} с назад: {said}",

  failure_custom_do = "Telegram доверяет только тому сертификату, который получил вместе с "
    .. "вебхуком, а по адресу другой. Передайте его: parley bot set-webhook {name} --certificate "
    .. "FILE",
  failure_certificate_do = "Telegram не доверяет сертификату по этому адресу: обновите его, "
    .. "отдавайте всю цепочку (fullchain.pem) или передайте самоподписанный (parley bot "
    .. "set-webhook {name} --url URL --certificate FILE)",
  failure_tls_do = "по адресу не проходит TLS: проверьте сертификат и всю его цепочку",
  failure_dns_do = "имени из адреса нет в DNS: создайте запись или укажите верное имя (parley "
    .. "bot set-webhook {name} --url URL)",
  failure_refused_do = "по адресу никто не слушает: проверьте прокси и его порт",
  failure_timeout_do = "адрес недоступен или сервер отвечает слишком медленно: проверьте "
    .. "межсетевой экран и прокси",
  failure_401_do = "кто-то на пути требует пароль, или секрет другой: parley bot set-webhook "
    .. "{name} установит его заново",
  failure_403_do = "кто-то на пути не пускает Telegram: пропустите его запросы",
  failure_404_do = "адрес ведёт не туда: путь должен быть /tg/webhook/NAME этого сервера",
  failure_405_do = "кто-то на пути не принимает POST: передавайте его сюда как есть",
  failure_413_do = "прокси не принимает тела такого размера: разрешите 2 МБ",
  failure_30x_do = "адрес перенаправляет, а Telegram этому не следует: укажите конечный адрес "
    .. "(parley bot set-webhook {name} --url URL)",
  failure_50x_do = "прокси не достигает сервера, или сервер не может сохранить обновления: "
    .. "смотрите его журнал",
  failure_other_do = "смотрите журналы прокси и сервера",

  address_good = "отсюда видно, что адрес ведёт на сервер Parley",
  address_dns = "имя {host} из адреса вебхука не найдено: {said}",
  address_dns_do = "создайте запись (A, AAAA) для {host} с внешним адресом этого сервера или "
    .. "укажите верное имя: parley bot set-webhook {name} --url URL",
  address_connect = "по адресу вебхука никто не отвечает: {said}",
  address_connect_do = "проверьте, что сервер (https_listen) или прокси запущен и слушает этот "
    .. "порт; всё в порядке, только если маршрутизатор не пускает машину на её же внешний адрес",
  address_timeout = "с адреса вебхука ничего не приходит: {said}",
  address_timeout_do = "проверьте межсетевой экран и прокси; ещё маршрутизатор может не пускать "
    .. "машину на её же внешний адрес",
  address_ended = "срок сертификата по адресу вебхука истёк: {said}",
  address_ended_do = "обновите его и положите туда, откуда его читает tls.certificate или прокси "
    .. "(parley reload); самоподписанный передайте и в Telegram: set-webhook --certificate",
  address_name = "сертификат по адресу вебхука выдан на другое имя: {said}",
  address_name_do = "получите сертификат на {host} или укажите имя, на которое он выдан: parley "
    .. "bot set-webhook {name} --url URL",
  address_trust = "сертификату по адресу вебхука никто не доверяет: {said}",
  address_trust_do = "отдавайте всю цепочку (fullchain.pem); самоподписанный передайте в "
    .. "Telegram: parley bot set-webhook {name} --url URL --certificate FILE",
  address_unknown = "доверяет ли Telegram сертификату по адресу, отсюда не видно: он доверяет "
    .. "только тому, который получил вместе с вебхуком",
  address_unknown_do = "если сертификат с тех пор обновлён: parley bot set-webhook {name} --url "
    .. "URL --certificate FILE",
  address_tls = "по адресу вебхука не проходит TLS: {said}",
  address_tls_do = "там должен быть TLS 1.2 или 1.3: https_listen сервера или прокси; проверьте, "
    .. "что это не порт для простого HTTP",
  address_other = "по адресу вебхука отвечает кто-то другой (статус {status})",
  address_other_do = "прокси должен передавать /tg/webhook/ этому серверу как есть",

  updates_one = "ожидает обновлений: 1",
  updates_few = "ожидает обновлений: {n}",
  updates_many = "в Telegram ожидает обновлений: {n}; хранятся сутки",
  updates_paused_do = "они придут, когда бот продолжит работу: parley bot resume {name}",
  updates_many_do = "если их не становится меньше: parley status скажет, работает ли сервер и "
    .. "сколько сообщений у него впереди; причина — в его журнале",
  conflict = "обновления этого бота получает кто-то другой: {said}",
  conflict_do = "остановите другую программу или дайте боту другой токен (/revoke у @BotFather), "
    .. "известный только этому серверу: {giving}. Ваши серверы делят бота, если у них общая база "
    .. "(PostgreSQL)",

  worker_good = "им занят {owner}",
  worker_none = "на этой папке сервер не запущен",
  worker_none_do = "запустите его: parley serve",
  worker_lease = "ни один процесс не взял аренду {lease}",
  worker_lease_do = "запустите сервер (parley serve) или подождите несколько секунд, если он "
    .. "только что запущен",
  worker_hangs = "процесс {owner} не продлевает аренду: завис или отрезан от базы данных",
  worker_hangs_do = "через несколько секунд её возьмёт другой; если нет — сервер не запущен: "
    .. "parley serve",
  database_do = "проверьте базу данных",

  groups_none = "его нельзя добавлять в группы",
  groups_none_do = "если нужно: /setjoingroups у @BotFather",
  groups_privacy = "режим приватности: в группах он получает только команды и ответы ему",
  groups_privacy_do = "если он должен слышать всё: /setprivacy у @BotFather, затем добавьте его "
    .. "в группу заново",

  files_apart = "серверы хранят файлы плагинов каждый в своей папке: {machines}",
  files_apart_do = "нужна одна папка data/blobs для всех, на общем диске",
}
