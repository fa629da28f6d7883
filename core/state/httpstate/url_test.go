package httpstate_test

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/httpstate"
)

func open(t *testing.T, url string) state.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestAURLThatCannotBeUsedSaysWhy(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty, nonsense := write("empty", " \n"), write("nonsense", "hunter2 hunter2")
	t.Setenv("OPS_EMPTY", " ")
	t.Setenv("OPS_TWO_WORDS", "hunter2 hunter2")
	t.Setenv("OPS_TOKEN", "hunter2")
	for _, c := range []struct{ name, url, says string }{
		{"no host", "https:", "names no host"},
		{"no host, but a path", "https:///recess.json", "names no host"},
		{"no slashes", "https:host/recess.json", "names no host"},
		{"a port alone", "http://:80/", "names no host"},
		{"a password without a host", "https://:hunter2", "cannot be parsed"},
		{"a slash in the password", "https://user:hunter2/hunter2@host/", "cannot be parsed"},
		{"a slash in a password of digits", "https://user:123/hunter2@host/", "an '@' after the host must be written %40"},
		{"a question mark in the password", "https://user:123?hunter2@host/", "an '@' after the host"},
		{"a hash in the password", "https://user:123#hunter2@host/", "there is an '@' after a '#'"},
		{"a percent sign in the password", "https://user:hunter2%@host/", "cannot be parsed"},
		{"a space in the password", "https://user:hunter2 x@host/", "cannot be parsed"},
		{"a control character", "https://host/\x7fhunter2", "cannot be parsed"},
		{"an unknown parameter", "https://host/#token=hunter2", "the parameter token: it is unknown: there are timeout, token_env, token_file, ca, cert, key"},
		{"a fragment of the site's", "https://host/#Hunter2", "after '#' come parameters of this package"},
		{"a parameter twice", "https://host/#timeout=1s&timeout=2s", "the parameter timeout is given twice"},
		{"a parameter without a value", "https://host/#timeout", "the parameter timeout has no value"},
		{"a bad percent sign", "https://host/#ca=%zz", "the parameter ca: a '%' must be written %25"},
		{"a time limit without a unit", "https://host/#timeout=2", "the parameter timeout: write a duration above 0, as in 2s"},
		{"a time limit of nothing", "https://host/#timeout=0s", "the parameter timeout: write"},
		{"a time limit below nothing", "https://host/#timeout=-1s", "the parameter timeout: write"},
		{"a token that is not there", "https://host/#token_env=OPS_NO_TOKEN", "the parameter token_env: the environment variable OPS_NO_TOKEN is not set"},
		{"a token that is empty", "https://host/#token_env=OPS_EMPTY", "OPS_EMPTY is not set"},
		{"a token in the place of its name", "https://host/#token_env=hunter2", "it takes a name, as in token_env=OPS_TOKEN, not the token"},
		{"a token of two words", "https://host/#token_env=OPS_TWO_WORDS", "it must be one word"},
		{"a token file that is not there", "https://host/#token_file=/hunter2", "the parameter token_file: the file that should hold the token cannot be read: no such file"},
		{"a token file that is empty", "https://host/#token_file=" + empty, "the file that should hold the token is empty"},
		{"a token file of two words", "https://host/#token_file=" + nonsense, "it must be one word"},
		{"two tokens", "https://host/#token_env=OPS_TOKEN&token_file=" + nonsense, "there is another token already"},
		{"a token and a password", "https://user:hunter2@host/#token_env=OPS_TOKEN", "there are user and password in the URL, and a token too"},
		{"roots without TLS", "http://host/#ca=" + empty, "ca, cert and key are for https"},
		{"roots that are not there", "https://host/#ca=/no/such/file", "the parameter ca: open /no/such/file"},
		{"roots that are none", "https://host/#ca=" + nonsense, "nonsense holds no certificate in PEM"},
		{"a certificate without a key", "https://host/#cert=" + nonsense, "cert and key go together"},
		{"a key without a certificate", "https://host/#key=" + nonsense, "cert and key go together"},
		{"a certificate that is none", "https://host/#cert=" + nonsense + "&key=" + nonsense, "the parameters cert and key: "},
	} {
		b, err := state.Open(t.Context(), c.url)
		if err == nil || b != nil || !strings.HasPrefix(err.Error(), "httpstate: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that says %q", c.name, err, c.says)
			continue
		}
		if strings.Contains(strings.ToLower(err.Error()), "hunter2") {
			t.Errorf("%s: the error shows the secret: %v", c.name, err)
		}
	}
}

