// oidc-provider in memory, with its pages for development.
import { Provider } from 'oidc-provider';

const issuer = 'http://127.0.0.1:8801';
const client = (client_id) => ({
  client_id,
  token_endpoint_auth_method: 'none',
  application_type: 'native',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  response_types: [],
  redirect_uris: [],
});
const provider = new Provider(issuer, {
  clients: [client('tv'), client('other')],
  scopes: ['openid', 'profile', 'offline_access'],
  features: {
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    userinfo: { enabled: true },
    devInteractions: { enabled: true },
  },
  ttl: { DeviceCode: 300 },
  issueRefreshToken: async (ctx, client, code) => code.scopes.has('offline_access'),
});
provider.listen(8801, '127.0.0.1', () => console.log(issuer));
