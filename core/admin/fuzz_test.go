package admin

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
)

// orderPaths are the calls of the API that have a body, and the schema of each.
var orderPaths = []struct{ path, schema string }{
	{"/api/on", "OpeningOrder"}, {"/api/schedule", "OpeningOrder"}, {"/api/off", "EndingOrder"}, {"/api/cancel", "CancellingOrder"}, {"/api/explain", "Question"},
}

// FuzzOrder: nothing panics, no order is the service's fault, one that is refused changes nothing, and one that is taken is as
// openapi.json says, to a reader that knows neither this package nor package state.
func FuzzOrder(f *testing.F) {
	for i, p := range orderPaths {
		examples, _ := at(description(), "paths", p.path, "post", "requestBody", "content", "application/json", "examples").(map[string]any)
		for _, example := range examples {
			body, _ := json.Marshal(at(example, "value"))
			f.Add(uint8(i), string(body))
		}
	}
	for _, body := range []string{
		``, `null`, `{"scope":"a","scope":"b"}`, `{"Mode":"full"}`, `{"mode":"FULL"}`, `{"for":"1h","starts_at":"9999-12-31T23:59:59Z"}`, `{"ends_at":"0001-01-01T00:00:00Z"}`,
		`{"messages":{"":"a","de":null}}`, `{"ids":["x"],"all":true}`, `{"ids":[null]}`, `{"no_end":true,"for":"2540400h"}`, `{"hold":"20s","mode":"hold"}`, `{"ramp":"1h"}`,
		`{"path":"/%2e%2e/x?y","headers":{"a b":"\u0000","host":"x"},"address":"fe80::1%eth0","user":{"roles":["a",null]},"scopes":["a"]}`, `{"method":"\n","host":"[::1"}`,
	} {
		for i := range orderPaths {
			f.Add(uint8(i), body)
		}
	}
	s := open(f, nil, hairy)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		s := &site{t, s.backend, s.engine, s.panel}
		p := orderPaths[int(which)%len(orderPaths)]
		if len(s.state().Windows) > 100 {
			s.is(order("/api/cancel", `{"all":true}`).bearer(writeToken), 200, "")
			s.write(`{"version":1,"windows":[]}`)
		}
		before := s.document()
		got := s.do(order(p.path, body).bearer(writeToken))
		changed := s.document().Rev != before.Rev
		switch got.Code {
		case 200:
			var value any
			dec := json.NewDecoder(strings.NewReader(body))
			if err := once(dec); err != nil {
				t.Fatalf("%s took %q: %v", p.path, body, err)
			}
			if err := json.Unmarshal([]byte(body), &value); err != nil {
				t.Fatalf("%s took %q: %v", p.path, body, err)
			}
			if faults := check(at(description(), "components", "schemas", p.schema), value, p.path); len(faults) > 0 {
				t.Fatalf("%s took %q: %q", p.path, body, faults)
			}
			if p.path == "/api/explain" && changed {
				t.Fatalf("a question has changed the state: %q", body)
			}
		case 413, 422:
			if changed {
				t.Fatalf("%s refused %q, and changed the state", p.path, body)
			}
		default:
			t.Fatalf("%s: %q: %d %s", p.path, body, got.Code, got.Body)
		}
		s.is(get("/api/status").bearer(readToken), 200, "")
	})
}

// hairy is a policy that asks everything.
func hairy(p *recess.Policy, _ *Config) {
	p.Scopes = map[string][]string{"api": {"/api/**"}, "eu": {"host:eu.example"}}
	p.AllowPaths, p.AllowHosts, p.AllowNetworks = []string{"/healthz", "/static/**"}, []string{"*.open.example"}, []string{"198.51.100.0/24"}
	p.TrustedProxies, p.AllowRoles, p.AllowStaff = []string{"10.0.0.0/8"}, []string{"ops"}, true
	p.AllowHeaders = map[string]string{"X-Secret": "a secret that is long enough to be one"}
}

// once reads a JSON value and refuses a name that stands twice in an object, and what follows.
func once(dec *json.Decoder) error {
	type object struct{ names map[string]bool }
	var open []*object // nil for an array
	isName := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{':
				open = append(open, &object{make(map[string]bool)})
				isName = true
				continue
			case '[':
				open = append(open, nil)
				continue
			}
			open = open[:len(open)-1]
			isName = len(open) > 0 && open[len(open)-1] != nil
			if len(open) == 0 {
				if _, err := dec.Token(); !errors.Is(err, io.EOF) {
					return errors.New("something follows")
				}
				return nil
			}
			continue
		case string:
			if inObject && isName {
				if open[len(open)-1].names[token] {
					return errors.New("a name stands twice: " + token)
				}
				open[len(open)-1].names[token] = true
				isName = false
				continue
			}
		}
		isName = inObject
	}
}

// FuzzForm: nothing panics, and whatever a form says it is done, or refused without a change and with a page.
func FuzzForm(f *testing.F) {
	paths := []string{"/on", "/schedule", "/off", "/cancel", "/preview", "/explain"}
	for i := range paths {
		for _, body := range []string{
			"", "for=30m&message=a%0D%0Ab&tag=de&text=c", "start=2099-01-31T22:00&zone=Europe/Berlin&for=1h", "start=2099-01-31T22:00&zone=../x&for=1h", "scope=a&name=b&mode=hold&hold=20s",
			"id=x&id=y", "ramp=10m&reason=%00", "tag=&text=x", "tag=a&tag=b&text=x", "token=AAAAAAAAAAAAAAAAAAAAAAAAAA", "%zz", "a;b", "message=%ff%3Cscript%3E", "path=/x&address=::1&roles=a,b&scopes=api&user=x&staff=yes&forwarded=1.2.3.4, 5",
			"language=de;q=0.5,*;q=x&message=x", "for=99999999h&start=9999-12-31T23:59",
		} {
			f.Add(uint8(i), body)
		}
	}
	s := open(f, nil, hairy)
	cookie, token := s.visit("root")
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		s := &site{t, s.backend, s.engine, s.panel}
		if len(s.state().Windows) > 100 {
			s.write(`{"version":1,"windows":[]}`)
		}
		a := ask{method: "POST", path: paths[int(which)%len(paths)]}.with("Content-Type: application/x-www-form-urlencoded", cookie).as("root")
		a.body = body
		before := s.document()
		if got := s.do(a).Code; got != 403 && got != 400 {
			t.Fatalf("%s: %q without the token: %d", a.path, body, got)
		}
		a.body = body + "&token=" + token
		got := s.do(a)
		changed := s.document().Rev != before.Rev
		switch got.Code {
		case 303:
			what, ok := strings.CutPrefix(got.Header().Get("Location"), "/maintenance/?done=")
			if !ok || done[what] == "" || changed == (what == "nothing") {
				t.Fatalf("%s: %q leads to %q; was it changed? %v", a.path, body, got.Header().Get("Location"), changed)
			}
		case 200:
			if changed || a.path != "/preview" && a.path != "/explain" {
				t.Fatalf("%s: %q: 200; was it changed? %v", a.path, body, changed)
			}
		case 400, 403, 413, 422:
			if changed {
				t.Fatalf("%s refused %q, and changed the state", a.path, body)
			}
		default:
			t.Fatalf("%s: %q: %d %s", a.path, body, got.Code, got.Body)
		}
		if slices.Contains([]int{200, 422}, got.Code) && strings.Contains(strings.ToLower(got.Body.String()), "<script>") {
			t.Fatalf("%s: %q has a script of its own", a.path, body)
		}
	})
}
