// A device made with openid-client. What it is asked: the JSON of its argument; what it
// tells: a line of JSON for each step (tests/interop/peer.py).

import * as oauth from "oauth4webapi";
import * as client from "openid-client";

const asked = JSON.parse(process.argv[2]);
const insecure = { [oauth.allowInsecureRequests]: true }; // the server under test is on loopback

const tell = (step, said = {}) => console.log(JSON.stringify({ step, ...said }));

const authentication = async () => {
  switch (asked.auth) {
    case "client_secret_basic":
      return client.ClientSecretBasic(asked.client_secret);
    case "client_secret_post":
      return client.ClientSecretPost(asked.client_secret);
    case "private_key_jwt": {
      const algorithm = { name: "ECDSA", namedCurve: "P-256" };
      const key = await crypto.subtle.importKey("jwk", asked.jwk, algorithm, false, ["sign"]);
      return client.PrivateKeyJwt({ key, kid: asked.jwk.kid });
    }
    default:
      return client.None();
  }
};

const discover = async () => {
  const options = { execute: [client.allowInsecureRequests], algorithm: asked.algorithm };
  const issuer = new URL(asked.issuer);
  if (asked.register) {
    options.initialAccessToken = asked.register;
    const algorithm = asked.signed_with;
    const wanted = { client_name: `Console ${algorithm}`, scope: asked.scope };
    wanted.id_token_signed_response_alg = algorithm;
    wanted.grant_types = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"];
    wanted.token_endpoint_auth_method = "client_secret_basic";
    const basic = client.ClientSecretBasic();
    return client.dynamicClientRegistration(issuer, wanted, basic, options);
  }
  return client.discovery(issuer, asked.client_id, {}, await authentication(), options);
};

// RFC 9068 4, as a resource server does it with the request that a device sends.
const validate = async (config, tokens, DPoP) => {
  let request;
  const keep = async (url, sent) => {
    request = new Request(url, { headers: sent.headers });
    return new Response();
  };
  const url = new URL("/anything", asked.issuer);
  const options = { DPoP, ...insecure, [oauth.customFetch]: keep };
  await oauth.protectedResourceRequest(tokens.access_token, "GET", url, undefined, null, options);
  const server = config.serverMetadata();
  return oauth.validateJwtAccessToken(server, request, asked.resource ?? asked.issuer, insecure);
};

// As an API asks (RFC 7662), and for an answer that is signed (RFC 9701).
const introspect = async () => {
  const options = { execute: [client.allowInsecureRequests] };
  const issuer = new URL(asked.issuer);
  for (const metadata of [{}, { introspection_signed_response_alg: "ES256" }]) {
    const method = await authentication();
    const config = await client.discovery(issuer, asked.client_id, metadata, method, options);
    client.enableNonRepudiationChecks(config);
    tell("introspected", { claims: await client.tokenIntrospection(config, asked.introspect) });
  }
};

const told = (tokens) => ({
  access_token: tokens.access_token,
  refresh_token: tokens.refresh_token,
  id_token: tokens.id_token,
  token_type: tokens.token_type,
  scope: tokens.scope,
  expires_in: tokens.expires_in,
  claims: tokens.claims?.(),
});

const run = async () => {
  const config = await discover();
  if (asked.register) {
    const { client_id, client_secret: secret } = config.clientMetadata();
    tell("registered", { client_id, secret });
  }
  tell("discovered", { metadata: config.serverMetadata() });
  if (asked.only_discover) return;
  const keys = asked.dpop ? await client.randomDPoPKeyPair("ES256") : undefined;
  const DPoP = keys && client.getDPoPHandle(config, keys);
  const parameters = { scope: asked.scope };
  const verifier = asked.pkce ? client.randomPKCECodeVerifier() : undefined;
  if (verifier) {
    parameters.code_challenge = await client.calculatePKCECodeChallenge(verifier);
    parameters.code_challenge_method = "S256";
  }
  if (asked.resource) parameters.resource = asked.resource;
  if (DPoP) parameters.dpop_jkt = await DPoP.calculateThumbprint();

  const authorized = await client.initiateDeviceAuthorization(config, parameters);
  tell("authorized", authorized);
  const shown = verifier ? { code_verifier: verifier } : {};
  const tokens = await client.pollDeviceAuthorizationGrant(config, authorized, shown, { DPoP });
  tell("tokens", told(tokens));
  if (tokens.access_token.startsWith("ey")) {
    tell("validated", { claims: await validate(config, tokens, DPoP) });
  }
  if (tokens.claims?.() && !asked.resource) {
    const subject = tokens.claims().sub;
    const person = await client.fetchUserInfo(config, tokens.access_token, subject, { DPoP });
    tell("userinfo", { claims: person });
  }
  if (!tokens.refresh_token) return;
  const next = await client.refreshTokenGrant(config, tokens.refresh_token, {}, { DPoP });
  tell("refreshed", told(next));
  await client.tokenRevocation(config, next.refresh_token);
  tell("revoked");
  await client.refreshTokenGrant(config, next.refresh_token, {}, { DPoP });
};

try {
  await (asked.introspect ? introspect() : run());
  tell("done");
} catch (error) {
  const code = error.error ?? error.cause?.error ?? error.code ?? error.name;
  tell("failed", { error: code, status: error.status, text: String(error.message) });
}
