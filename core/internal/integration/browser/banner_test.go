// Package browser looks at what Recess writes with a real browser.
package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

// probe writes into the page what has become of the banner's style. It is not the banner's: each policy permits it by a
// nonce of its own.
const probe = `<script nonce="probe">document.body.dataset.ground = getComputedStyle(document.querySelector(".recess-banner")).backgroundColor</script>`

var planned = &recess.Maintenance{
	Planned:  true,
	StartsAt: time.Date(2026, time.November, 21, 22, 30, 0, 0, time.UTC), EndsAt: time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC),
}

// pages are sites with a policy each.
var pages = []struct {
	name, policy string
	banner       string
	works        bool
}{
	{"a nonce", "style-src 'nonce-bm9uY2U='; script-src 'nonce-probe' 'nonce-bm9uY2U='", string(planned.Banner("", "bm9uY2U=")), true},
	{"hashes", "style-src '" + page.BannerStyleHash + "'; script-src 'nonce-probe' '" + page.BannerScriptHash + "'", string(planned.Banner("", page.BannerInline)), true},
	{"files", "style-src 'self'; script-src 'nonce-probe' 'self'", `<link rel="stylesheet" href="/banner.css"><script defer src="/banner.js"></script>` + string(planned.Banner("", "")), true},
	{"no policy", "", string(planned.Banner("", page.BannerInline)), true},
	{"a policy that does not know of it", "script-src 'nonce-probe'", string(planned.Banner("", page.BannerInline)), false},
	{"yesterday's nonce", "script-src 'nonce-probe' 'nonce-bm9uY2U='", string(planned.Banner("", "eWVzdGVyZGF5")), false},
	{"nothing permitted", "script-src 'nonce-probe'", string(planned.Banner("", "")), false},
}

func TestTheBannerTellsTheVisitorsTime(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{place}", func(w http.ResponseWriter, r *http.Request) {
		var place int
		if _, err := fmt.Sscan(r.PathValue("place"), &place); err != nil {
			http.NotFound(w, r) // a favicon
			return
		}
		p := pages[place]
		if p.policy != "" {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; "+p.policy)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><html lang=en><title>Shop</title><body>%s%s</body></html>", p.banner, probe)
	})
	for name, text := range map[string]string{"text/css /banner.css": page.BannerStyle, "text/javascript /banner.js": page.BannerScript} {
		media, path, _ := strings.Cut(name, " ")
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			fmt.Fprint(w, text)
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	for place, p := range pages {
		t.Run(p.name, func(t *testing.T) {
			document := look(t, fmt.Sprintf("%s/%d", server.URL, place), "America/New_York")
			wants := []string{`<time datetime="2026-11-21T22:30Z">Saturday, 21 November 2026, 22:30 UTC</time>`, `data-ground="rgba(0, 0, 0, 0)"`}
			if p.works {
				wants = []string{
					`datetime="2026-11-21T22:30Z" title="Saturday, 21 November 2026, 22:30 UTC" lang="en-US" dir="auto">Saturday, November 21, 2026 at 5:30 PM EST</time>`,
					`>Saturday, November 21, 2026 at 10:00 PM EST</time>`, `data-ground="rgb(232, 240, 251)"`,
				}
			}
			for _, want := range wants {
				if !strings.Contains(document, want) {
					t.Errorf("the browser does not show %s:\n%s", want, document)
				}
			}
		})
	}
}

// A visitor in another zone and another language sees the same instant.
func TestTheBannerTellsTheTimeOfEveryZone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><body>%s%s", planned.Banner("", page.BannerInline), probe)
	}))
	defer server.Close()
	if document := look(t, server.URL, "Asia/Kolkata"); !strings.Contains(document, "Sunday, November 22, 2026 at 4:00 AM GMT+5:30") {
		t.Errorf("the browser shows another time:\n%s", document)
	}
}

// patience bounds a browser that hangs; it is no expectation.
const patience = 2 * time.Minute

// spaces are what browsers write between the parts of a time.
var spaces = regexp.MustCompile(`(?:\x{202f}|\x{a0}|&nbsp;)`)

// look opens an address in a browser that lives in a time zone, and returns the document once it is loaded.
func look(t *testing.T, address, zone string) string {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("LEFT OUT: chromium is not installed (Debian's package chromium brings it)")
	}
	home, err := os.MkdirTemp("", "recess-browser-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(home) // a helper of the browser may write there still: what is left then is the system's to remove
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-breakpad",
		"--no-first-run", "--lang=en-US", "--user-data-dir="+home, "--dump-dom", address)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TZ=" + zone, "LANG=en_US.UTF-8", "LANGUAGE=en_US"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with all the processes that it starts
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	var said strings.Builder
	c.Stderr = &said
	document, err := c.Output()
	if c.Process != nil {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what outlives it
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, said.String())
	}
	return spaces.ReplaceAllString(string(document), " ")
}
