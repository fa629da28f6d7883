package config_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// TestAStateCanBeFollowedByHTTP, alone and where another one does not answer, without an import of the application's own.
func TestAStateCanBeFollowedByHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "on") }))
	defer server.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, url := range map[string]string{
		"alone":      server.URL + "/recess.json?site=eu#timeout=10s",
		"in a list":  "multi:" + gone.URL + " " + server.URL,
		"over lines": "multi:\n  " + gone.URL + "\n  " + server.URL + "\n",
	} {
		c, err := loadOver(t, recess.Config{}, "RECESS_STATE="+url)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		doc, err := state.Read(t.Context(), c.Backend)
		if err != nil || !strings.Contains(string(doc.Data), state.SwitchID) {
			t.Errorf("%s: %q, %v", name, doc.Data, err)
		}
	}
}

func TestAStateURLOfHTTPThatIsWrongIsAFaultWithoutItsSecret(t *testing.T) {
	_, err := loadOver(t, recess.Config{}, "RECESS_STATE=https://alice:hunter2@example.com/x?hunter2#token_env=OPS_NO_TOKEN")
	want := `RECESS_STATE="https://…@example.com/x?…": httpstate: open: the parameter token_env: the environment variable OPS_NO_TOKEN is not set`
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
