// Jetstream v2 begins with what listHosts, listRepos and getRepo of its relay's hosts answer, and
// takes plain http only from a loopback host of the relay's own name. This stands before the relay
// as such a host: it names itself as the only one, answers for all PDSs, and passes the stream on.
//   node front.mjs PORT UPSTREAM PDS …
import http from 'node:http'
import net from 'node:net'

const [port, upstream, ...pdss] = process.argv.slice(2)
const self = { hostname: `localhost:${port}`, status: 'active', seq: 1, accountCount: 1 }

/** Every repo with the PDS it lives on: an account that has moved is active on one of them. */
async function repos() {
  const found = new Map()
  for (const pds of pdss) {
    let cursor = ''
    do {
      const url = `${pds}/xrpc/com.atproto.sync.listRepos?limit=500${cursor}`
      const page = await (await fetch(url)).json()
      for (const repo of page.repos) {
        if (!found.has(repo.did) || repo.active) found.set(repo.did, { repo, pds })
      }
      cursor = page.cursor ? `&cursor=${encodeURIComponent(page.cursor)}` : ''
    } while (cursor)
  }
  return found
}

async function answer(request) {
  const url = new URL(request.url, 'http://front')
  const method = url.pathname.replace('/xrpc/com.atproto.sync.', '')
  if (method === 'listHosts') return Response.json({ hosts: [self] })
  if (method === 'getHostStatus') return Response.json(self)
  const all = await repos()
  if (method === 'listRepos') {
    return Response.json({ repos: [...all.values()].map(({ repo }) => repo) })
  }
  const did = url.searchParams.get('did')
  return fetch((all.get(did)?.pds ?? upstream) + request.url)
}

const server = http.createServer(async (request, response) => {
  try {
    const told = await answer(request)
    response.writeHead(told.status, { 'content-type': told.headers.get('content-type') ?? '' })
    response.end(Buffer.from(await told.arrayBuffer()))
  } catch (problem) {
    response.writeHead(502, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: 'UpstreamFailure', message: String(problem) }))
  }
})

server.on('upgrade', (request, client, head) => {
  const { port: upstreamPort, host } = new URL(upstream)
  const relay = net.connect(Number(upstreamPort), '127.0.0.1', () => {
    const lines = [`GET ${request.url} HTTP/1.1`]
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const [name, value] = request.rawHeaders.slice(i, i + 2)
      lines.push(`${name}: ${name.toLowerCase() === 'host' ? host : value}`)
    }
    relay.write(`${lines.join('\r\n')}\r\n\r\n`)
    relay.write(head)
    relay.pipe(client).pipe(relay)
  })
  for (const socket of [relay, client]) {
    for (const end of ['error', 'close']) {
      socket.on(end, () => {
        relay.destroy()
        client.destroy()
      })
    }
  }
})

server.listen(Number(port), '127.0.0.1')
