package peer;

import static org.springframework.security.config.Customizer.withDefaults;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.annotation.Order;
import org.springframework.http.MediaType;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.AuthenticationException;
import org.springframework.security.oauth2.core.OAuth2AuthenticationException;
import org.springframework.security.oauth2.server.authorization.OAuth2AuthorizationConsent;
import org.springframework.security.oauth2.server.authorization.OAuth2AuthorizationConsentService;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.authentication.LoginUrlAuthenticationEntryPoint;
import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.security.web.util.matcher.MediaTypeRequestMatcher;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.util.HtmlUtils;
import org.springframework.web.util.UriUtils;

/** The authorization server with its defaults, and the one page that it leaves to applications. */
@SpringBootApplication
@RestController
public class Peer {

  public static void main(String[] arguments) {
    SpringApplication.run(Peer.class, arguments);
  }

  @Bean
  @Order(1)
  SecurityFilterChain protocol(HttpSecurity http) throws Exception {
    return http.oauth2AuthorizationServer(
            server -> {
              http.securityMatcher(server.getEndpointsMatcher());
              server
                  .oidc(withDefaults())
                  .deviceAuthorizationEndpoint(device -> device.verificationUri("/activate"))
                  .deviceVerificationEndpoint(
                      page -> page.errorResponseHandler(Peer::showError));
            })
        .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
        .exceptionHandling(
            errors ->
                errors.defaultAuthenticationEntryPointFor(
                    new LoginUrlAuthenticationEntryPoint("/login"),
                    new MediaTypeRequestMatcher(MediaType.TEXT_HTML)))
        .build();
  }

  @Bean
  @Order(2)
  SecurityFilterChain pages(HttpSecurity http) throws Exception {
    return http.authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
        .formLogin(withDefaults())
        .build();
  }

  /** The page where a person types the code of a device. */
  @GetMapping(path = "/activate", produces = "text/html")
  String activate(@RequestParam(name = "user_code", defaultValue = "") String code, CsrfToken csrf) {
    return """
        <!doctype html><title>Activate</title>
        <form method="post" action="/oauth2/device_verification">
        <input type="hidden" name="%s" value="%s">
        <input id="code" name="user_code" value="%s">
        <button id="send">Send</button></form>
        """
        .formatted(csrf.getParameterName(), csrf.getToken(), HtmlUtils.htmlEscape(code));
  }

  /** Where the server leads a person after an approval: to /?success. */
  @GetMapping(path = "/", produces = "text/html")
  String done(@RequestParam(name = "error", defaultValue = "") String error) {
    String outcome = error.isEmpty() ? "approved" : error;
    return "<!doctype html><title>Done</title><h1 id=\"outcome\">%s</h1>"
        .formatted(HtmlUtils.htmlEscape(outcome));
  }

  /** By default, a denial and a wrong code are one and the same page of errors. */
  private static void showError(
      HttpServletRequest request, HttpServletResponse response, AuthenticationException problem)
      throws IOException {
    String code = ((OAuth2AuthenticationException) problem).getError().getErrorCode();
    response.sendRedirect("/?error=" + UriUtils.encode(code, StandardCharsets.UTF_8));
  }

  /** Forgets every consent, so that each request is asked about. By default, one is enough. */
  @Bean
  OAuth2AuthorizationConsentService consents() {
    return new OAuth2AuthorizationConsentService() {
      @Override
      public void save(OAuth2AuthorizationConsent consent) {}

      @Override
      public void remove(OAuth2AuthorizationConsent consent) {}

      @Override
      public OAuth2AuthorizationConsent findById(String clientId, String principal) {
        return null;
      }
    };
  }
}
