// Children that never outlive us: they end on a signal, when our standard input closes, and all
// together when one of them dies.
import fs from 'node:fs'
import path from 'node:path'
import { spawn, spawnSync } from 'node:child_process'

const READY_SECONDS = 300
const STOP_SECONDS = 8

export class Supervisor {
  constructor(state) {
    this.state = state
    this.children = new Set()
    this.ending = false
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => this.end(0))
    process.stdin.on('end', () => this.end(0)).on('error', () => this.end(0))
    process.stdin.resume()
    process.on('uncaughtException', (problem) => this.die(problem.stack))
  }

  start(name, command, args, environment) {
    const log = path.join(this.state, `${name}.log`)
    const out = fs.openSync(log, 'a')
    const env = { ...process.env, ...environment }
    const child = spawn(command, args, { cwd: this.state, env, stdio: ['ignore', out, out] })
    fs.closeSync(out)
    const peer = { name, child, log, stopping: false }
    peer.ended = new Promise((ok) => child.once('exit', ok).once('error', ok))
    peer.ended.then(() => {
      this.children.delete(peer)
      if (!peer.stopping && !this.ending) this.die(`${name} ended:\n${tail(log)}`)
    })
    this.children.add(peer)
    return peer
  }

  /** Waits until a peer answers; anything thrown means: not yet. */
  async ready(peer, test) {
    const until = Date.now() + READY_SECONDS * 1000
    while (Date.now() < until) {
      const answer = await Promise.resolve().then(test).catch(() => null)
      if (answer) return answer
      await new Promise((ok) => setTimeout(ok, 50))
    }
    return this.die(`${peer.name} was not ready in ${READY_SECONDS} s:\n${tail(peer.log)}`)
  }

  named(name) {
    return [...this.children].find((peer) => peer.name === name)
  }

  async stop(peer) {
    peer.stopping = true
    peer.child.kill('SIGTERM')
    peer.child.kill('SIGCONT')
    await peer.ended
  }

  runOnce(command, args) {
    const done = spawnSync(command, args, { stdio: ['ignore', 2, 2] })
    if (done.status !== 0) this.die(`${command} failed`)
  }

  die(message) {
    process.stderr.write(`peers: ${message}\n`)
    this.end(1)
    return new Promise(() => {})
  }

  async end(code) {
    if (this.ending) return
    this.ending = true
    const peers = [...this.children]
    for (const peer of peers) for (const signal of ['SIGTERM', 'SIGCONT']) peer.child.kill(signal)
    const patience = setTimeout(() => {
      for (const peer of this.children) peer.child.kill('SIGKILL')
    }, STOP_SECONDS * 1000)
    await Promise.all(peers.map((peer) => peer.ended))
    clearTimeout(patience)
    if (code === 0) fs.rmSync(this.state, { recursive: true, force: true })
    process.exit(code)
  }
}

function tail(log) {
  return fs.readFileSync(log, 'utf8').split('\n').slice(-15).join('\n')
}
