// Fetches and builds the peers, once for each lock file or go.sum, into a cache outside the tree.
import crypto from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const HERE = path.dirname(fileURLToPath(import.meta.url))
export const TARGETS = [
  ...['pds20', 'pds22', 'clients', 'jetstream', 'jetstream2', 'relay', 'collectiondir'],
  'versitygw',
  'cassandra',
  'chromium',
]

const home = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache')
const CACHE = process.env.PEERS_CACHE || path.join(home, 'plyr-peers')
const GO = {
  jetstream: ['jetstream', 'github.com/bluesky-social/jetstream/cmd/jetstream', '0'],
  jetstream2: ['jetstream2', 'github.com/bluesky-social/jetstream/cmd/jetstream', '0'],
  // SQLite is C.
  relay: ['indigo', 'github.com/bluesky-social/indigo/cmd/relay', '1'],
  collectiondir: ['indigo', 'github.com/bluesky-social/indigo/cmd/collectiondir', '0'],
  versitygw: ['versitygw', 'github.com/versity/versitygw/cmd/versitygw', '0'],
}
const major = Number(process.versions.node.split('.')[0])

const say = (text) => process.stderr.write(`peers: ${text}\n`)
const isInstalled = (folder) => fs.existsSync(path.join(folder, '.ok'))

function hash(...files) {
  const digest = crypto.createHash('sha256')
  for (const file of files) digest.update(fs.readFileSync(file))
  return digest.digest('hex').slice(0, 12)
}

const needsNode22 = (name) => name === 'pds22' || name === 'clients'

function npmFolder(name) {
  const key = hash(path.join(HERE, 'locks', name, 'package-lock.json'))
  const node = needsNode22(name) && major < 22 ? 22 : major
  return path.join(CACHE, `npm-${name}-${key}${name === 'node22' ? '' : `-node${node}`}`)
}

function goFolder(name) {
  const folder = path.join(HERE, 'go', GO[name][0])
  const key = hash(path.join(folder, 'go.mod'), path.join(folder, 'go.sum'))
  return path.join(CACHE, `go-${name}-${key}`)
}

/** The Node that a target runs on: this one, or Node 22 as an npm package. */
export function nodeFor(name) {
  if (!needsNode22(name) || major >= 22) return process.execPath
  const folder = path.join(npmFolder('node22'), 'node_modules', `node-linux-${process.arch}`)
  return path.join(folder, 'bin', 'node')
}

export const npmRoot = (name) => npmFolder(name)
export const goBinary = (name) => path.join(goFolder(name), name)

function run(command, args, options) {
  const done = spawnSync(command, args, { stdio: ['ignore', 2, 2], ...options })
  if (done.status === 0) return
  say(`${command} ${args.join(' ')} failed: ${done.error?.message ?? `exit ${done.status}`}`)
  process.exit(1)
}

function buildGo(name, folder) {
  const [module, target, cgo] = GO[name]
  for (const file of ['go.mod', 'go.sum']) {
    fs.copyFileSync(path.join(HERE, 'go', module, file), path.join(folder, file))
  }
  const flags = ['-mod=readonly', '-trimpath', '-ldflags=-s -w']
  const environment = { GOFLAGS: '-buildvcs=false', GOTOOLCHAIN: 'local', CGO_ENABLED: cgo }
  run('go', ['build', ...flags, '-o', path.join(folder, name), target], {
    cwd: folder,
    env: { ...process.env, ...environment },
  })
}

function fetchNpm(name, folder) {
  for (const file of ['package.json', 'package-lock.json']) {
    fs.copyFileSync(path.join(HERE, 'locks', name, file), path.join(folder, file))
  }
  const env = { ...process.env }
  const flags = ['--no-audit', '--no-fund', '--loglevel=error']
  if (name === 'node22') {
    flags.push('--ignore-scripts')
  } else {
    // better-sqlite3 is compiled against the headers of the Node that will run it.
    const node = path.dirname(path.dirname(nodeFor(name)))
    env.PATH = `${path.join(node, 'bin')}:${env.PATH}`
    if (fs.existsSync(path.join(node, 'include/node/node.h'))) env.npm_config_nodedir = node
  }
  run('npm', ['ci', ...flags], { cwd: folder, env })
}

/** The system's own, by its packages: browsers aren't to be had any other way everywhere. */
function installBrowser() {
  const paths = (process.env.PATH ?? '').split(':')
  if (paths.some((folder) => fs.existsSync(path.join(folder, 'chromium')))) return
  if (process.getuid?.() !== 0 || !fs.existsSync('/usr/bin/apt-get')) {
    say('chromium is not installed: `apt install chromium` or the like; tests without it are skipped')
    return
  }
  say('installing chromium; this is done once')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const packages = ['chromium', 'fonts-liberation']
  const flags = ['install', '--yes', '--no-install-recommends']
  const done = spawnSync('apt-get', [...flags, ...packages], { stdio: ['ignore', 2, 2], env })
  if (done.status === 0) return
  run('apt-get', ['update'], { env })
  run('apt-get', [...flags, ...packages], { env })
}

export function install(name) {
  if (name !== 'node22' && !TARGETS.includes(name)) {
    say(`there is no ${name} to install; there are ${TARGETS.join(', ')}`)
    process.exit(1)
  }
  if (name === 'cassandra') {
    // It has a starter of its own, which keeps its jars in the same cache.
    run('bash', [path.join(HERE, 'cassandra', 'cassandra.sh'), 'install'], {
      env: { ...process.env, PEERS_CACHE: CACHE },
    })
    return
  }
  if (name === 'chromium') {
    installBrowser()
    return
  }
  if (needsNode22(name) && major < 22) install('node22')
  const folder = name in GO ? goFolder(name) : npmFolder(name)
  if (isInstalled(folder)) return
  say(`installing ${name}; this is done once`)
  const draft = `${folder}.partial-${process.pid}`
  fs.rmSync(draft, { recursive: true, force: true })
  fs.mkdirSync(draft, { recursive: true })
  if (name in GO) buildGo(name, draft)
  else fetchNpm(name, draft)
  fs.writeFileSync(path.join(draft, '.ok'), new Date().toISOString())
  try {
    fs.renameSync(draft, folder)
  } catch (problem) {
    // Somebody else was faster.
    if (!isInstalled(folder)) throw problem
    fs.rmSync(draft, { recursive: true })
  }
  say(`installed ${name} in ${folder}`)
}
