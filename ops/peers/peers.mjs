// Starts real AT Protocol peers on loopback, for tests and for people. No npm dependencies.
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import readline from 'node:readline'
import { TARGETS, install, nodeFor, npmRoot, goBinary, HERE } from './install.mjs'
import { Supervisor } from './supervisor.mjs'

const HELP = `Real AT Protocol peers on loopback: the official PDS and PLC directory, Jetstream, relay.

  peers.sh install [NAME …]   fetch and build (${TARGETS.join(', ')}); cached
  peers.sh locate NAME        where npm packages are installed, and the Node they run on, as JSON
  peers.sh up [OPTIONS]       start; prints one line of JSON when everything is ready, and runs
                              until Ctrl-C, or until its standard input closes

  peers.sh s3 [BUCKET …]      an S3 server (versitygw) with those buckets (default: plyr), and no
                              peers; prints and runs as \`up\` does

  --pds20 | --pds22           PDS 0.4 on Node 20 (default), or PDS 0.5 on Node 22
  --pds-count N               how many PDSs (default 1)
  --relay                     a relay over the PDSs
  --jetstream                 Jetstream v1 over the relay, or over the first PDS
  --jetstream2                Jetstream v2 over the same
  --collectiondir             a directory of repos by collection over the relay
  --legacy-documents          the PLC directory answers DID documents of the old shape

While it runs, lines on its standard input steer a Jetstream (\`jetstream\` or \`jetstream2\`) or
the S3 server (\`s3\`), each answered with a line when it is done: \`stop NAME\`, \`start NAME\`
(on the same port), \`pause NAME\`, \`resume NAME\`, \`forget NAME\` (what it holds, while it is stopped).

Installs live in $PEERS_CACHE (default ~/.cache/plyr-peers). Needs Node 20 and npm; Go 1.26 and gcc
for --relay, --jetstream, --jetstream2 and --collectiondir, Go alone for s3; JDK 17 and Maven for
cassandra, which cassandra/cassandra.sh starts.
`

function readOptions(argv) {
  const options = { pds: 'pds20', count: 1, relay: false, legacy: false }
  Object.assign(options, { jetstream: false, jetstream2: false, collectiondir: false })
  for (let i = 0; i < argv.length; i++) {
    const flag = argv[i]
    if (flag === '--pds20' || flag === '--pds22') options.pds = flag.slice(2)
    else if (flag === '--pds-count') options.count = Number(argv[++i])
    else if (flag === '--relay') options.relay = true
    else if (flag === '--jetstream') options.jetstream = true
    else if (flag === '--jetstream2') options.jetstream2 = true
    else if (flag === '--collectiondir') options.collectiondir = true
    else if (flag === '--legacy-documents') options.legacy = true
    else fail(`unknown option ${flag}; \`peers.sh help\` lists them`)
  }
  if (options.collectiondir && !options.relay) fail('--collectiondir needs --relay')
  if (!(options.count >= 1 && options.count <= 8)) fail('--pds-count takes 1 to 8')
  return options
}

function fail(message) {
  process.stderr.write(`peers: ${message}\n`)
  process.exit(1)
}

/** Blocks of ports that no connection is given by chance (Linux gives those from 32768 on): a peer
 * that was stopped finds its own again. */
const PORTS = { first: 15_000, block: 20, blocks: 850 }

/** What listens on a port, or null where it is taken. */
const listen = (port) =>
  new Promise((ok) => {
    const server = net.createServer()
    server.once('error', () => ok(null)).listen(port, '127.0.0.1', () => ok(server))
  })

/** Free ports of a block whose first is held as long as this process lives: whoever else looks for
 * ports goes by it, also while these aren't listened on yet, or no more. */
async function freePorts(count) {
  if (count >= PORTS.block) fail(`${count} ports are more than a block has`)
  for (let tries = 0; tries < 1_000; tries++) {
    const first = PORTS.first + PORTS.block * Math.floor(Math.random() * PORTS.blocks)
    const held = []
    for (let port = first; port <= first + count; port++) held.push(await listen(port))
    const [guard, ...others] = held
    const isFree = held.every(Boolean)
    const closed = (isFree ? others : held).filter(Boolean)
    await Promise.all(closed.map((server) => new Promise((ok) => server.close(ok))))
    if (!isFree) continue
    guard.unref()
    return others.map((_, at) => first + 1 + at)
  }
  return fail('no free ports between 15000 and 32000')
}