func TestAConfigThatContradictsItselfIsRefused(t *testing.T) {
	token := func() (string, error) { return "hunter2", nil }
	for _, c := range []struct {
		name, url string
		config    httpstate.Config
		says      string
	}{
		{"a fragment", "https://host/#timeout=2s", noConfig, "must be written %23"},
		{"another scheme", "ftp://host/", noConfig, "must begin with http:// or https://"},
		{"nothing", "", noConfig, "must begin with"},
		{"a time limit below nothing", "https://host/", httpstate.Config{Timeout: -1}, "the time limit is -1ns: it must be above 0"},
		{"a header of the backend's own", "https://host/", httpstate.Config{Header: http.Header{"if-none-match": {"x"}}}, "the header If-None-Match cannot be given"},
		{"a token and a header", "https://host/", httpstate.Config{Token: token, Header: http.Header{"Authorization": {"hunter2"}}}, "the header Authorization too"},
		{"a password and a header", "https://u:hunter2@host/", httpstate.Config{Header: http.Header{"authorization": {"hunter2"}}}, "the header Authorization too"},
		{"a transport and TLS", "https://host/", httpstate.Config{Transport: new(http.Transport), TLS: new(tls.Config)}, "the transport has one of its own"},
	} {
		b, err := httpstate.New(c.url, c.config)
		if err == nil || b != nil || !strings.HasPrefix(err.Error(), "httpstate: ") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want an error that says %q", c.name, err, c.says)
		}
	}
}

func TestWhoAsks(t *testing.T) {
	p := &publisher{data: []byte("on")}
	server := serve(t, p)
	file := filepath.Join(t.TempDir(), "a+b c%")
	renew := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	renew("first")
	t.Setenv("OPS_TOKEN", " from-the-environment\n")
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, c := range []struct{ name, userinfo, fragment, want string }{
		{"nobody", "", "", ""},
		{"nobody, with an at sign", "@", "", ""},
		{"user and password", "user:pass@", "", basic("user:pass")},
		{"escaped ones", "us%40er:p%23%2F%3F%3A%25@", "", basic("us@er:p#/?:%")},
		{"a user alone", "user@", "", basic("user:")},
		{"a password alone", ":pass@", "", basic(":pass")},
		{"a token in the environment", "", "#token_env=OPS_TOKEN", "Bearer from-the-environment"},
		{"a token in a file, and a time limit", "", "#timeout=2s&token_file=" + strings.NewReplacer("%", "%25", " ", "%20").Replace(file), "Bearer first"},
	} {
		b := open(t, "http://"+c.userinfo+strings.TrimPrefix(server.URL, "http://")+"/x?token_env=theirs&timeout=theirs"+c.fragment)
		read(t, b)
		r := p.last()
		if got := r.Header.Get("Authorization"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if r.RequestURI != "/x?token_env=theirs&timeout=theirs" {
			t.Errorf("%s: the site's own query came as %s", c.name, r.RequestURI)
		}
	}

	b := open(t, server.URL+"#token_file="+strings.NewReplacer("%", "%25").Replace(file))
	read(t, b)
	renew("second")
	read(t, b)
	if got := p.last().Header.Get("Authorization"); got != "Bearer second" {
		t.Errorf("after the token was renewed it is %q", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	asked, _ := p.times()
	fails(t, b, "the file that should hold the token cannot be read")
	if now, _ := p.times(); now != asked {
		t.Error("it asks without its token")
	}
	renew("third")
	read(t, b)
}

func TestATokenThatCannotBeSentIsNot(t *testing.T) {
	p := &publisher{data: []byte("on")}
	url := serve(t, p).URL
	for token, says := range map[string]string{"a\nhunter2": "it must be one word", "hunter2 b": "it must be one word", "hünter2": "it must be one word"} {
		fails(t, backend(t, url, httpstate.Config{Token: func() (string, error) { return token, nil }}), says)
	}
	fails(t, backend(t, url, httpstate.Config{Token: func() (string, error) { return "", errors.New("the vault is sealed") }}), "the vault is sealed")
	if asked, _ := p.times(); asked != 0 {
		t.Error("it was asked all the same")
	}
}

func TestAHeaderIsSent(t *testing.T) {
	p := &publisher{data: []byte("on")}
	b := backend(t, serve(t, p).URL, httpstate.Config{Header: http.Header{
		"x-api-key": {"a", "b"}, "User-Agent": {"shop/1.0"}, "Accept": {"application/json"}, "Authorization": {"Digest x"},
	}})
	for range 2 {
		read(t, b)
	}
	h := p.last().Header
	if strings.Join(h["X-Api-Key"], ",") != "a,b" || h.Get("User-Agent") != "shop/1.0" || h.Get("Accept") != "application/json" || h.Get("Authorization") != "Digest x" {
		t.Errorf("%v", h)
	}
}

func TestTheTimeLimitOfAURL(t *testing.T) {
	ctx := t.Context()
	server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-ctx.Done():
		}
	}))
	fails(t, open(t, server.URL+"#timeout=50ms"), "no answer within 50ms")
}

