import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.oauth2.sdk.AuthorizationGrant;
import com.nimbusds.oauth2.sdk.ErrorObject;
import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.TokenRevocationRequest;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.ClientSecretPost;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.device.DeviceAuthorizationGrantError;
import com.nimbusds.oauth2.sdk.device.DeviceAuthorizationRequest;
import com.nimbusds.oauth2.sdk.device.DeviceAuthorizationResponse;
import com.nimbusds.oauth2.sdk.device.DeviceAuthorizationSuccessResponse;
import com.nimbusds.oauth2.sdk.device.DeviceCodeGrant;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.token.RefreshToken;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponseParser;
import com.nimbusds.openid.connect.sdk.UserInfoRequest;
import com.nimbusds.openid.connect.sdk.UserInfoResponse;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import net.minidev.json.JSONObject;
import net.minidev.json.JSONValue;

/**
 * A device made with Nimbus' OAuth 2.0 SDK. Its argument is one JSON object; it prints a line of
 * JSON for each step (tests/interop/peer.py).
 */
public class Peer {
  private static final JOSEObjectType ACCESS_TOKEN = new JOSEObjectType("at+jwt");

  /** An error of OAuth that the server answered with. */
  private static class Refusal extends Exception {
    Refusal(ErrorObject error) {
      super(error.getCode());
    }
  }

  private final JSONObject asked;
  private final OIDCProviderMetadata metadata;
  private final ClientID client;
  private final ClientAuthentication authentication;

  private Peer(JSONObject asked) throws Exception {
    this.asked = asked;
    metadata = OIDCProviderMetadata.resolve(new Issuer(asked.getAsString("issuer")));
    client = new ClientID(asked.getAsString("client_id"));
    Secret secret = new Secret("" + asked.getAsString("client_secret"));
    authentication =
        switch (asked.getAsString("auth")) {
          case "client_secret_basic" -> new ClientSecretBasic(client, secret);
          case "client_secret_post" -> new ClientSecretPost(client, secret);
          default -> null;
        };
  }

  public static void main(String[] arguments) throws Exception {
    try {
      new Peer((JSONObject) JSONValue.parseWithException(arguments[0])).play();
      tell("done", Map.of());
    } catch (Refusal error) {
      tell("failed", Map.of("error", error.getMessage()));
    }
  }

  private static void tell(String step, Map<String, ?> facts) {
    JSONObject line = new JSONObject(facts);
    line.put("step", step);
    System.out.println(line.toJSONString());
  }

  private void play() throws Exception {
    tell("discovered", Map.of("metadata", metadata.toJSONObject()));
    if (asked.get("only_discover") == Boolean.TRUE) {
      return;
    }
    DeviceAuthorizationSuccessResponse codes = authorize();
    tell("authorized", codes.toJSONObject());
    OIDCTokens tokens = poll(codes);
    tell("tokens", factsOf(tokens));
    tell("validated", Map.of("claims", validate(tokens).toJSONObject()));
    tell("userinfo", Map.of("claims", person(tokens)));
    OIDCTokens next = refresh(tokens.getRefreshToken());
    tell("refreshed", factsOf(next));
    tell("revoked", Map.of("status", revoke(next.getRefreshToken())));
    refresh(next.getRefreshToken());
  }

  private DeviceAuthorizationSuccessResponse authorize() throws Exception {
    DeviceAuthorizationRequest.Builder request =
        authentication == null
            ? new DeviceAuthorizationRequest.Builder(client)
            : new DeviceAuthorizationRequest.Builder(authentication);
    DeviceAuthorizationResponse response =
        DeviceAuthorizationResponse.parse(
            request
                .scope(Scope.parse(asked.getAsString("scope")))
                .endpointURI(metadata.getDeviceAuthorizationEndpointURI())
                .build()
                .toHTTPRequest()
                .send());
    if (!response.indicatesSuccess()) {
      throw new Refusal(response.toErrorResponse().getErrorObject());
    }
    return response.toSuccessResponse();
  }

