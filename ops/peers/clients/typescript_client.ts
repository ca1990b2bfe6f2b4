// Calls every method with the client that the official tool makes of our documents, with response
// validation on. Takes the server's URL and what is held there; prints a line a finding:
// {method, pages, items} for answers, {method, case, error, declared, message} for refusals.
import { l, xrpc, xrpcSafe } from '@atproto/lex'
import type { Query } from '@atproto/lex'
import * as com from './generated/com.js'
import * as fm from './generated/fm.js'
import * as parts from './generated/parts.js'

declare const process: { argv: string[]; stdout: { write(text: string): void } }

type Held = {
  track: l.AtUriString
  hiddenTrack: l.AtUriString
  list: l.AtUriString
  hiddenList: l.AtUriString
  actor: l.HandleString
  hiddenActor: l.DidString
}

const [server, held] = [process.argv[2]!, JSON.parse(process.argv[3]!) as Held]
const say = (finding: object) => process.stdout.write(`${JSON.stringify(finding)}\n`)

type Parts = [l.DidString, string, string]
const [author, , rkey] = held.track.slice('at://'.length).split('/') as Parts
const nobody = 'nobody.test' as l.HandleString
const ofNobody = (collection: string) => `at://${nobody}/${collection}/none` as l.AtUriString
const missing = (collection: string) => `at://${author}/${collection}/none` as l.AtUriString

/** Reads a method's pages, one item at a time, to the end. */
async function pages(
  nsid: string,
  page: (cursor?: string) => Promise<{ cursor?: string | undefined; items: unknown[] }>,
) {
  let [cursor, read, items] = [undefined as string | undefined, 0, 0]
  do {
    const answer = await page(cursor)
    cursor = answer.cursor
    read += 1
    items += answer.items.length
    if (read > 1000) throw new Error(`${nsid} has no last page`)
  } while (cursor !== undefined)
  say({ method: nsid, pages: read, items })
}

const one = (nsid: string, found: unknown) =>
  say({ method: nsid, pages: 1, items: found === undefined ? 0 : 1 })

/** Calls a method that has to refuse. */
async function refused(nsid: string, of: string, call: Promise<Refusal | { success: true }>) {
  const answer = await call
  if (answer.success) throw new Error(`${nsid} answered ${of}`)
  const { error, message } = answer
  say({ method: nsid, case: of, error, declared: answer.matchesSchemaErrors(), message })
}
type Refusal = {
  success: false
  error: string
  message: string
  matchesSchemaErrors(): boolean
}

