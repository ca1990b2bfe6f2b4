// An account whose DID is a did:web on loopback: serves its document and creates it on a PDS.
import http from 'node:http'

export async function createWebAccount(imp, pds, handle) {
  const { Secp256k1Keypair } = await imp('@atproto/crypto')
  const { createServiceJwt } = await imp('@atproto/xrpc-server')
  const own = await Secp256k1Keypair.create({ exportable: true })
  let key = own.did()
  let did
  const server = http.createServer((_, response) => {
    const document = {
      '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
      id: did,
      alsoKnownAs: [`at://${handle}`],
      verificationMethod: [
        {
          id: `${did}#atproto`,
          type: 'Multikey',
          controller: did,
          publicKeyMultibase: key.replace('did:key:', ''),
        },
      ],
      service: [
        { id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: pds },
      ],
    }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(document))
  })
  await new Promise((ok) => server.listen(0, '127.0.0.1', ok))
  did = `did:web:localhost%3A${server.address().port}`

  const call = async (method, token, body) => {
    const answer = await fetch(`${pds}/xrpc/${method}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      body: body ? JSON.stringify(body) : undefined,
    })
    if (!answer.ok) throw new Error(`${method}: ${answer.status} ${await answer.text()}`)
    return answer.json().catch(() => ({}))
  }
  const host = await call('com.atproto.server.describeServer')
  const lxm = 'com.atproto.server.createAccount'
  const jwt = await createServiceJwt({ iss: did, aud: host.did, lxm, keypair: own })
  const email = `${handle.replace('.', '-')}@example.test`
  const account = await call(lxm, jwt, { handle, email, password: 'a test password', did })
  // The PDS signs the repo from here on, so the document names its key.
  const recommended = await call(
    'com.atproto.identity.getRecommendedDidCredentials',
    account.accessJwt,
  )
  key = recommended.verificationMethods.atproto
  await call('com.atproto.server.activateAccount', account.accessJwt, null)
  return { did, accessJwt: account.accessJwt }
}
