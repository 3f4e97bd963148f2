// Loaded before the predecessor: it looks for updates and reports home, and a benchmark stays at home.
const net = require("node:net");
const dns = require("node:dns");

const isHome = (host) => !host || ["localhost", "127.0.0.1", "::1"].includes(host);
const lookup = dns.lookup;
dns.lookup = (host, ...rest) =>
  isHome(host) ? lookup(host, ...rest) : rest.at(-1)(new Error("not in a benchmark"));
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const host = typeof options === "object" ? options?.host : args[1];
  if (isHome(host)) return connect.apply(this, args);
  process.nextTick(() => this.destroy(new Error("not in a benchmark")));
  return this;
};
