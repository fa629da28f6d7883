package command_test

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/admin"
	"github.com/recess-go/recess/core/cmd/recess/command"
)

// TestExplainAsksARunningService has the command ask a service whose rules stand in its code.
func TestExplainAsksARunningService(t *testing.T) {
	b := newBackend(t)
	engine, err := recess.New(t.Context(), recess.Config{Backend: b, Policy: recess.Policy{
		ControlPath: "/maintenance", AllowPaths: []string{"/in/code"}, AdminTokens: []recess.AdminToken{{Name: "ci", Hash: sha256.Sum256([]byte("right"))}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	panel, err := admin.New(admin.Config{Engine: engine, Authorize: func(*http.Request) admin.Access { return admin.Access{} }})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	mux := http.NewServeMux()
	mux.Handle("/maintenance/", panel)
	mux.Handle("/moved/", http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	server := httptest.NewServer(mux)
	defer server.Close()
	if got := runWith(t.Context(), command.Options{Backend: b}, nil, "", "on"); got.code != 0 {
		t.Fatalf("on: %s", got.err)
	}
	token := func(text string) string {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := token("right")
	for _, c := range []struct {
		name, in string
		args     []string
		code     int
		out, err string
	}{
		{"a rule of the code", "", []string{"--service", server.URL + "/maintenance", "--token-file", right, "--path", "/in/code"}, 0, "It gets in: path /in/code\n", ""},
		{"a final slash", "", []string{"--service", server.URL + "/maintenance/", "--token-file", right, "--path", "/"}, 0, "It is refused: window\n", ""},
		{"the token from standard input", "right", []string{"--service", server.URL + "/maintenance", "--token-file", "-", "--exit-code"}, 10, "It is refused", ""},
		{"a wrong token", "", []string{"--service", server.URL + "/maintenance", "--token-file", token("wrong")}, 1, "", "it answers 401: nobody has this token"},
		{"a question that makes no sense", "", []string{"--service", server.URL + "/maintenance", "--token-file", right, "--path", "x"}, 2, "", "path: it begins with a slash"},
		{"another place", "", []string{"--service", server.URL + "/nowhere", "--token-file", right}, 1, "", "it answers 404, and not as the admin panel does"},
		{"somebody else, by a redirect", "", []string{"--service", server.URL + "/moved", "--token-file", right}, 1, "", "it answers 307"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := runWith(t.Context(), command.Options{Backend: b}, nil, c.in, append([]string{"explain"}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !strings.Contains(got.err, c.err) || strings.Contains(got.err, "right") {
				t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
			}
		})
	}
	if elsewhere > 0 {
		t.Error("the token went to another server")
	}
}