async function answers() {
  const { feed, graph, actor, stats, sync } = fm.plyr
  const limit = 1
  const { uri, who } = { uri: held.track, who: held.actor }

  const track = await xrpc(server, feed.getTrack, { params: { uri } })
  one(feed.getTrack.$nsid, track.body.track)
  const uris = [uri, held.hiddenTrack, missing('fm.plyr.track')]
  const tracks = await xrpc(server, feed.getTracks, { params: { uris } })
  say({ method: feed.getTracks.$nsid, pages: 1, items: tracks.body.tracks.length })
  await pages(feed.getActorTracks.$nsid, async (cursor) => {
    const params = { actor: who, limit, cursor }
    const { body } = await xrpc(server, feed.getActorTracks, { params })
    return { cursor: body.cursor, items: body.tracks }
  })
  await pages(feed.getLatest.$nsid, async (cursor) => {
    const { body } = await xrpc(server, feed.getLatest, { params: { limit, cursor } })
    return { cursor: body.cursor, items: body.tracks }
  })
  await pages(feed.getLikes.$nsid, async (cursor) => {
    const { body } = await xrpc(server, feed.getLikes, { params: { uri, limit, cursor } })
    return { cursor: body.cursor, items: body.likes }
  })
  await pages(feed.getActorLikes.$nsid, async (cursor) => {
    const params = { actor: who, limit, cursor }
    const { body } = await xrpc(server, feed.getActorLikes, { params })
    return { cursor: body.cursor, items: body.likes }
  })
  for (const sort of ['position', 'time'] as const) {
    await pages(feed.getComments.$nsid, async (cursor) => {
      const params = { uri, sort, limit, cursor }
      const { body } = await xrpc(server, feed.getComments, { params })
      return { cursor: body.cursor, items: body.comments }
    })
  }
  await pages(graph.getList.$nsid, async (cursor) => {
    const params = { uri: held.list, limit, cursor }
    const { body } = await xrpc(server, graph.getList, { params })
    return { cursor: body.cursor, items: body.items }
  })
  await pages(graph.getActorLists.$nsid, async (cursor) => {
    const params = { actor: who, listType: 'album', limit, cursor }
    const { body } = await xrpc(server, graph.getActorLists, { params })
    return { cursor: body.cursor, items: body.lists }
  })
  await pages(graph.getListsWithItem.$nsid, async (cursor) => {
    const params = { uri, limit, cursor }
    const { body } = await xrpc(server, graph.getListsWithItem, { params })
    return { cursor: body.cursor, items: body.lists }
  })
  const profile = await xrpc(server, actor.getProfile, { params: { actor: who } })
  one(actor.getProfile.$nsid, profile.body.profile.record)
  const actors = [who, author, held.hiddenActor, nobody]
  const profiles = await xrpc(server, actor.getProfiles, { params: { actors } })
  say({ method: actor.getProfiles.$nsid, pages: 1, items: profiles.body.profiles.length })
  const { getPlayback } = fm.plyr.media
  one(getPlayback.$nsid, (await xrpc(server, getPlayback, { params: { uri } })).body.media)
  one(stats.getStats.$nsid, (await xrpc(server, stats.getStats)).body.trackCount)
  await pages(sync.getCoverage.$nsid, async (cursor) => {
    const { body } = await xrpc(server, sync.getCoverage, { params: { limit, cursor } })
    return { cursor: body.cursor, items: body.repos }
  })
  await pages(sync.getQuarantine.$nsid, async (cursor) => {
    const { body } = await xrpc(server, sync.getQuarantine, { params: { limit, cursor } })
    return { cursor: body.cursor, items: body.entries }
  })

  await searches()

  const { repo, identity } = com.atproto
  for (const collection of Object.keys(records)) {
    await pages(repo.listRecords.$nsid, async (cursor) => {
      const params = { repo: who, collection: collection as l.NsidString, limit, cursor }
      const { body } = await xrpc(server, repo.listRecords, { params })
      // What is listed as valid is valid for the client, too.
      const schema = records[collection as keyof typeof records]
      for (const { value } of body.records) schema.$assert(value, { strict: true })
      return { cursor: body.cursor, items: body.records }
    })
  }
  const params = { repo: author, collection: 'fm.plyr.track', rkey } as const
  const record = await xrpc(server, repo.getRecord, { params })
  one(repo.getRecord.$nsid, fm.plyr.track.$parse(record.body.value))
  const resolved = await xrpc(server, identity.resolveHandle, { params: { handle: who } })
  one(identity.resolveHandle.$nsid, resolved.body.did)
}

/** What the searches find once the index has caught up: it is built beside everything else. */
async function searches() {
  const { query, typeahead } = fm.plyr.search
  const { searchActors } = fm.plyr.actor
  const { search: mentions } = parts.page.mention
  const [q, limit] = ['transit', 1]
  await until('the track and the album are found', async () => {
    const answer = await xrpcSafe(server, query, { params: { q } })
    return answer.success && answer.body.hits.length === 2
  })
  await until('alice is found', async () => {
    const answer = await xrpcSafe(server, searchActors, { params: { q: held.actor } })
    return answer.success && answer.body.profiles.length === 1
  })
  await pages(query.$nsid, async (cursor) => {
    const { body } = await xrpc(server, query, { params: { q, limit, cursor } })
    return { cursor: body.cursor, items: body.hits }
  })
  const box = await xrpc(server, typeahead, { params: { q: 'tran' } })
  say({ method: typeahead.$nsid, pages: 1, items: box.body.hits.length })
  await pages(searchActors.$nsid, async (cursor) => {
    const { body } = await xrpc(server, searchActors, { params: { q: held.actor, limit, cursor } })
    return { cursor: body.cursor, items: body.profiles }
  })
  const params = { service: 'at://did:web:localhost/parts.page.mention.service/plyr', search: q }
  const mentioned = await xrpc(server, mentions, { params })
  say({ method: mentions.$nsid, pages: 1, items: mentioned.body.results.length })
}