  /** RFC 8628 3.5: the library leaves the loop to its user. */
  private OIDCTokens poll(DeviceAuthorizationSuccessResponse codes) throws Exception {
    long interval = codes.getInterval();
    while (true) {
      Thread.sleep(interval * 1000);
      TokenResponse response = request(new DeviceCodeGrant(codes.getDeviceCode()));
      if (response.indicatesSuccess()) {
        return tokensOf(response);
      }
      ErrorObject error = response.toErrorResponse().getErrorObject();
      if (error.equals(DeviceAuthorizationGrantError.SLOW_DOWN)) {
        interval += 5;
      } else if (!error.equals(DeviceAuthorizationGrantError.AUTHORIZATION_PENDING)) {
        throw new Refusal(error);
      }
    }
  }

  private OIDCTokens refresh(RefreshToken token) throws Exception {
    TokenResponse response = request(new RefreshTokenGrant(token));
    if (!response.indicatesSuccess()) {
      throw new Refusal(response.toErrorResponse().getErrorObject());
    }
    return tokensOf(response);
  }

  private TokenResponse request(AuthorizationGrant grant) throws Exception {
    TokenRequest.Builder request =
        authentication == null
            ? new TokenRequest.Builder(metadata.getTokenEndpointURI(), client, grant)
            : new TokenRequest.Builder(metadata.getTokenEndpointURI(), authentication, grant);
    return OIDCTokenResponseParser.parse(request.build().toHTTPRequest().send());
  }

  private static OIDCTokens tokensOf(TokenResponse response) {
    return response.toSuccessResponse().getTokens().toOIDCTokens();
  }

  /** The tokens, and the claims of the ID token (OpenID Connect Core 3.1.3.7). */
  private Map<String, Object> factsOf(OIDCTokens tokens) throws Exception {
    IDTokenValidator validator =
        new IDTokenValidator(
            metadata.getIssuer(),
            client,
            metadata.getIDTokenJWSAlgs().get(0),
            metadata.getJWKSetURI().toURL());
    JSONObject facts = tokens.toJSONObject();
    facts.put("claims", validator.validate(tokens.getIDToken(), null).toJSONObject());
    return facts;
  }

  /** The claims of the access token, checked as an API does it (RFC 9068 4). */
  private JWTClaimsSet validate(OIDCTokens tokens) throws Exception {
    JWKSource<SecurityContext> keys =
        JWKSourceBuilder.create(metadata.getJWKSetURI().toURL()).build();
    Set<JWSAlgorithm> algorithms = new HashSet<>(metadata.getIDTokenJWSAlgs());
    String issuer = metadata.getIssuer().getValue();
    DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
    processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(ACCESS_TOKEN));
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(algorithms, keys));
    processor.setJWTClaimsSetVerifier(
        new DefaultJWTClaimsVerifier<>(
            issuer,
            new JWTClaimsSet.Builder().issuer(issuer).build(),
            Set.of("sub", "exp", "iat", "jti", "client_id")));
    return processor.process(tokens.getAccessToken().getValue(), null);
  }

  private JSONObject person(OIDCTokens tokens) throws Exception {
    UserInfoRequest request =
        new UserInfoRequest(metadata.getUserInfoEndpointURI(), tokens.getAccessToken());
    UserInfoResponse response = UserInfoResponse.parse(request.toHTTPRequest().send());
    return response.toSuccessResponse().getUserInfo().toJSONObject();
  }

  private int revoke(RefreshToken token) throws Exception {
    TokenRevocationRequest request =
        authentication == null
            ? new TokenRevocationRequest(metadata.getRevocationEndpointURI(), client, token)
            : new TokenRevocationRequest(metadata.getRevocationEndpointURI(), authentication, token);
    return request.toHTTPRequest().send().getStatusCode();
  }
}
