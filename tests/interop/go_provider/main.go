// An OpenID provider by zitadel/oidc: its issuer ends in a slash, its ID tokens are signed with RS256,
// and they leave the profile to userinfo. Its one person is test-user@localhost.
//
// Its one argument is JSON: `port` and `back` (the redirect URI). It says "listening" before it does.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

func main() {
	var options struct {
		Port int    `json:"port"`
		Back string `json:"back"`
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &options); err != nil {
		panic(err)
	}
	issuer := fmt.Sprintf("http://localhost:%d/", options.Port)
	storage.RegisterClients(storage.WebClient("deviceflow", os.Getenv("CLIENT_SECRET"), options.Back))
	store := storage.NewStorage(storage.NewUserStore(issuer))
	router := exampleop.SetupServer(issuer, store, slog.New(slog.NewTextHandler(io.Discard, nil)), false)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", options.Port))
	if err != nil {
		panic(err)
	}
	fmt.Println("listening")
	panic(http.Serve(listener, router))
}