const answers = (url) => async () =>
  (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok

async function startNetwork(supervisor, options, ports) {
  const [plcPort, controlPort, ...pdsPorts] = ports
  const out = path.join(supervisor.state, 'network.json')
  const node = nodeFor(options.pds)
  const script = path.join(HERE, 'network.mjs')
  const started = supervisor.start(
    'network',
    node,
    ['--require', path.join(HERE, 'loopback.cjs'), script],
    {
      PEERS_ROOT: npmRoot(options.pds),
      LOG_ENABLED: process.env.LOG_ENABLED ?? 'false',
      OUT: out,
      PLC_PORT: String(plcPort),
      PDS_PORTS: pdsPorts.join(','),
      CTL_PORT: String(controlPort),
      DATA_DIR: path.join(supervisor.state, 'network'),
      ...(options.legacy ? { PLC_DOC: 'legacy' } : {}),
    },
  )
  return supervisor.ready(started, () => JSON.parse(fs.readFileSync(out)))
}

// The relay's crawl check only dials public addresses, so loopback hosts are written into its
// table between a first and a second start.
const ADD_HOSTS = `
  const Database = require(require.resolve('better-sqlite3', { paths: [process.argv[1]] }))
  const database = new Database(process.argv[2])
  const insert = database.prepare(
    "insert or ignore into host (created_at, updated_at, hostname, no_ssl, account_limit, " +
    "trusted, status, last_seq, account_count) " +
    "values (datetime(), datetime(), ?, 1, 100000, 1, 'active', 0, 0)")
  for (const host of process.argv.slice(3)) insert.run(host)`

async function startRelay(supervisor, options, network, [port, metricsPort]) {
  const url = `http://localhost:${port}`
  const database = path.join(supervisor.state, 'relay', 'relay.sqlite')
  const environment = {
    RELAY_ADMIN_PASSWORD: 'admin-pass',
    RELAY_PLC_HOST: network.plcUrl,
    RELAY_API_BIND: `127.0.0.1:${port}`,
    RELAY_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
    DATABASE_URL: `sqlite://${database}`,
    RELAY_PERSIST_DIR: path.join(supervisor.state, 'relay', 'persist'),
    RELAY_TRUSTED_DOMAINS: 'localhost',
    RELAY_DEFAULT_ACCOUNT_LIMIT: '100000',
    RELAY_IDENT_CACHE_SIZE: '10000',
    RELAY_ALLOW_INSECURE_HOSTS: 'true',
    ENVIRONMENT: 'dev',
  }
  const start = () =>
    supervisor.start('relay', goBinary('relay'), ['serve'], environment)
  const first = start()
  await supervisor.ready(first, answers(`${url}/xrpc/_health`))
  await supervisor.stop(first)
  const hosts = network.pds.map((pds) => pds.replace('http://', ''))
  const root = npmRoot(options.pds)
  supervisor.runOnce(nodeFor(options.pds), ['-e', ADD_HOSTS, root, database, ...hosts])
  await supervisor.ready(start(), answers(`${url}/xrpc/_health`))
  return url
}

const stream = (upstream) =>
  `${upstream.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos`

async function startJetstream(supervisor, upstream, [port, metricsPort]) {
  const url = `http://localhost:${port}`
  const started = supervisor.start('jetstream', goBinary('jetstream'), [], {
    JETSTREAM_WS_URL: stream(upstream),
    JETSTREAM_LISTEN_ADDR: `127.0.0.1:${port}`,
    JETSTREAM_METRICS_LISTEN_ADDR: `127.0.0.1:${metricsPort}`,
    JETSTREAM_DATA_DIR: path.join(supervisor.state, 'jetstream'),
    // It ends itself after this long without events; an idle test network has none.
    JETSTREAM_LIVENESS_TTL: '24h',
    JETSTREAM_OVERRIDE_RELAY_CURSOR: '0',
    JETSTREAM_MAX_SUB_RATE: '1000000',
  })
  await supervisor.ready(started, answers(`${url}/`))
  return url.replace('http', 'ws')
}

async function startFront(supervisor, upstream, pdss, port) {
  const url = `http://localhost:${port}`
  const script = path.join(HERE, 'front.mjs')
  const args = [script, String(port), upstream, ...pdss]
  const started = supervisor.start('front', process.execPath, args, {})
  await supervisor.ready(started, answers(`${url}/xrpc/com.atproto.sync.listHosts`))
  return url
}

async function startJetstream2(supervisor, front, plc, [port, debugPort]) {
  const started = supervisor.start('jetstream2', goBinary('jetstream2'), ['serve'], {
    JETSTREAM_ADDR: `127.0.0.1:${port}`,
    JETSTREAM_DEBUG_ADDR: `127.0.0.1:${debugPort}`,
    JETSTREAM_RELAY_URL: front,
    JETSTREAM_PLC_URL: plc,
    JETSTREAM_DATA_DIR: path.join(supervisor.state, 'jetstream2'),
  })
  await supervisor.ready(started, answers(`http://localhost:${debugPort}/readyz`))
  return `ws://localhost:${port}`
}

async function startCollectiondir(supervisor, relay, [port, metricsPort]) {
  const url = `http://localhost:${port}`
  const folder = path.join(supervisor.state, 'collectiondir')
  fs.mkdirSync(folder, { recursive: true })
  const folders = ['--pebble', path.join(folder, 'db'), '--dau-directory', path.join(folder, 'dau')]
  const started = supervisor.start('collectiondir', goBinary('collectiondir'), ['serve', ...folders], {
    COLLECTIONS_API_LISTEN: `127.0.0.1:${port}`,
    COLLECTIONS_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
    COLLECTIONS_UPSTREAM: relay.replace('http', 'ws'),
    COLLECTIONS_ADMIN_TOKEN: 'admin-pass',
    // A collection of one repo is listed too.
    COLLECTIONS_CLIST_MIN_DIDS: '1',
  })
  await supervisor.ready(started, answers(`${url}/_health`))
  return url
}

async function up(argv) {
  const options = readOptions(argv)
  install(options.pds)
  for (const name of ['relay', 'jetstream', 'jetstream2', 'collectiondir']) {
    if (options[name]) install(name)
  }
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'plyr-peers-'))
  const supervisor = new Supervisor(state)
  const ports = await freePorts(11 + options.count)
  const network = await startNetwork(supervisor, options, ports.slice(9))
  const info = { plc: network.plcUrl, pds: network.pds, control: network.ctl, state }
  if (options.relay) info.relay = await startRelay(supervisor, options, network, ports)
  const upstream = info.relay ?? network.pds[0]
  if (options.collectiondir) {
    info.collectiondir = await startCollectiondir(supervisor, info.relay, ports.slice(7))
  }
  const starts = {}
  if (options.jetstream) {
    starts.jetstream = () => startJetstream(supervisor, upstream, ports.slice(2))
  }
  if (options.jetstream2) {
    const front = await startFront(supervisor, upstream, network.pds, ports[4])
    starts.jetstream2 = () =>
      startJetstream2(supervisor, front, network.plcUrl, ports.slice(5))
  }
  for (const [name, start] of Object.entries(starts)) info[name] = await start()
  process.stdout.write(`${JSON.stringify(info)}\n`)
  await steer(supervisor, starts)
}

