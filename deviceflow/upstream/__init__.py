"""Upstream OpenID providers, at which people sign in: this server is their client.

Contract:
- the authorization code flow with PKCE (S256), state and nonce, and nothing else. What a provider
  says counts only after every check: of its metadata (`metadata`), its answer (`authorization`),
  its ID token (`core.provider_tokens`) and its userinfo;
- a provider that is down, slow or wrong raises `UpstreamError`, which says why for the operator.
  No other error leaves this room because of what a provider sends;
- an answer is read up to a limit of bytes and time, and no redirect is followed (`web_client`);
- no secret, code or token is in an error, a log line or an address.

It knows no page and no store. `pages/sign_in/upstream` leads people there and back.
"""
