// Preload (node --require): forces every TCP listen() in the process onto 127.0.0.1.
// @atproto/pds, @did-plc/server and ozone all call app.listen(port) with no host,
// which would otherwise bind [::]:port (every interface).
const net = require('node:net')
const orig = net.Server.prototype.listen
net.Server.prototype.listen = function (...args) {
  const a0 = args[0]
  if (a0 !== null && typeof a0 === 'object' && !a0._handle && a0.fd === undefined && !a0.path) {
    args[0] = { ...a0, host: '127.0.0.1' }
  } else if (
    typeof a0 === 'number' ||
    (typeof a0 === 'string' && /^\d+$/.test(a0)) ||
    a0 === undefined ||
    typeof a0 === 'function'
  ) {
    const cb = args.find((x) => typeof x === 'function')
    const port = typeof a0 === 'function' || a0 === undefined ? 0 : Number(a0)
    const nums = args.slice(1).filter((x) => typeof x === 'number')
    args = [{ port, host: '127.0.0.1', backlog: nums[0] }]
    if (cb) args.push(cb)
  }
  return orig.apply(this, args)
}
// `localhost` must resolve to 127.0.0.1 first (we do not listen on ::1)
require('node:dns').setDefaultResultOrder('ipv4first')
// names under PEERS_FAKE_TLD (default plyr-peers.dev) resolve to 127.0.0.1 inside this process only
const dns = require('node:dns')
const suffix = process.env.PEERS_FAKE_TLD || 'plyr-peers.dev'
const isFake = (h) => h === suffix || String(h).endsWith('.' + suffix)
const lk = dns.lookup
dns.lookup = function (h, o, cb) {
  if (typeof o === 'function') {
    cb = o
    o = {}
  }
  if (isFake(h)) {
    const all = o && o.all
    return process.nextTick(() =>
      all ? cb(null, [{ address: '127.0.0.1', family: 4 }]) : cb(null, '127.0.0.1', 4),
    )
  }
  return lk.call(dns, h, o, cb)
}
const pl = dns.promises.lookup
dns.promises.lookup = async (h, o) =>
  isFake(h)
    ? o && o.all
      ? [{ address: '127.0.0.1', family: 4 }]
      : { address: '127.0.0.1', family: 4 }
    : pl(h, o)