const S3_KEYS = { accessKey: 'plyr-access', secretKey: 'plyr-secret' }

/** An S3 server of its own, over a folder: a bucket is a folder in it, an object a file. */
async function s3(names) {
  install('versitygw')
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'plyr-s3-'))
  const supervisor = new Supervisor(state)
  const [port] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const folder = path.join(state, 'buckets')
  // What POSIX files can't say lies beside them: not every /tmp has extended attributes.
  const sidecar = path.join(state, 'sidecar')
  fs.mkdirSync(sidecar)
  for (const name of names.length ? names : ['plyr']) {
    fs.mkdirSync(path.join(folder, name), { recursive: true })
  }
  const listen = ['--port', `127.0.0.1:${port}`, '--health', '/health', '--quiet']
  const args = [...listen, '--keep-alive', 'posix', '--sidecar', sidecar, folder]
  const environment = {
    ROOT_ACCESS_KEY: S3_KEYS.accessKey,
    ROOT_SECRET_KEY: S3_KEYS.secretKey,
  }
  const start = async () => {
    const started = supervisor.start('s3', goBinary('versitygw'), args, environment)
    await supervisor.ready(started, answers(`${url}/health`))
  }
  await start()
  process.stdout.write(`${JSON.stringify({ url, folder, state, ...S3_KEYS })}\n`)
  await steer(supervisor, { s3: start })
}

async function steer(supervisor, starts) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [word, name] = line.split(' ')
    const start = starts[name]
    if (!start) fail(`there is no ${name} to ${word}`)
    if (word === 'start') await start()
    else if (word === 'stop') await supervisor.stop(supervisor.named(name))
    else if (word === 'pause') supervisor.named(name).child.kill('SIGSTOP')
    else if (word === 'resume') supervisor.named(name).child.kill('SIGCONT')
    else if (word === 'forget') fs.rmSync(path.join(supervisor.state, name), { recursive: true })
    else fail(`a ${name} can't be told to ${word}`)
    process.stdout.write(`${JSON.stringify({ done: line })}\n`)
  }
}

function locate(name) {
  install(name)
  process.stdout.write(`${JSON.stringify({ node: nodeFor(name), root: npmRoot(name) })}\n`)
}

const [command = 'help', ...rest] = process.argv.slice(2)
if (command === 'install') for (const name of rest.length ? rest : TARGETS) install(name)
else if (command === 'locate') locate(rest[0])
else if (command === 'up') await up(rest)
else if (command === 's3') await s3(rest)
else if (command === 'help') process.stdout.write(HELP)
else fail(`unknown command ${command}; \`peers.sh help\` lists them`)
