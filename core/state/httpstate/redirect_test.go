package httpstate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state/httpstate"
)

// sends redirects everything.
func sends(status int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
		fmt.Fprint(w, "over there")
	}
}

func TestRedirectsAreFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		there := &publisher{data: []byte(document), tag: `"1"`}
		b := backend(t, "https://here/", through(network{"https://here": sends(status, "https://there/recess.json?a=b#x"), "https://there": there}))
		doc := read(t, b)
		if string(doc.Data) != document {
			t.Errorf("%d: %q", status, doc.Data)
		}
		if r := there.last(); r.Method != "GET" || r.URL.RequestURI() != "/recess.json?a=b" || r.Header.Get("Referer") != "" {
			t.Errorf("%d: %s %s, %v", status, r.Method, r.URL, r.Header)
		}
		unchanged(t, b, doc.Rev)
		if got := there.last().Header.Get("If-None-Match"); got != `"1"` {
			t.Errorf("%d: the second time it is asked with If-None-Match %q", status, got)
		}
	}
}

// TestAnEntityTagIsOnePlacesOwn: after a redirect to another place the same tag means another document.
func TestAnEntityTagIsOnePlacesOwn(t *testing.T) {
	old, young := &publisher{data: []byte("on"), tag: `"1"`}, &publisher{data: []byte("off"), tag: `"1"`}
	target := "https://old/"
	here := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sends(302, target)(w, r) })
	b := backend(t, "https://here/", through(network{"https://here": here, "https://old": old, "https://young": young}))
	first := read(t, b)
	target = "https://young/"
	if second := read(t, b); second.Rev == first.Rev {
		t.Error("it is taken for the same document")
	}
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	there := &publisher{data: []byte(document)}
	for _, c := range []struct{ name, from, to, says string }{
		{"from https to http", "https://here", "http://there/", "302 Found: it sends from https to http, to there, where anybody on the way could change the answer"},
		{"from https to http on the same host", "https://here", "http://here/", "to here,"},
		{"in a circle", "https://here", "https://here/", "there are more than 5 redirects"},
		{"to another kind of place", "https://here", "file:///etc/passwd", "302 Found: the place that it sends to cannot be asked by HTTP"},
		{"to a script", "http://here", "javascript:alert(1)", "cannot be asked by HTTP"},
		{"to nowhere", "http://here", "", "the place that it sends to is no URL"},
		{"to nonsense", "http://here", "http://[::1", "the place that it sends to is no URL"},
		{"to no host", "http://here", "http:///x", "cannot be asked by HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := backend(t, c.from+"/", through(network{c.from: sends(302, c.to), "http://there": there, "https://there": there}))
			fails(t, b, c.says)
		})
	}
	if len(there.asked) > 0 {
		t.Errorf("it was asked all the same: %v", there.asked)
	}
}

func TestFiveRedirectsAreFollowedAndNotSix(t *testing.T) {
	way := network{"https://host5": &publisher{data: []byte(document)}}
	for n := range 5 {
		way[fmt.Sprintf("https://host%d", n)] = sends(302, fmt.Sprintf("https://host%d/", n+1))
	}
	way["https://host"] = sends(302, "https://host0/")
	read(t, backend(t, "https://host0/", through(way)))
	fails(t, backend(t, "https://host/", through(way)), "more than 5")
}

func TestAHigherKindOfTransportOnTheWayIsNotGivenUpLater(t *testing.T) {
	b := backend(t, "http://a/", through(network{
		"http://a": sends(302, "https://b/"), "https://b": sends(302, "http://c/"), "http://c": &publisher{data: []byte("on")},
	}))
	fails(t, b, "from https to http, to c,")
}

// TestCredentialsStayWhereTheyBelong sends a look elsewhere, and asks what was told there.
func TestCredentialsStayWhereTheyBelong(t *testing.T) {
	for _, c := range []struct {
		name, from string
		way        []string
		told       bool
	}{
		{"no redirect", "https://host/", nil, true},
		{"another path", "https://host/", []string{"https://host/b"}, true},
		{"a relative one", "https://host/", []string{"/b"}, true},
		{"the port said", "https://host/", []string{"https://host:443/b"}, true},
		{"the host in capitals", "https://host/", []string{"https://HOST/b"}, true},
		{"https instead of http", "http://host/", []string{"https://host/b"}, true},
		{"another host", "https://host/", []string{"https://other/b"}, false},
		{"a host below it", "https://host/", []string{"https://sub.host/b"}, false},
		{"another port", "https://host/", []string{"https://host:8443/b"}, false},
		{"another port and https", "http://host:8080/", []string{"https://host/b"}, false},
		{"another host, and back", "https://host/", []string{"https://other/b", "https://host/c"}, false},
		{"credentials in the redirect", "https://host/", []string{"https://mallory:x@other/b"}, false},
		{"no host", "https://host/", []string{"//other/b"}, false},
	} {
		for kind, set := range map[string]func(u string, c *httpstate.Config) string{
			"a password": func(u string, _ *httpstate.Config) string { return strings.Replace(u, "//", "//user:hunter2@", 1) },
			"a token": func(u string, c *httpstate.Config) string {
				c.Token = func() (string, error) { return "hunter2", nil }
				return u
			},
			"a header": func(u string, c *httpstate.Config) string {
				c.Header = http.Header{"x-api-key": {"hunter2"}, "Authorization": {"Digest hunter2"}}
				return u
			},
		} {
			t.Run(c.name+", "+kind, func(t *testing.T) {
				var last *http.Request
				hops := 0
				everywhere := anywhere(func(w http.ResponseWriter, r *http.Request) {
					last = r
					if hops < len(c.way) {
						hops++
						sends(307, c.way[hops-1])(w, r)
						return
					}
					fmt.Fprint(w, "on")
				})
				config := through(everywhere)
				b := backend(t, set(c.from, &config), config)
				read(t, b)
				if told := last.Header.Get("Authorization")+last.Header.Get("X-Api-Key") != ""; told != c.told {
					t.Errorf("%s was told %v", last.URL, last.Header)
				}
				if last.URL.User != nil {
					t.Errorf("it was asked as %s", last.URL.User)
				}
			})
		}
	}
}

// anywhere is a network of one handler for all hosts.
type anywhere http.HandlerFunc

func (h anywhere) RoundTrip(r *http.Request) (*http.Response, error) {
	return roundTrip(http.HandlerFunc(h), r)
}

func TestAFailureAfterARedirectSaysWhere(t *testing.T) {
	b := backend(t, "https://here/", through(network{"https://here": sends(302, "https://u:hunter2@there/x?hunter2"), "https://there": &publisher{status: 403}}))
	fails(t, b, "https://here/: 403 Forbidden from there, where it was redirected to: who asks")
}
