import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.security.oauth2.client.oidc.authentication.OidcIdTokenDecoderFactory;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.introspection.SpringOpaqueTokenIntrospector;
import tools.jackson.databind.json.JsonMapper;

/**
 * A resource server made with Spring Security. What it is asked: the JSON of its argument; what it
 * tells: a line of JSON for each step (tests/interop/peer.py).
 */
public class Peer {
  private static final JsonMapper JSON = new JsonMapper();

  private static void tell(String step, Map<String, ?> said) {
    Map<String, Object> line = new LinkedHashMap<>(said);
    line.put("step", step);
    System.out.println(JSON.writeValueAsString(line));
  }

  public static void main(String[] arguments) {
    @SuppressWarnings("unchecked")
    Map<String, String> asked = JSON.readValue(arguments[0], Map.class);
    try {
      play(asked);
      tell("done", Map.of());
    } catch (RuntimeException error) {
      tell("failed", Map.of("error", error.getClass().getSimpleName(), "text", "" + error.getMessage()));
    }
  }

  private static void play(Map<String, String> asked) {
    String issuer = asked.get("issuer");
    ClientRegistration client =
        ClientRegistrations.fromIssuerLocation(issuer)
            .clientId(asked.get("client_id"))
            .authorizationGrantType(AuthorizationGrantType.DEVICE_CODE)
            .build();
    tell("discovered", Map.of("metadata", client.getProviderDetails().getConfigurationMetadata()));
    if (asked.containsKey("id_token")) {
      tell("signed in", Map.of("claims", identify(client, asked.get("id_token")).getClaims()));
    }
    if (asked.containsKey("access_token")) {
      tell("validated", Map.of("claims", validate(asked).getClaims()));
      tell("introspected", Map.of("claims", introspect(client, asked)));
    }
  }

  private static Jwt identify(ClientRegistration client, String token) {
    OidcIdTokenDecoderFactory decoders = new OidcIdTokenDecoderFactory();
    // Its own default is RS256, whatever the metadata say.
    decoders.setJwsAlgorithmResolver(registration -> SignatureAlgorithm.ES256);
    return decoders.createDecoder(client).decode(token);
  }

  /** RFC 9068 4, as Spring's own validator of that name does it. */
  private static Jwt validate(Map<String, String> asked) {
    NimbusJwtDecoder decoder =
        NimbusJwtDecoder.withIssuerLocation(asked.get("issuer")).validateType(false).build();
    decoder.setJwtValidator(
        JwtValidators.createAtJwtValidator()
            .issuer(asked.get("issuer"))
            .clientId(asked.get("client_id"))
            .audience(asked.get("issuer"))
            .build());
    return decoder.decode(asked.get("access_token"));
  }

  private static Map<String, Object> introspect(
      ClientRegistration client, Map<String, String> asked) {
    Object uri =
        client.getProviderDetails().getConfigurationMetadata().get("introspection_endpoint");
    Map<String, Object> found =
        SpringOpaqueTokenIntrospector.withIntrospectionUri(uri.toString())
            .clientId(asked.get("resource_server"))
            .clientSecret(asked.get("client_secret"))
            .build()
            .introspect(asked.get("access_token"))
            .getAttributes();
    return Map.of("sub", found.get("sub"), "client_id", found.get("client_id"));
  }
}
