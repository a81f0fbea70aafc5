//! A device made with openidconnect. Its argument is one JSON object; it prints a line of JSON for
//! each step (tests/interop/peer.py).

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreDeviceAuthorizationResponse, CoreGenderClaim, CoreGrantType, CoreIdToken,
    CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
    CoreSubjectIdentifierType, CoreTokenResponse,
};
use openidconnect::{
    AccessToken, AdditionalProviderMetadata, AuthType, ClientId, ClientSecret,
    DeviceAuthorizationUrl, EmptyAdditionalClaims, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    ErrorResponse, HttpRequest, HttpResponse, IssuerUrl, JsonWebTokenType, NonceVerifier,
    OAuth2TokenResponse, ProviderMetadata, RefreshToken, RequestTokenError, RevocationUrl, Scope,
    SyncHttpClient, TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

/// Members of the metadata that the library does not read by itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Endpoints {
    device_authorization_endpoint: DeviceAuthorizationUrl,
    revocation_endpoint: RevocationUrl,
}
impl AdditionalProviderMetadata for Endpoints {}

type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Device = CoreClient<
    EndpointSet,
    EndpointSet,
    EndpointNotSet,
    EndpointSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
type Failure = Box<dyn std::error::Error>;

/// The library's own HTTP client has many more packages to compile than this one.
struct Http(ureq::Agent);

impl Http {
    fn new() -> Self {
        let settings = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0);
        Self(settings.build().into())
    }
}

impl SyncHttpClient for Http {
    type Error = ureq::Error;

    fn call(&self, request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
        let answer = match request.body().is_empty() {
            true => self.0.run(request.map(drop))?,
            false => self.0.run(request)?,
        };
        let (head, mut body) = answer.into_parts();
        Ok(HttpResponse::from_parts(head, body.read_to_vec()?))
    }
}

/// An error code of OAuth.
#[derive(Debug)]
struct Refusal(String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}
impl std::error::Error for Refusal {}

fn refusal<E, T>(error: RequestTokenError<E, T>) -> Failure
where
    E: std::error::Error + 'static,
    T: ErrorResponse + Serialize + 'static,
{
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let body = serde_json::to_value(&answer).unwrap_or_default();
            Refusal(body["error"].as_str().unwrap_or_default().into()).into()
        }
        other => other.into(),
    }
}

fn tell(step: &str, mut facts: Value) {
    facts["step"] = step.into();
    println!("{facts}");
}

/// The device flow has no nonce.
struct AnyNonce;
impl NonceVerifier for AnyNonce {
    fn verify(self, _nonce: Option<&openidconnect::Nonce>) -> Result<(), String> {
        Ok(())
    }
}

fn claims_of<'a>(
    device: &Device,
    tokens: &'a CoreTokenResponse,
) -> Result<&'a CoreIdTokenClaims, Failure> {
    let verifier: CoreIdTokenVerifier = device.id_token_verifier();
    let token = tokens.id_token().ok_or("no ID token")?;
    Ok(token.claims(&verifier, AnyNonce)?)
}

fn facts_of(device: &Device, tokens: &CoreTokenResponse) -> Result<Value, Failure> {
    let mut facts = serde_json::to_value(tokens)?;
    facts["claims"] = serde_json::to_value(claims_of(device, tokens)?)?;
    Ok(facts)
}

fn refresh(
    device: &Device,
    http: &Http,
    token: &RefreshToken,
) -> Result<CoreTokenResponse, Failure> {
    device
        .exchange_refresh_token(token)?
        .request(http)
        .map_err(refusal)
}

