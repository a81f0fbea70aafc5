// An API made with jose. Its argument is one JSON object with the tokens of a device; it prints a
// line of JSON for each step (tests/interop/peer.py).

import { createRemoteJWKSet, jwtVerify } from "jose";

const asked = JSON.parse(process.argv[2]);
const tell = (step, facts = {}) => console.log(JSON.stringify({ step, ...facts }));

const run = async () => {
  const address = `${asked.issuer}/.well-known/openid-configuration`;
  const metadata = await (await fetch(address)).json();
  tell("discovered", { metadata });
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
  const { issuer } = metadata;
  const algorithms = metadata.id_token_signing_alg_values_supported;
  const expected = { issuer, algorithms };
  const id = await jwtVerify(asked.id_token, keys, { ...expected, audience: asked.client_id });
  tell("signed in", { claims: id.payload, header: id.protectedHeader });
  const audience = asked.audience ?? issuer;
  const access = await jwtVerify(asked.access_token, keys, { ...expected, audience, typ: "at+jwt" });
  tell("validated", { claims: access.payload, header: access.protectedHeader });
};

try {
  await run();
  tell("done");
} catch (error) {
  tell("failed", { error: error.code ?? error.name, text: String(error.message) });
}
