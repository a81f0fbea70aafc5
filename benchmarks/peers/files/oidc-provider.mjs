// oidc-provider with an adapter for Redis, as its documentation asks an application to bring one.
// Arguments: the port, the path of the store's socket, and a file for the signing keys.
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { Provider } from 'oidc-provider';

const [port, socket, keys] = process.argv.slice(2);
const redis = new Redis(socket);

if (!existsSync(keys)) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'one' };
  writeFileSync(keys, JSON.stringify({ keys: [jwk] }));
}

class Adapter {
  constructor(kind) {
    this.kind = kind;
  }

  key(id) {
    return `${this.kind}:${id}`;
  }

  async upsert(id, payload, seconds) {
    const pipeline = redis.pipeline();
    pipeline.hset(this.key(id), { payload: JSON.stringify(payload) });
    if (seconds) pipeline.expire(this.key(id), seconds);
    if (payload.userCode) pipeline.set(`code:${payload.userCode}`, id, 'EX', seconds);
    if (payload.uid) pipeline.set(`uid:${payload.uid}`, id, 'EX', seconds);
    await pipeline.exec();
  }

  async find(id) {
    const { payload, consumed } = await redis.hgetall(this.key(id));
    if (!payload) return undefined;
    return { ...JSON.parse(payload), ...(consumed ? { consumed: Number(consumed) } : {}) };
  }

  async findByUserCode(userCode) {
    const id = await redis.get(`code:${userCode}`);
    return id ? this.find(id) : undefined;
  }

  async findByUid(uid) {
    const id = await redis.get(`uid:${uid}`);
    return id ? this.find(id) : undefined;
  }

  async consume(id) {
    await redis.hset(this.key(id), 'consumed', Math.floor(Date.now() / 1000));
  }

  async destroy(id) {
    await redis.del(this.key(id));
  }

  async revokeByGrantId() {
    // No grant ends while devices wait, which is all that is measured.
  }
}

const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  adapter: Adapter,
  clients: [
    {
      client_id: 'tv',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: JSON.parse(readFileSync(keys, 'utf8')),
  cookies: { keys: ['only for benchmarks'] },
  scopes: ['openid', 'profile', 'offline_access'],
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: false } },
  interactions: { url: () => '/interaction' },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  ttl: { DeviceCode: 3600 },
});
provider.listen(Number(port), '127.0.0.1');