/** Asks until something holds; what waits for the index has two minutes. */
async function until(what: string, holds: () => Promise<boolean>) {
  const end = Date.now() + 120_000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

const records = {
  'fm.plyr.track': fm.plyr.track,
  'fm.plyr.like': fm.plyr.like,
  'fm.plyr.comment': fm.plyr.comment,
  'fm.plyr.list': fm.plyr.list,
  'fm.plyr.actor.profile': fm.plyr.actor.profile,
}

async function refusals() {
  const { feed, graph, actor } = fm.plyr
  const { repo, identity } = com.atproto
  const [subject, list] = [{ uri: ofNobody('fm.plyr.track') }, { uri: ofNobody('fm.plyr.list') }]
  const who = { actor: nobody }

  let uri = missing('fm.plyr.track')
  const { getTrack } = feed
  await refused(getTrack.$nsid, 'missing', xrpcSafe(server, getTrack, { params: { uri } }))
  uri = held.hiddenTrack
  await refused(getTrack.$nsid, 'hidden', xrpcSafe(server, getTrack, { params: { uri } }))
  await refused(getTrack.$nsid, 'nobody', xrpcSafe(server, getTrack, { params: subject }))
  const { getPlayback } = fm.plyr.media
  uri = missing('fm.plyr.track')
  await refused(getPlayback.$nsid, 'missing', xrpcSafe(server, getPlayback, { params: { uri } }))
  uri = held.hiddenTrack
  await refused(getPlayback.$nsid, 'hidden', xrpcSafe(server, getPlayback, { params: { uri } }))
  await refused(getPlayback.$nsid, 'nobody', xrpcSafe(server, getPlayback, { params: subject }))
  const { getList } = graph
  uri = missing('fm.plyr.list')
  await refused(getList.$nsid, 'missing', xrpcSafe(server, getList, { params: { uri } }))
  uri = held.hiddenList
  await refused(getList.$nsid, 'hidden', xrpcSafe(server, getList, { params: { uri } }))
  await refused(getList.$nsid, 'nobody', xrpcSafe(server, getList, { params: list }))
  const { getProfile } = actor
  await refused(getProfile.$nsid, 'nobody', xrpcSafe(server, getProfile, { params: who }))
  const hidden = { actor: held.hiddenActor }
  await refused(getProfile.$nsid, 'hidden', xrpcSafe(server, getProfile, { params: hidden }))
  const { getCoverage } = fm.plyr.sync
  await refused(getCoverage.$nsid, 'nobody', xrpcSafe(server, getCoverage, { params: who }))
  const search = fm.plyr.search.query
  const byNobody = { q: 'transit', author: nobody }
  await refused(search.$nsid, 'nobody', xrpcSafe(server, search, { params: byNobody }))
  for (const method of [feed.getActorTracks, feed.getActorLikes, graph.getActorLists]) {
    await refused(method.$nsid, 'nobody', xrpcSafe(server, method.main, { params: who }))
  }
  for (const method of [feed.getLikes, feed.getComments, graph.getListsWithItem]) {
    await refused(method.$nsid, 'nobody', xrpcSafe(server, method.main, { params: subject }))
  }
  const key = { repo: author, collection: 'fm.plyr.track', rkey: 'none' } as const
  await refused(repo.getRecord.$nsid, 'missing', xrpcSafe(server, repo.getRecord, { params: key }))
  const { resolveHandle } = identity
  const name = { handle: nobody }
  await refused(resolveHandle.$nsid, 'nobody', xrpcSafe(server, resolveHandle, { params: name }))
}

/** Methods whose parameters the client doesn't check, so that the server has to. */
async function wrongParameters() {
  const open = l.params({})
  const wrong: [Query, Record<string, string | string[]>][] = [
    [fm.plyr.feed.getLatest.main, { limit: '101' }],
    [fm.plyr.feed.getLatest.main, { cursor: 'forged' }],
    [fm.plyr.feed.getTrack.main, {}],
    [fm.plyr.feed.getTrack.main, { uri: 'nowhere' }],
    [fm.plyr.feed.getTracks.main, { uris: [held.track, 'nowhere'] }],
    [fm.plyr.feed.getComments.main, { uri: held.track, sort: 'backwards' }],
    [fm.plyr.actor.getProfile.main, { actor: 'no one' }],
    [fm.plyr.search.query.main, { q: '-live' }],
    [com.atproto.repo.listRecords.main, { repo: author, collection: 'tracks' }],
  ]
  for (const [method, params] of wrong) {
    const unchecked = l.query(method.nsid, open, method.output, method.errors)
    const of = `wrong ${JSON.stringify(params)}`
    await refused(method.nsid, of, xrpcSafe(server, unchecked, { params }))
  }
}

await answers()
await refusals()
await wrongParameters()
