-- What the doctor of bots says, in Ukrainian; en.lua has the keys.

return {
  said = "{said}",
  again_do = "спробуйте ще раз трохи згодом",

  record_active = "працює, спосіб: {transport}",
  record_paused = "бот на паузі: нічого не отримує й не надсилає",
  resume_do = "parley bot resume {name}",
  wrong_secret_key = "токен збережено під іншим secret_key",
  wrong_secret_key_do = "дайте цьому серверу secret_key того, на якому бота додано, або задайте "
    .. "токен знову: {giving}",
  damaged = "токен не читається з бази даних",
  damaged_do = "задайте його знову: {giving}",

  api_good = "{url} відповідає",
  api_dns = "ім'я {host} не знайдено: {said}",
  api_dns_do = "перевірте DNS цієї машини (/etc/resolv.conf) або PARLEY_TELEGRAM_API",
  api_away = "{url} недоступний ({code}): {said}",
  api_connect_do = "заважає міжмережевий екран, або машина не має виходу в інтернет: curl -v "
    .. "{url}",
  api_tls_do = "TLS розкриває проксі, застаріли сертифікати (ca-certificates) або хибний "
    .. "годинник: curl -v {url}",
  api_timeout_do = "з'єднання є, відповіді немає: curl -v {url}",

  token_good = "це токен @{username} ({id})",
  token_renamed = "бота записано як @{stored}: команди в групах не розпізнаються",
  token_renamed_do = "задайте токен знову: {giving}",
  unauthorized_do = "Telegram не знає токена цього бота: його відкликано або в ньому помилка. "
    .. "Правильний покаже @BotFather (/mybots); задайте його: {giving}",
  giving = "parley bot token {name}",
  giving_main = "parley bot token {name}, і в TELEGRAM_BOT_TOKEN, якщо його задано",

  webhook_none_good = "не встановлено",
  webhook_good = "{url}",
  webhook_set = "встановлено вебхук ({url}), а сервер має опитувати: він отримує 409",
  webhook_set_do = "parley bot delete-webhook {name} — опитувати; parley bot set-webhook {name} "
    .. "— отримувати оновлення тут",
  webhook_none = "вебхук не встановлено: оновлення не надходять",
  webhook_none_do = "parley bot set-webhook {name}; щоб опитувати — delete-webhook",
  webhook_elsewhere = "вебхук веде не сюди: {url}",
  webhook_elsewhere_do = "його встановив хтось інший: parley bot set-webhook {name}",
  webhook_paused = "Telegram просять прийти пізніше, бо бот на паузі: {said}",
  failure = "остання помилка, {ago} с тому: {said}",

  failure_custom_do = "Telegram довіряє лише тому сертифікату, який отримав разом із вебхуком, а "
    .. "за адресою інший. Передайте його: parley bot set-webhook {name} --url URL --certificate "
    .. "FILE",
  failure_certificate_do = "Telegram не довіряє сертифікату за цією адресою: оновіть його, "
    .. "віддавайте весь ланцюжок (fullchain.pem) або передайте самопідписаний (parley bot "
    .. "set-webhook {name} --url URL --certificate FILE)",
  failure_tls_do = "за адресою не проходить TLS: перевірте сертифікат і весь його ланцюжок",
  failure_dns_do = "імені з адреси немає в DNS: створіть запис або вкажіть правильне ім'я "
    .. "(parley bot set-webhook {name} --url URL)",
  failure_refused_do = "за адресою ніхто не слухає: перевірте проксі та його порт",
  failure_timeout_do = "адреса недоступна або сервер відповідає надто повільно: перевірте "
    .. "міжмережевий екран і проксі",
  failure_401_do = "хтось на шляху вимагає пароль, або секрет інший: parley bot set-webhook "
    .. "{name} встановить його знову",
  failure_403_do = "хтось на шляху не пускає Telegram: пропустіть його запити",
  failure_404_do = "адреса веде не туди: шлях має бути /tg/webhook/NAME цього сервера",
  failure_405_do = "хтось на шляху не приймає POST: передавайте його сюди як є",
  failure_413_do = "проксі не приймає тіла такого розміру: дозвольте 2 МБ",
  failure_30x_do = "адреса перенаправляє, а Telegram цього не робить: вкажіть кінцеву адресу "
    .. "(parley bot set-webhook {name} --url URL)",
  failure_50x_do = "проксі не досягає сервера, або сервер не може зберегти оновлення: дивіться "
    .. "його журнал",
  failure_other_do = "дивіться журнали проксі та сервера",

  address_good = "звідси видно, що адреса веде на сервер Parley",
  address_dns = "ім'я {host} з адреси вебхука не знайдено: {said}",
  address_dns_do = "створіть запис (A, AAAA) для {host} із зовнішньою адресою цього сервера або "
    .. "вкажіть правильне ім'я: parley bot set-webhook {name} --url URL",
  address_connect = "за адресою вебхука ніхто не відповідає: {said}",
  address_connect_do = "перевірте, що сервер (https_listen) або проксі запущено і він слухає цей "
    .. "порт; усе гаразд, лише якщо маршрутизатор не пускає машину на її ж зовнішню адресу",
  address_timeout = "з адреси вебхука нічого не надходить: {said}",
  address_timeout_do = "перевірте міжмережевий екран і проксі; ще маршрутизатор може не пускати "
    .. "машину на її ж зовнішню адресу",
  address_ended = "термін сертифіката за адресою вебхука минув: {said}",
  address_ended_do = "оновіть його й покладіть туди, звідки його читає tls.certificate або "
    .. "проксі (parley reload); самопідписаний передайте і в Telegram: set-webhook --certificate",
  address_name = "сертифікат за адресою вебхука видано на інше ім'я: {said}",
  address_name_do = "отримайте сертифікат на {host} або вкажіть ім'я, на яке його видано: parley "
    .. "bot set-webhook {name} --url URL",
  address_trust = "сертифікату за адресою вебхука ніхто не довіряє: {said}",
  address_trust_do = "віддавайте весь ланцюжок (fullchain.pem); самопідписаний передайте в "
    .. "Telegram: parley bot set-webhook {name} --url URL --certificate FILE",
  address_unknown = "чи довіряє Telegram сертифікату за адресою, звідси не видно: він довіряє "
    .. "лише тому, який отримав разом із вебхуком",
  address_unknown_do = "якщо сертифікат відтоді оновлено: parley bot set-webhook {name} --url "
    .. "URL --certificate FILE",
  address_tls = "за адресою вебхука не проходить TLS: {said}",
  address_tls_do = "там має бути TLS 1.2 або 1.3: https_listen сервера або проксі; перевірте, що "
    .. "це не порт для простого HTTP",
  address_other = "за адресою вебхука відповідає хтось інший (статус {status})",
  address_other_do = "проксі має передавати /tg/webhook/ цьому серверу як є",

  updates_one = "очікує оновлень: 1",
  updates_few = "очікує оновлень: {n}",
  updates_many = "у Telegram очікує оновлень: {n}; зберігаються добу",
  updates_paused_do = "вони надійдуть, коли бот продовжить роботу: parley bot resume {name}",
  updates_many_do = "якщо їх не меншає: parley status скаже, чи працює сервер і скільки "
    .. "повідомлень у нього попереду; причина — в його журналі",
  conflict = "оновлення цього бота отримує хтось інший: {said}",
  conflict_do = "зупиніть іншу програму або дайте боту інший токен (/revoke у @BotFather), "
    .. "відомий лише цьому серверу: {giving}. Ваші сервери ділять бота, якщо мають спільну базу "
    .. "(PostgreSQL)",

  worker_good = "ним зайнятий {owner}",
  worker_none = "на цій теці сервер не запущено",
  worker_none_do = "запустіть його: parley serve",
  worker_lease = "жоден процес не взяв оренду {lease}",
  worker_lease_do = "запустіть сервер (parley serve) або зачекайте кілька секунд, якщо його "
    .. "щойно запущено",
  worker_hangs = "процес {owner} не подовжує оренду: завис або відрізаний від бази даних",
  worker_hangs_do = "за кілька секунд її візьме інший; якщо ні — сервер не запущено: parley serve",
  database_do = "перевірте базу даних",

  groups_none = "його не можна додавати до груп",
  groups_none_do = "якщо потрібно: /setjoingroups у @BotFather",
  groups_privacy = "режим приватності: у групах він отримує лише команди та відповіді йому",
  groups_privacy_do = "якщо він має чути все: /setprivacy у @BotFather, потім додайте його до "
    .. "групи знову",

  files_apart = "сервери зберігають файли плагінів кожен у своїй теці: {machines}",
  files_apart_do = "потрібна одна тека data/blobs для всіх, на спільному диску",
}
