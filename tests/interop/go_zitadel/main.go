// A device made with zitadel/oidc. Its argument is one JSON object; it prints a line of JSON for
// each step (tests/interop/peer.py).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/oauth2"
)

type request struct {
	Issuer       string `json:"issuer"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Auth         string `json:"auth"`
	Scope        string `json:"scope"`
	OnlyDiscover bool   `json:"only_discover"`
}

type facts map[string]any

func tell(step string, known facts) {
	known["step"] = step
	line, _ := json.Marshal(known)
	fmt.Println(string(line))
}

func main() {
	var asked request
	if err := json.Unmarshal([]byte(os.Args[1]), &asked); err != nil {
		panic(err)
	}
	if err := run(context.Background(), asked); err != nil {
		tell("failed", facts{"error": code(err), "text": err.Error()})
		return
	}
	tell("done", facts{})
}

// code is the OAuth error of the server's answer, or the library's own words.
func code(err error) string {
	var refused *oidc.Error
	var retrieved *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return string(refused.ErrorType)
	case errors.As(err, &retrieved):
		return retrieved.ErrorCode
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline exceeded"
	}
	return err.Error()
}

// plainAuthStyle: one way to send the secret; otherwise the library tries both.
func plainAuthStyle(auth string) oauth2.AuthStyle {
	if auth == "client_secret_basic" {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

func run(ctx context.Context, asked request) error {
	scopes := strings.Fields(asked.Scope)
	party, err := rp.NewRelyingPartyOIDC(
		ctx, asked.Issuer, asked.ClientID, asked.ClientSecret, "", scopes,
		rp.WithAuthStyle(plainAuthStyle(asked.Auth)),
		// Without this the library accepts RS256 alone.
		rp.WithSigningAlgsFromDiscovery(),
	)
	if err != nil {
		return err
	}
	metadata, err := client.Discover(ctx, asked.Issuer, party.HttpClient())
	if err != nil {
		return err
	}
	tell("discovered", facts{"metadata": metadata})
	if asked.OnlyDiscover {
		return nil
	}
	return play(ctx, party, metadata, scopes)
}

func play(
	ctx context.Context, party rp.RelyingParty, metadata *oidc.DiscoveryConfiguration,
	scopes []string,
) error {
	codes, err := rp.DeviceAuthorization(ctx, scopes, party, nil)
	if err != nil {
		return err
	}
	tell("authorized", facts{
		"device_code":      codes.DeviceCode,
		"user_code":        codes.UserCode,
		"verification_uri": codes.VerificationURI,
		"interval":         codes.Interval,
	})
	// The library polls until it is told to stop.
	waiting, stop := context.WithTimeout(ctx, time.Duration(codes.ExpiresIn)*time.Second)
	defer stop()
	interval := time.Duration(codes.Interval) * time.Second
	tokens, err := rp.DeviceAccessToken(waiting, codes.DeviceCode, interval, party)
	if err != nil {
		return err
	}
	claims, err := rp.VerifyIDToken[*oidc.IDTokenClaims](ctx, tokens.IDToken, party.IDTokenVerifier())
	if err != nil {
		return err
	}
	tell("tokens", facts{
		"access_token":  tokens.AccessToken,
		"refresh_token": tokens.RefreshToken,
		"id_token":      tokens.IDToken,
		"token_type":    tokens.TokenType,
		"scope":         tokens.Scope.String(),
		"claims":        claims,
	})
	if err := validate(ctx, party, metadata, tokens.AccessToken); err != nil {
		return err
	}
	person, err := rp.Userinfo[*oidc.UserInfo](
		ctx, tokens.AccessToken, tokens.TokenType, claims.Subject, party,
	)
	if err != nil {
		return err
	}
	tell("userinfo", facts{"claims": person})
	return refresh(ctx, party, tokens.RefreshToken)
}

// validate reads an access token as an API does.
func validate(
	ctx context.Context, party rp.RelyingParty, metadata *oidc.DiscoveryConfiguration, token string,
) error {
	keys := rp.NewRemoteKeySet(party.HttpClient(), metadata.JwksURI)
	algorithms := op.WithSupportedAccessTokenSigningAlgorithms(
		metadata.IDTokenSigningAlgValuesSupported...,
	)
	verifier := op.NewAccessTokenVerifier(metadata.Issuer, keys, algorithms)
	claims, err := op.VerifyAccessToken[*oidc.AccessTokenClaims](ctx, token, verifier)
	if err != nil {
		return err
	}
	tell("validated", facts{"claims": facts{"aud": claims.Audience[0], "sub": claims.Subject}})
	return nil
}

// refresh twice: once with a good token, and once after the login has been ended.
func refresh(ctx context.Context, party rp.RelyingParty, token string) error {
	next, err := rp.RefreshTokens[*oidc.IDTokenClaims](ctx, party, token, "", "")
	if err != nil {
		return err
	}
	tell("refreshed", facts{
		"access_token":  next.AccessToken,
		"refresh_token": next.RefreshToken,
		"id_token":      next.IDToken,
		"claims":        next.IDTokenClaims,
	})
	if err := rp.RevokeToken(ctx, party, next.RefreshToken, "refresh_token"); err != nil {
		return err
	}
	tell("revoked", facts{})
	_, err = rp.RefreshTokens[*oidc.IDTokenClaims](ctx, party, next.RefreshToken, "", "")
	return err
}
