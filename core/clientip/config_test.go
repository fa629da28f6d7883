package clientip

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestUnusableConfigurationsSayWhatToWriteInstead(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		says   []string
	}{
		{"a mapped prefix", Config{Trusted: []string{"::ffff:10.0.0.0/8"}}, []string{`"::ffff:10.0.0.0/8"`, "write the IPv4 prefix 10.0.0.0/8"}},
		{"bits behind the length", Config{Trusted: []string{"10.0.0.1/8"}}, []string{`"10.0.0.1/8"`, "write 10.0.0.0/8"}},
		{"a zone", Config{Trusted: []string{"fe80::1%eth0"}}, []string{`"fe80::1%eth0"`, "write fe80::1"}},
		{"a length too long", Config{Trusted: []string{"10.0.0.0/33"}}, []string{`"10.0.0.0/33"`, "from 0 to 32"}},
		{"a port", Config{Trusted: []string{"10.0.0.1:80"}}, []string{"write 10.0.0.1"}},
		{"a host name", Config{Trusted: []string{"proxy"}}, []string{`"proxy"`, "neither an IP address"}},
		{"an expression", Config{Trusted: []string{"~10[.]"}}, []string{`"~10[.]"`}},
		{"the word in capitals", Config{Trusted: []string{"UNIX"}}, []string{`"UNIX"`}},
		{"an empty entry", Config{Trusted: []string{""}}, []string{"empty"}},
		{"a header with a colon", Config{Header: "X-Real-IP:"}, []string{`"X-Real-IP:"`, `':'`}},
		{"a header with a blank", Config{Header: "X Real IP"}, []string{`' '`}},
		{"a header that is no ASCII", Config{Header: "X-Réal"}, []string{`'é'`}},
		{"a header with a line feed", Config{Header: "X\n"}, []string{`'\n'`}},
		{"the header of RFC 7239", Config{Header: "Forwarded"}, []string{"not supported", "X-Forwarded-For"}},
		{"the header of RFC 7239 in capitals", Config{Header: "FORWARDED"}, []string{"not supported"}},
		{"everything at once", Config{Trusted: []string{"unix", "a", "10.0.0.0/8", "b/8"}, Header: "("}, []string{`"a"`, `"b/8"`, `"("`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := New(test.config)
			if !errors.Is(err, ErrConfig) || r != nil {
				t.Fatalf("New = %v, %v: want ErrConfig alone", r, err)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestHeadersAreAskedForAsNetHTTPSpellsThem(t *testing.T) {
	for given, want := range map[string]string{"": "X-Forwarded-For", "x-real-ip": "X-Real-Ip", "CF-Connecting-IP": "Cf-Connecting-Ip", "X-Forwarded": "X-Forwarded"} {
		r, err := New(Config{Header: given, Trusted: []string{"unix"}})
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		r.Client(noPeer, func(name string) string {
			asked = append(asked, name)
			return ""
		})
		if !slices.Equal(asked, []string{want}) {
			t.Errorf("header %q: asked for %q, want %q once", given, asked, want)
		}
	}
}

func TestTrustsEveryone(t *testing.T) {
	for _, test := range []struct{ trusted, want []string }{
		{nil, nil},
		{[]string{"10.0.0.0/8", "unix", "fc00::/7"}, nil},
		{[]string{"unix", "0.0.0.0/0", "10.0.0.0/8"}, []string{"0.0.0.0/0"}},
		{[]string{"::/0", "0.0.0.0/0"}, []string{"::/0", "0.0.0.0/0"}},
		{[]string{"0.0.0.0/1", "10.0.0.0/8", "128.0.0.0/1"}, []string{"0.0.0.0/1", "128.0.0.0/1"}},
	} {
		r, err := New(Config{Trusted: test.trusted})
		if err != nil {
			t.Fatalf("%q: %v", test.trusted, err)
		}
		got := r.TrustsEveryone()
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: TrustsEveryone = %q, want %q", test.trusted, got, test.want)
		}
		if len(got) > 0 {
			got[0] = "changed"
			if slices.Contains(r.TrustsEveryone(), "changed") {
				t.Error("the resolver hands out its own list")
			}
		}
	}
}