/// The claims of an access token, checked as an API does it. The library has a verifier for ID
/// tokens alone, and the rules for the signature, the issuer, the audience and the time are the same.
fn validate(metadata: &Metadata, token: &AccessToken) -> Result<Value, Failure> {
    let issuer = metadata.issuer();
    let verifier = CoreIdTokenVerifier::new_public_client(
        ClientId::new(issuer.to_string()),
        issuer.clone(),
        metadata.jwks().clone(),
    )
    .set_allowed_algs(metadata.id_token_signing_alg_values_supported().clone())
    .set_allowed_jose_types([JsonWebTokenType::new("at+jwt".into()).normalize()?]);
    let token: CoreIdToken = token.secret().parse()?;
    Ok(serde_json::to_value(token.claims(&verifier, AnyNonce)?)?)
}

fn person(device: &Device, http: &Http, token: &AccessToken) -> Result<Value, Failure> {
    let claims: UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim> =
        device.user_info(token.clone(), None)?.request(http)?;
    Ok(serde_json::to_value(claims)?)
}

fn play(asked: &Value) -> Result<(), Failure> {
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_string();
    let http = Http::new();
    let metadata = Metadata::discover(&IssuerUrl::new(text("issuer"))?, &http)?;
    tell("discovered", json!({ "metadata": metadata }));
    if asked["only_discover"] == true {
        return Ok(());
    }
    let endpoints = metadata.additional_metadata().clone();
    let secret = asked["client_secret"]
        .as_str()
        .map(|text| ClientSecret::new(text.into()));
    let auth_type = match asked["auth"].as_str() {
        Some("client_secret_post") => AuthType::RequestBody,
        _ => AuthType::BasicAuth, // the library's default
    };
    let device = CoreClient::from_provider_metadata(
        metadata.clone(),
        ClientId::new(text("client_id")),
        secret,
    )
    .set_auth_type(auth_type)
    .set_device_authorization_url(endpoints.device_authorization_endpoint)
    .set_revocation_url(RevocationUrl::new(
        endpoints.revocation_endpoint.replacen("http:", "https:", 1),
    )?);
    let tokens = authorize(&device, &http, &text("scope"))?;
    tell("tokens", facts_of(&device, &tokens)?);
    tell(
        "validated",
        json!({ "claims": validate(&metadata, tokens.access_token())? }),
    );
    tell(
        "userinfo",
        json!({ "claims": person(&device, &http, tokens.access_token())? }),
    );
    end(
        &device,
        &http,
        tokens.refresh_token().ok_or("no refresh token")?,
    )
}

fn authorize(device: &Device, http: &Http, scope: &str) -> Result<CoreTokenResponse, Failure> {
    // The library adds `openid` by itself.
    let scopes = scope.split(' ').filter(|name| *name != "openid");
    let authorized: CoreDeviceAuthorizationResponse = device
        .exchange_device_code()
        .add_scopes(scopes.map(|name| Scope::new(name.into())))
        .request(http)
        .map_err(refusal)?;
    tell("authorized", serde_json::to_value(&authorized)?);
    device
        .exchange_device_access_token(&authorized)?
        .request(http, std::thread::sleep, None)
        .map_err(refusal)
}

/// Refresh, end the login, and refresh once more, which must fail.
fn end(device: &Device, http: &Http, token: &RefreshToken) -> Result<(), Failure> {
    let next = refresh(device, http, token)?;
    tell("refreshed", facts_of(device, &next)?);
    let last = next.refresh_token().ok_or("no next refresh token")?;
    // The library revokes only over https (RFC 7009 2). The server under test is on loopback.
    let plain = |mut request: HttpRequest| {
        let address = request.uri().to_string().replacen("https:", "http:", 1);
        *request.uri_mut() = address.parse().expect("it was an address");
        http.call(request)
    };
    device
        .revoke_token(CoreRevocableToken::RefreshToken(last.clone()))?
        .request(&plain)?;
    tell("revoked", json!({}));
    refresh(device, http, last).map(drop)
}

fn main() -> Result<(), Failure> {
    let argument = std::env::args().nth(1).ok_or("no argument")?;
    match play(&serde_json::from_str(&argument)?) {
        Ok(()) => tell("done", json!({})),
        Err(error) => tell("failed", json!({ "error": error.to_string() })),
    }
    Ok(())
}
