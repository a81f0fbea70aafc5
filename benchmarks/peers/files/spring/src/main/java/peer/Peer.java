package peer;

import static org.springframework.security.config.Customizer.withDefaults;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.io.ClassPathResource;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.oauth2.server.authorization.JdbcOAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.OAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.web.SecurityFilterChain;

/** The authorization server with its defaults, and its own store of authorizations in a database. */
@SpringBootApplication
public class Peer {

  private static final String SCHEMA =
      "org/springframework/security/oauth2/server/authorization/oauth2-authorization-schema.sql";

  public static void main(String[] arguments) {
    SpringApplication.run(Peer.class, arguments);
  }

  @Bean
  SecurityFilterChain protocol(HttpSecurity http) throws Exception {
    return http.oauth2AuthorizationServer(
            server ->
                server
                    .oidc(withDefaults())
                    .deviceAuthorizationEndpoint(device -> device.verificationUri("/activate")))
        .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
        .build();
  }

  @Bean
  OAuth2AuthorizationService authorizations(
      JdbcTemplate jdbc, RegisteredClientRepository clients) throws IOException {
    Boolean missing =
        jdbc.queryForObject("SELECT to_regclass('oauth2_authorization') IS NULL", Boolean.class);
    if (Objects.equals(missing, Boolean.TRUE)) {
      // As the comment in the framework's own schema says, PostgreSQL wants text for blob.
      String schema = new ClassPathResource(SCHEMA).getContentAsString(StandardCharsets.UTF_8);
      jdbc.execute(schema.replaceAll("\\bblob\\b", "text"));
      // The framework looks a code up by its value, and leaves indexes to the application.
      for (String column : new String[] {"device_code_value", "user_code_value"}) {
        jdbc.execute("CREATE INDEX ON oauth2_authorization USING hash (" + column + ")");
      }
    }
    return new JdbcOAuth2AuthorizationService(jdbc, clients);
  }
}