func TestAServersCertificateIsChecked(t *testing.T) {
	p := &publisher{data: []byte("on")}
	server := serveTLS(t, p)
	fails(t, open(t, server.URL), "certificate")
	read(t, open(t, server.URL+"#ca="+authority(t, server)))
	plain := strings.Replace(server.URL, "https:", "http:", 1)
	fails(t, open(t, plain), "400 Bad Request")
	fails(t, open(t, strings.Replace(serve(t, p).URL, "http:", "https:", 1)), "what answers there is no TLS: is it http: instead of https:?")
}

// TestNoFailureShowsASecret puts one wherever there can be one, and lets everything fail.
func TestNoFailureShowsASecret(t *testing.T) {
	const mark = "S3CR3T"
	gone := serve(t, new(publisher))
	gone.Close()
	ctx := t.Context()
	servers := map[string]string{
		"nobody listens":      gone.URL,
		"it fails":            serve(t, &publisher{status: 500}).URL,
		"it wants rest":       serve(t, &publisher{status: 503, header: http.Header{"Retry-After": {"60"}}}).URL,
		"it wants others":     serve(t, &publisher{status: 401}).URL,
		"it talks nonsense":   serve(t, raw("nonsense\r\n\r\n")).URL,
		"it cuts off":         serve(t, raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\non")).URL,
		"it redirects":        serve(t, sends(302, "http://u:"+mark+"@127.0.0.1:1/?"+mark+"#"+mark)).URL,
		"it redirects astray": serve(t, sends(302, "x://u:"+mark+"@host/?"+mark)).URL,
		"it redirects to bad": serve(t, sends(302, "http://u:"+mark+"%zz@host/?"+mark)).URL,
		"it is silent": serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-ctx.Done():
			}
		})).URL,
		"it compresses": serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "x")
		})).URL,
		"it is no host": "http://no such host",
	}
	for name, url := range servers {
		for where, c := range map[string]struct {
			url    string
			config httpstate.Config
		}{
			"the password": {strings.Replace(url, "//", "//user:"+mark+"@", 1), noConfig},
			"the user":     {strings.Replace(url, "//", "//"+mark+"@", 1), noConfig},
			"the query":    {url + "/x?token=" + mark, noConfig},
			"a token":      {url, httpstate.Config{Token: func() (string, error) { return mark, nil }}},
			"a bad token":  {url, httpstate.Config{Token: func() (string, error) { return mark + "\n" + mark, nil }}},
			"a header":     {url, httpstate.Config{Header: http.Header{"X-Api-Key": {mark}}}},
			"a bad header": {url, httpstate.Config{Header: http.Header{"X-Api-Key": {mark + "\n" + mark}}}},
		} {
			if name == "it is silent" {
				c.config.Timeout = 50 * time.Millisecond
			}
			b, err := httpstate.New(c.url, c.config)
			if err == nil {
				for range 2 {
					_, _, err = b.Next(ctx, state.Unseen)
					if err == nil || strings.Contains(err.Error(), mark) {
						t.Errorf("%s, with a secret in %s: %v", name, where, err)
					}
				}
				_, err = b.Save(ctx, state.None, nil)
				_ = b.Close()
			}
			if err == nil || strings.Contains(err.Error(), mark) {
				t.Errorf("%s, with a secret in %s: %v", name, where, err)
			}
		}
	}
}
