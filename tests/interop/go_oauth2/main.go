// A device made with golang.org/x/oauth2 and coreos/go-oidc. What it is asked: the JSON of its
// argument; what it tells: a line of JSON for each step (tests/interop/peer.py).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

type asked struct {
	Issuer       string `json:"issuer"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Auth         string `json:"auth"`
	Scope        string `json:"scope"`
	PKCE         bool   `json:"pkce"`
	OnlyDiscover bool   `json:"only_discover"`
}

type said map[string]any

func tell(step string, words said) {
	words["step"] = step
	line, _ := json.Marshal(words)
	fmt.Println(string(line))
}

func main() {
	var wanted asked
	if err := json.Unmarshal([]byte(os.Args[1]), &wanted); err != nil {
		panic(err)
	}
	if err := run(context.Background(), wanted); err != nil {
		tell("failed", said{"error": code(err), "text": err.Error()})
		return
	}
	tell("done", said{})
}

// code is the OAuth error that the server told, or the library's own way to say that it gave up.
func code(err error) string {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return refused.ErrorCode
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline exceeded"
	}
	return "other"
}

func run(ctx context.Context, wanted asked) error {
	provider, err := oidc.NewProvider(ctx, wanted.Issuer)
	if err != nil {
		return err
	}
	var metadata map[string]any
	if err := provider.Claims(&metadata); err != nil {
		return err
	}
	tell("discovered", said{"metadata": metadata})
	if wanted.OnlyDiscover {
		return nil
	}
	config := oauth2.Config{
		ClientID:     wanted.ClientID,
		ClientSecret: wanted.ClientSecret,
		Endpoint:     provider.Endpoint(),
		Scopes:       []string{wanted.Scope},
	}
	// Without this the library tries both styles at each poll.
	switch wanted.Auth {
	case "client_secret_basic":
		config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	case "client_secret_post", "none":
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return play(ctx, wanted, provider, &config)
}

func play(ctx context.Context, wanted asked, provider *oidc.Provider, config *oauth2.Config) error {
	var asking, proving []oauth2.AuthCodeOption
	if wanted.PKCE {
		verifier := oauth2.GenerateVerifier()
		asking = append(asking, oauth2.S256ChallengeOption(verifier))
		proving = append(proving, oauth2.VerifierOption(verifier))
	}
	if wanted.Auth == "client_secret_post" {
		// The library authenticates at the token endpoint alone.
		asking = append(asking, oauth2.SetAuthURLParam("client_secret", wanted.ClientSecret))
	}
	authorized, err := config.DeviceAuth(ctx, asking...)
	if err != nil {
		return err
	}
	tell("authorized", said{
		"device_code":               authorized.DeviceCode,
		"user_code":                 authorized.UserCode,
		"verification_uri":          authorized.VerificationURI,
		"verification_uri_complete": authorized.VerificationURIComplete,
		"interval":                  authorized.Interval,
	})
	token, err := config.DeviceAccessToken(ctx, authorized, proving...)
	if err != nil {
		return err
	}
	if err := tellTokens(ctx, "tokens", provider, config, token); err != nil {
		return err
	}
	if err := tellPerson(ctx, provider, token); err != nil {
		return err
	}
	if token.RefreshToken == "" {
		return nil
	}
	next, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil {
		return err
	}
	if err := tellTokens(ctx, "refreshed", provider, config, next); err != nil {
		return err
	}
	return revoke(ctx, provider, config, next)
}

func tellTokens(
	ctx context.Context, step string, provider *oidc.Provider, config *oauth2.Config,
	token *oauth2.Token,
) error {
	words := said{
		"access_token":  token.AccessToken,
		"refresh_token": token.RefreshToken,
		"token_type":    token.TokenType,
		"expires_in":    token.ExpiresIn,
		"scope":         token.Extra("scope"),
	}
	if raw, ok := token.Extra("id_token").(string); ok {
		verified, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, raw)
		if err != nil {
			return err
		}
		claims := map[string]any{}
		if err := verified.Claims(&claims); err != nil {
			return err
		}
		words["id_token"], words["claims"] = raw, claims
	}
	tell(step, words)
	return validate(ctx, step, provider, token)
}

// validate is what a resource server does with an access token.
func validate(ctx context.Context, step string, provider *oidc.Provider, token *oauth2.Token) error {
	if step != "tokens" {
		return nil
	}
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return err
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: metadata.Issuer})
	verified, err := verifier.Verify(ctx, token.AccessToken)
	if err != nil {
		return err
	}
	claims := map[string]any{}
	if err := verified.Claims(&claims); err != nil {
		return err
	}
	tell("validated", said{"claims": claims})
	return nil
}

func tellPerson(ctx context.Context, provider *oidc.Provider, token *oauth2.Token) error {
	if token.Extra("id_token") == nil {
		return nil
	}
	person, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return err
	}
	claims := map[string]any{}
	if err := person.Claims(&claims); err != nil {
		return err
	}
	tell("userinfo", said{"claims": claims})
	return nil
}

// revoke: the library has no call for RFC 7009. Afterwards its refresh has to fail.
func revoke(
	ctx context.Context, provider *oidc.Provider, config *oauth2.Config, token *oauth2.Token,
) error {
	var metadata struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return err
	}
	form := url.Values{"token": {token.RefreshToken}, "client_id": {config.ClientID}}
	if config.Endpoint.AuthStyle == oauth2.AuthStyleInParams && config.ClientSecret != "" {
		form.Set("client_secret", config.ClientSecret)
	}
	request, err := http.NewRequest("POST", metadata.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if config.Endpoint.AuthStyle == oauth2.AuthStyleInHeader {
		request.SetBasicAuth(url.QueryEscape(config.ClientID), url.QueryEscape(config.ClientSecret))
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	answer.Body.Close()
	tell("revoked", said{"status": answer.StatusCode})
	_, err = config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	return err
}
