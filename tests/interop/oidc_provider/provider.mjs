// An OpenID provider that signs in whoever types a name, and says how: acr and amr.
//
// Its one argument is JSON: `port`, `back` (the redirect URI), `signed_out` (where sign-out leads),
// and for private_key_jwt the `jwks` of the client. It says "listening" once it does.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const { port, back, signed_out, backchannel, jwks } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "deviceflow",
      redirect_uris: [back],
      post_logout_redirect_uris: [signed_out],
      backchannel_logout_uri: backchannel,
      backchannel_logout_session_required: true,
      id_token_signed_response_alg: "ES256",
      ...(jwks
        ? { token_endpoint_auth_method: "private_key_jwt", jwks }
        : { client_secret: "a secret: 100% & more" }),
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "ES256" }] },
  cookies: { keys: ["of a provider for tests"] },
  claims: { openid: ["sub", "acr", "amr"], profile: ["name", "preferred_username"],
    email: ["email", "email_verified"] },
  acrValues: ["urn:example:mfa"],
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  // It would not call loopback, where the server under test is.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Nobody is asked for consent: the client is the company's own.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
  async findAccount(_, id) {
    return {
      accountId: id,
      claims: () => ({
        sub: id,
        name: `${id} of the provider`,
        preferred_username: id,
        email: `${id}@example.com`,
        email_verified: true,
      }),
    };
  },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/interaction/")) return next();
  if (ctx.method === "GET") {
    const { prompt } = await provider.interactionDetails(ctx.req, ctx.res);
    ctx.type = "html";
    ctx.body = `<h1>Sign in at the provider</h1><p id="prompt">${prompt.reasons.join(" ")}</p>
      <form method="post"><label>Name <input name="name"></label><button>Go</button></form>
      <form method="post"><button name="cancel" value="1">Cancel</button></form>`;
    return;
  }
  let body = "";
  for await (const chunk of ctx.req) body += chunk;
  const form = new URLSearchParams(body);
  const result = form.has("cancel")
    ? { error: "access_denied" }
    : { login: { accountId: form.get("name"), acr: "urn:example:mfa", amr: ["pwd", "otp"] } };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
  ctx.status = 303;
});

createServer(provider.callback()).listen(port, "127.0.0.1", () => console.log("listening"));
