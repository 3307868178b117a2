// Registers a plugin with Parley, and tells it again and again that the plugin is alive.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE = 60_000 // milliseconds between two attempts, at most

export class Registration {
  /**
   * `url` is Parley's, `registryKey` a token of the kind reg. What Parley gives - the plugin's own token and the
   * signing secret - is shown only once: it is kept in the file `path`, which only its owner may read.
   */
  constructor({ url, registryKey, manifest, path }) {
    this.api = url.replace(/\/+$/, '') + '/api/v1/plugins/'
    const given = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
    Object.assign(this, { registryKey, manifest, path, given, registered: false })
  }

  async post(path, header, token, document) {
    const response = await fetch(this.api + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', [header]: token },
      body: JSON.stringify(document),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    if (!response.ok) throw Object.assign(new Error(`status ${response.status}: ${text}`), { status: response.status })
    return JSON.parse(text)
  }

  /**
   * Registers, and returns the signing secret. The same manifest again changes nothing; who has lost what was given
   * asks for another token and secret.
   */
  async register() {
    const rotate = this.given.signing_secret === undefined
    const answer = await this.post('register', 'X-API-Key', this.registryKey, { manifest: this.manifest, rotate })
    Object.assign(this.given, answer)
    writeFileSync(this.path, JSON.stringify(this.given), { mode: 0o600 })
    return this.given.signing_secret
  }

  heartbeat(inflight) {
    const { plugin_id: id, token } = this.given
    return this.post(`${id}/heartbeat`, 'X-Plugin-Token', token, {
      status: 'ok', version: this.manifest.version, inflight,
    })
  }

  /** One heartbeat, after the registration when there was none yet. */
  async beat(useSecret, inflight) {
    if (!this.registered) {
      useSecret(await this.register())
      this.registered = true
      console.error('plugin: registered as', this.given.plugin_id)
    }
    await this.heartbeat(inflight()).catch((refusal) => {
      // Parley does not know the plugin or its token any more.
      if ([401, 403].includes(refusal.status)) Object.assign(this, { given: {}, registered: false })
      throw refusal
    })
  }

  /**
   * For ever: registers, hands the secret to useSecret(secret), sends heartbeats. When that fails it tries again, ever
   * more patiently.
   */
  async run(useSecret, inflight) {
    let pause = 1000
    for (;;) {
      try {
        await this.beat(useSecret, inflight)
        pause = 1000
        await sleep(this.given.heartbeat_interval_sec * 1000)
      } catch (problem) {
        console.error('plugin: Parley:', problem.message, problem.cause?.message ?? '')
        await sleep(pause)
        pause = Math.min(2 * pause, PATIENCE)
      }
    }
  }
}
