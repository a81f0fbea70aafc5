"""POST /oauth2/token: the shared phases, the two grant types, and the tokens that they give.

Contract: `endpoint` authenticates the client and picks the grant type. A grant type decides and
answers. `minting` makes tokens. Everything that can fail comes before the step that uses up a code
or a refresh token. All of it may raise OAuthError, StoreUnavailable.
"""
