/** oidc-provider, an authorization server that nobody here wrote, with one client. Says at which port it listens. */
const { clientId, clientSecret, issuer, audience, key, lifetimeS } = JSON.parse(process.env.SETTINGS ?? '{}');
const { default: Provider } = await import(process.argv[2] ?? '');

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  clients: [
    {
      ...{ client_id: clientId, client_secret: clientSecret, grant_types: ['client_credentials'] },
      ...{ redirect_uris: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic' },
      scope: 'publish',
    },
  ],
  scopes: ['publish', 'everything'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:kafka',
      getResourceServerInfo: () => ({
        ...{ scope: 'publish', audience, accessTokenTTL: lifetimeS },
        ...{ accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } },
      }),
    },
  },
});
const server = provider.listen(0, '127.0.0.1', () => console.log(`listening: ${server.address().port}.`));
