// Stands behind the preload in a client's process: writes down every name it looks up and every address outside this
// machine it connects to (one line each, in the file NO_DNS_RECORD names), and lets none of it happen.
'use strict'
const dns = require('node:dns')
const { appendFileSync } = require('node:fs')
const net = require('node:net')

const HERE = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|::ffff:127\.[\d.]+)$/
const refused = (what, name) => {
  appendFileSync(process.env.NO_DNS_RECORD, `${what} ${name}\n`)
  return Object.assign(new Error(`${what} ${name} is not allowed here`), { code: 'ENOTFOUND' })
}

const asks = (name) => name === 'lookup' || name === 'reverse' || name.startsWith('resolve')
for (const owner of [dns, dns.Resolver.prototype, dns.promises, dns.promises.Resolver.prototype]) {
  const later = owner === dns.promises || owner === dns.promises.Resolver.prototype
  for (const name of Object.getOwnPropertyNames(owner).filter(asks)) {
    const real = owner[name]
    owner[name] = function (host, ...rest) {
      if (name === 'lookup' && HERE.test(host)) return real.call(this, host, ...rest)
      const error = refused(name, host)
      if (later) return Promise.reject(error)
      process.nextTick(rest.at(-1), error)
    }
  }
}

// net.connect, tls.connect and every agent end here.
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args
  const host = typeof options === 'object' ? options.host : typeof args[1] === 'string' ? args[1] : undefined
  // A pipe has no host, and no host is this machine. Names are looked up first, which is refused above.
  if (host === undefined || HERE.test(host) || net.isIP(host) === 0) return connect.apply(this, args)
  const error = refused('connect', host)
  process.nextTick(() => this.destroy(error))
  return this
}
