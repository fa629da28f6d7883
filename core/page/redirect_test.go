package page

import (
	"errors"
	"strings"
	"testing"
)

func TestRedirect(t *testing.T) {
	for _, tt := range []struct {
		name, target string
		ok           bool
	}{
		{"a path", "/maintenance.html", true},
		{"the front page", "/", true},
		{"a path with a final slash", "/status/", true},
		{"a path with a query and a fragment", "/status?from=/a//b&x=%2F..#now", true},
		{"an encoded letter", "/wartungs%C3%A4rger", true},
		{"an absolute URL", "https://status.example.com/incidents?page=1", true},
		{"an absolute URL with a port", "http://localhost:8080", true},
		{"an IPv6 host", "http://[2001:db8::1]:8080/", true},
		{"the scheme in capitals", "HTTPS://status.example.com/", true},

		{"another host by two slashes", "//evil.example", false},
		{"another host by three slashes (angular CVE-2026-27738)", "///evil.example", false},
		{"another host by a backslash (angular CVE-2026-33397)", `/\evil.example`, false},
		{"backslashes alone", `\\evil.example`, false},
		{"two slashes further down (gin CVE-2023-26125)", "/a//evil.example", false},
		{"an encoded tab before the slash (echo GHSA-v753-g4cw-jm48)", "/%09/evil.example/", false},
		{"a raw tab, which browsers drop", "/\t/evil.example/", false},
		{"an encoded line break", "/a%0d%0aSet-Cookie:x=1", false},
		{"a raw line break", "/a\r\nSet-Cookie: x=1", false},
		{"a raw line break in the query", "/a?b\r\nSet-Cookie: x=1", false},
		{"a backslash in the query", `/a?b=\c`, false},
		{"NUL", "/a%00", false},
		{"DEL", "/a%7f", false},
		{"an encoded backslash", "/%5cevil.example", false},
		{"an encoded slash", "/%2fevil.example", false},
		{"a slash encoded twice", "/%252fevil.example", false},
		{"encoded dots", "/%2e%2e/evil", false},
		{"dot segments", "/a/../../evil", false},
		{"a dot segment", "/./evil", false},
		{"a final dot segment", "/a/..", false},
		{"a broken escape", "/%zz", false},
		{"a blank", "/a b", false},
		{"a leading blank", " /a", false},
		{"letters beyond ASCII", "/ä", false},
		{"no slash", "status", false},
		{"a query alone", "?a", false},
		{"a script", "javascript:alert(1)", false},
		{"data", "data:text/html,x", false},
		{"another scheme", "ftp://example.com/", false},
		{"no host", "https:///evil.example", false},
		{"no host and no slashes", "https:evil.example", false},
		{"a port alone", "https://:443/", false},
		{"a user name", "https://example.com@evil.example/", false},
		{"an empty user name", "https://@evil.example/", false},
		{"a backslash in the host", `https://evil.example\@example.com/`, false},
		{"an encoded host", "https://evil%2eexample/", false},
		{"a port that is none", "https://example.com:http/", false},
		{"an encoded control in an absolute path", "https://example.com/%0d%0a", false},
		{"an encoded backslash in an absolute path", "https://example.com/%5c", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			renderer, err := New(Config{Redirect: tt.target})
			switch {
			case !tt.ok:
				if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "redirect") {
					t.Fatalf("New = %v, want an error about the redirect %q", err, tt.target)
				}
			case err != nil:
				t.Fatal(err)
			default:
				answer := prepare(t, renderer, Notice{}).Choose(Auto, "", "")
				if got := value(answer, "Location"); got != tt.target {
					t.Errorf("Location is %q, want %q", got, tt.target)
				}
			}
		})
	}
}

func TestRedirectIsForThoseWhoDoNotAskForJSON(t *testing.T) {
	renderer, err := New(Config{Redirect: `/status?a=1&b="2"`, Status: 502})
	if err != nil {
		t.Fatal(err)
	}
	set := prepare(t, renderer, Notice{RetryAfter: 60e9, Messages: map[string]string{"de": "Gleich zurück"}})
	for _, tt := range []struct {
		name   string
		forced Type
		accept string
		status int
		body   string
	}{
		{"a browser is sent away", Auto, "text/html", 302, `<a href="/status?a=1&amp;b=&#34;2&#34;">`},
		{"whoever accepts anything is sent away", Auto, "*/*", 302, "<a href="},
		{"text is sent away", Auto, "text/plain", 302, `See /status?a=1&b="2"`},
		{"JSON is answered", Auto, "application/json", 502, `"status":502`},
		{"a problem is answered", Auto, "application/problem+json", 502, `"status":502`},
		{"a vendor's JSON is answered", Auto, "application/vnd.api+json", 502, `"status":502`},
		{"JSON by force is answered", JSON, "text/html", 502, `"status":502`},
		{"a problem by force is answered", Problem, "text/html", 502, `"status":502`},
		{"HTML by force is sent away", HTML, "application/json", 302, "<a href="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer := set.Choose(tt.forced, tt.accept, "de")
			if answer.Status != tt.status || !strings.Contains(string(answer.Body), tt.body) {
				t.Errorf("got %d %s, want %d with %s", answer.Status, answer.Body, tt.status, tt.body)
			}
			if location := value(answer, "Location"); (location != "") != (tt.status == 302) {
				t.Errorf("%d with Location %q", answer.Status, location)
			}
			checkCommonFields(t, answer)
			if got := value(answer, "Retry-After"); got != "60" {
				t.Errorf("Retry-After is %q, want 60", got)
			}
		})
	}
}
