/** Every scenario of in-namespace.ts, so that none is left out unseen. */
export const namespaceRows = [
  'DNS_NXDOMAIN: a name that does not exist',
  'DNS_NODATA: a name without an address',
  'DNS_SERVFAIL: a name server that fails',
  'DNS_SERVFAIL: a name server that refuses',
  'DNS_TIMEOUT: a name server that is silent',
  'DNS_NO_RESOLVER: nothing listens where the name server should',
  'TCP_TIMEOUT: packets that vanish',
  'TCP_TIMEOUT: a public port with a private address',
  'TCP_UNREACHABLE: a route that is unreachable',
  'TCP_UNREACHABLE: a route that prohibits',
  'TCP_NO_ROUTE: no route at all',
  'TCP_NO_ROUTE: a route into nothing',
  "MTU_BLACKHOLE: the server's certificate does not fit the path",
  'ADVERTISED_DNS_NXDOMAIN: a broker by a name that nobody knows',
  'ADVERTISED_TCP_NO_ROUTE: a broker where no route leads',
];
