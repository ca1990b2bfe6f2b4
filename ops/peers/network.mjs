// Starts real peers on loopback: PLC directory (mock DB) + 1..n official PDS.
//   started by `peers.sh up`: PEERS_ROOT=<install> node --require ./loopback.cjs net.mjs
// env: PLC_PORT (default 2582) PDS_PORTS (default "2583") DATA_DIR OUT (json file)
//      PG_PLC (postgres url for the PLC instead of the in-memory mock)
import { createRequire } from 'node:module'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { createWebAccount } from './didweb.mjs'
const root = process.env.PEERS_ROOT || process.cwd()
const req = createRequire(path.join(root, 'package.json'))
const imp = async (n) => {
  // resolve ESM packages from the install root
  try {
    return await import(pathToFileURL(req.resolve(n)))
  } catch (e) {
    if (e.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED' && e.code !== 'MODULE_NOT_FOUND') throw e
    const p = JSON.parse(fs.readFileSync(path.join(root, 'node_modules', n, 'package.json')))
    const d = p.exports?.['.']?.default ?? p.exports?.['.']?.import ?? p.main
    return await import(pathToFileURL(path.join(root, 'node_modules', n, d)))
  }
}
const t0 = Date.now()
const pdsmod = await imp('@atproto/pds')
const { PDS } = pdsmod
// 0.5.x: PDS.fromEnv(env); 0.4.x: PDS.create(envToCfg(env), envToSecrets(env))
const mkPds = (env) =>
  PDS.fromEnv ? PDS.fromEnv(env) : PDS.create(pdsmod.envToCfg(env), pdsmod.envToSecrets(env))
const { Secp256k1Keypair } = await imp('@atproto/crypto')
const plcmod = await imp('@did-plc/server')
const plc = plcmod.default ?? plcmod
const tImport = Date.now() - t0
const plcPort = Number(process.env.PLC_PORT || 2582)
const pdsPorts = (process.env.PDS_PORTS || '2583').split(',').map(Number)
const data =
  process.env.DATA_DIR ||
  fs.mkdtempSync(path.join((await import('node:os')).tmpdir(), 'plyr-peers-'))
const db = process.env.PG_PLC
  ? plc.Database.postgres({ url: process.env.PG_PLC })
  : plc.Database.mock()
if (process.env.PG_PLC) await db.migrateToLatestOrThrow()
const plcServer = plc.PlcServer.create({ db, port: plcPort })
// @did-plc/server 0.0.1 (the only version on npm) serves the pre-2023 DID document shape
// (EcdsaSecp256k1VerificationKey2019, id '#atproto', uncompressed key without multicodec).
// plc.directory serves Multikey with absolute ids. PLC_DOC=legacy keeps the old shape.
if (process.env.PLC_DOC !== 'legacy') {
  const app = plcServer.app
  app.get('/:did', async (rq, rs, next) => {
    if (!rq.params.did.startsWith('did:plc:')) return next()
    const r = await fetch(`http://127.0.0.1:${plcPort}/${rq.params.did}/data`)
    if (!r.ok)
      return rs
        .status(r.status)
        .type('json')
        .send(await r.text())
    const d = await r.json()
    const ctx = ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1']
    for (const k of Object.values(d.verificationMethods)) {
      const c = k.startsWith('did:key:zQ3s')
        ? 'https://w3id.org/security/suites/secp256k1-2019/v1'
        : k.startsWith('did:key:zDna')
          ? 'https://w3id.org/security/suites/ecdsa-2019/v1'
          : null
      if (c && !ctx.includes(c)) ctx.push(c)
    }
    rs.type('application/did+ld+json').send(
      JSON.stringify({
        '@context': ctx,
        id: d.did,
        alsoKnownAs: d.alsoKnownAs,
        verificationMethod: Object.entries(d.verificationMethods).map(([k, v]) => ({
          id: `${d.did}#${k}`,
          type: 'Multikey',
          controller: d.did,
          publicKeyMultibase: v.replace('did:key:', ''),
        })),
        service: Object.entries(d.services).map(([k, v]) => ({
          id: `#${k}`,
          type: v.type,
          serviceEndpoint: v.endpoint,
        })),
      }),
    )
  })
  const st = app._router.stack
  const layer = st.pop()
  st.splice(2, 0, layer) // ahead of the stock routes
}
await plcServer.start()
const plcUrl = `http://localhost:${plcPort}`
// minimal mail sink: capture mails through nodemailer's "streamTransport"-like patch
const servers = []
for (const port of pdsPorts) {
  const dir = path.join(data, `pds-${port}`)
  fs.mkdirSync(path.join(dir, 'blobs'), { recursive: true })
  const keyf = path.join(dir, 'plc-rotation.hex') // stable across restarts
  if (!fs.existsSync(keyf))
    fs.writeFileSync(
      keyf,
      Buffer.from(await (await Secp256k1Keypair.create({ exportable: true })).export()).toString(
        'hex',
      ),
    )
  const hex = fs.readFileSync(keyf, 'utf8')
  const pds = await mkPds({
    devMode: true,
    port,
    hostname: 'localhost',
    dataDirectory: dir,
    blobstoreDiskLocation: path.join(dir, 'blobs'),
    didPlcUrl: plcUrl,
    adminPassword: 'admin-pass',
    jwtSecret: 'jwt-secret',
    serviceHandleDomains: ['.test'],
    inviteRequired: false,
    plcRotationKeyK256PrivateKeyHex: hex,
    disableSsrfProtection: true,
    // As the distribution of the PDS sets it.
    blobUploadLimit: Number(process.env.BLOB_LIMIT || 100 * 1024 * 1024),
    maxSubscriptionBuffer: Number(process.env.MAX_SUB_BUFFER || 500),
    repoBackfillLimitMs: Number(process.env.BACKFILL_MS || 86400000),
    crawlers: (process.env.CRAWLERS || '').split(',').filter(Boolean),
    ...(process.env.BSKY_URL
      ? { bskyAppViewUrl: process.env.BSKY_URL, bskyAppViewDid: process.env.BSKY_DID }
      : {}),
    ...(process.env.LEX_AUTHORITY ? { lexiconDidAuthority: process.env.LEX_AUTHORITY } : {}),
    ...JSON.parse(process.env.PDS_EXTRA || '{}'),
  })
  // same as dev-env's mockNetworkUtilities: resolve *.test handles through the PDS itself
  const idr = pds.ctx.idResolver
  const dns = idr.handle.resolveDns
  idr.handle.resolve = async (handle) => {
    if (!handle.endsWith('.test')) return dns.call(idr.handle, handle)
    for (const p of pdsPorts) {
      const http = await import('node:http')
      const got = await new Promise((ok) =>
        http
          .get(
            {
              host: '127.0.0.1',
              port: p,
              path: '/.well-known/atproto-did',
              headers: { host: handle },
            },
            (r) => {
              let b = ''
              r.on('data', (d) => (b += d))
              r.on('end', () => ok(r.statusCode === 200 ? b : undefined))
            },
          )
          .on('error', () => ok(undefined)),
      )
      if (got) return got
    }
  }
  // capture outgoing mail (tokens for email update, account delete, plc ops)
  if (pds.ctx.mailer?.transporter) {
    const tr = pds.ctx.mailer.transporter
    const o = tr.sendMail.bind(tr)
    tr.sendMail = async (m) => {
      const r = await o(m)
      fs.appendFileSync(
        path.join(data, 'mail.jsonl'),
        JSON.stringify({ port, to: m.to, subject: m.subject, html: m.html }) + '\n',
      )
      return r
    }
  }
  // the sequencer polls sqlite with a back-off of up to 1 s when idle; make tests snappy
  if (process.env.FAST_SEQ !== '0')
    pds.ctx.sequencer.exponentialBackoff = () => new Promise((r) => setTimeout(r, 5))
  await pds.start()
  servers.push(pds)
}
// control endpoint (tests only): things an outside client cannot do
const { decode: cborDecode, encode: cborEncode } = await imp('@atproto/lex-cbor')
const ctl = (await import('node:http')).createServer(async (rq, rs) => {
  const u = new URL(rq.url, 'http://x')
  const i = Number(u.searchParams.get('pds') || 0)
  const pds = servers[i]
  const body = await new Promise((ok) => {
    const c = []
    rq.on('data', (d) => c.push(d))
    rq.on('end', () => ok(Buffer.concat(c)))
  })
  const send = (c, j) => {
    rs.writeHead(c, { 'content-type': 'application/json' })
    rs.end(JSON.stringify(j))
  }
  try {
    switch (u.pathname) {
      case '/curr':
        return send(200, { seq: await pds.ctx.sequencer.curr() })
      case '/mail':
        return send(
          200,
          fs.existsSync(path.join(data, 'mail.jsonl'))
            ? fs
                .readFileSync(path.join(data, 'mail.jsonl'), 'utf8')
                .trim()
                .split('\n')
                .map((l) => JSON.parse(l))
            : [],
        )
      case '/key': {
        const d = u.searchParams.get('did')
        const k = await pds.ctx.actorStore.keypair(d)
        const { keyLocation } = await pds.ctx.actorStore.getLocation(d)
        return send(200, { did: k.did(), hex: fs.readFileSync(keyLocation).toString('hex') })
      }
      case '/lexauth':
        pds.ctx.cfg.lexicon.didAuthority = u.searchParams.get('did') || undefined
        return send(200, {}) // where com.atproto.lexicon.schema records are looked up
      case '/didweb': {
        const url = `http://localhost:${pdsPorts[i]}`
        return send(200, await createWebAccount(imp, url, u.searchParams.get('handle')))
      }
      case '/idle':
        await pds.ctx.backgroundQueue.processAll()
        return send(200, {})
      case '/backdate': {
        // make existing events look old: next subscribe with an old cursor gets #info OutdatedCursor
        const t = u.searchParams.get('time')
        const to = Number(u.searchParams.get('to') || 1e15)
        await pds.ctx.sequencer.db.db
          .updateTable('repo_seq')
          .set({ sequencedAt: t })
          .where('seq', '<=', to)
          .execute()
        return send(200, {})
      }
      case '/prune':
        await pds.ctx.sequencer.db.db
          .deleteFrom('repo_seq')
          .where('seq', '<=', Number(u.searchParams.get('to')))
          .execute()
        return send(200, {}) // gap in the stream
      case '/inject': {
        // body: DAG-CBOR event, ?type=append|sync|identity|account&did=
        const [row] = await pds.ctx.sequencer.sequenceEvts([
          {
            did: u.searchParams.get('did'),
            eventType: u.searchParams.get('type'),
            event: body,
            sequencedAt: new Date().toISOString(),
          },
        ])
        return send(200, { seq: row })
      }
      case '/tweak': {
        // re-emit event ?seq= with JSON-merged fields of the body (e.g. {"rev":"..."}): a bad actor's frame
        const row = await pds.ctx.sequencer.db.db
          .selectFrom('repo_seq')
          .selectAll()
          .where('seq', '=', Number(u.searchParams.get('seq')))
          .executeTakeFirst()
        const ev = { ...cborDecode(row.event), ...JSON.parse(body.toString() || '{}') }
        const [s] = await pds.ctx.sequencer.sequenceEvts([
          {
            did: row.did,
            eventType: row.eventType,
            event: cborEncode(ev),
            sequencedAt: new Date().toISOString(),
          },
        ])
        return send(200, { seq: s })
      }
      default:
        return send(404, {})
    }
  } catch (e) {
    send(500, { error: String(e.stack) })
  }
})
const ctlPort = Number(process.env.CTL_PORT || plcPort + 9)
await new Promise((ok) => ctl.listen(ctlPort, '127.0.0.1', ok))
const info = {
  ctl: `http://127.0.0.1:${ctlPort}`,
  pid: process.pid,
  node: process.version,
  plcUrl,
  pds: pdsPorts.map((p) => `http://localhost:${p}`),
  data,
  importMs: tImport,
  totalMs: Date.now() - t0,
  rssMB: Math.round(process.memoryUsage().rss / 1048576),
}
if (process.env.OUT) fs.writeFileSync(process.env.OUT, JSON.stringify(info, null, 1))
console.log('READY ' + JSON.stringify(info))
const stop = async () => {
  for (const s of servers) await s.destroy().catch(() => {})
  await plcServer.destroy().catch(() => {})
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
setInterval(() => {}, 1 << 30)
