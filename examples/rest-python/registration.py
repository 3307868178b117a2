"""Registers a plugin with Parley, and tells it again and again that the plugin is alive."""
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request

PATIENCE = 60  # seconds between two attempts, at most


class Registration:
    """`url` is Parley's, `registry_key` a token of the kind reg. What Parley gives - the plugin's own token and
    the signing secret - is shown only once: it is kept in the file `path`, which only its owner may read.
    """

    def __init__(self, url, registry_key, manifest, path):
        self.api = url.rstrip("/") + "/api/v1/plugins/"
        self.registry_key, self.manifest, self.path = registry_key, manifest, path
        self.given = {}

    def post(self, path, header, token, document):
        request = urllib.request.Request(self.api + path, data=json.dumps(document).encode(), headers={
            "Content-Type": "application/json", header: token,
        })
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def register(self):
        """Registers, and returns the signing secret."""
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.given = json.load(file)
        answer = self.post("register", "X-API-Key", self.registry_key, {"manifest": self.manifest})
        # The same manifest again is no new registration: what was given before stays as it is.
        self.given.update({name: value for name, value in answer.items() if value is not None})
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self.given, file)
        return self.given["signing_secret"]

    def heartbeat(self, inflight):
        self.post(self.given["plugin_id"] + "/heartbeat", "X-Plugin-Token", self.given["token"], {
            "status": "ok", "version": self.manifest["version"], "inflight": inflight,
        })

    def run(self, use_secret, inflight):
        """For ever: registers, hands the secret to use_secret(secret), sends heartbeats. When Parley is away it
        tries again; when Parley does not know the plugin any more (401, 404) it registers anew."""
        pause, registered = 1, False
        while True:
            try:
                if not registered:
                    use_secret(self.register())
                    registered = True
                    print("plugin: registered as", self.given["plugin_id"], file=sys.stderr)
                self.heartbeat(inflight())
                pause = 1
                time.sleep(self.given["heartbeat_interval_sec"])
            except (OSError, KeyError, ValueError) as problem:  # urllib's errors are OSErrors
                detail = problem.read(500) if isinstance(problem, urllib.error.HTTPError) else problem
                print("plugin: Parley:", problem, detail, file=sys.stderr)
                if isinstance(problem, urllib.error.HTTPError) and problem.code in (401, 404):
                    registered = False
                time.sleep(pause)
                pause = min(2 * pause, PATIENCE)

    def start(self, use_secret, inflight):
        threading.Thread(target=self.run, args=(use_secret, inflight), daemon=True).start()
