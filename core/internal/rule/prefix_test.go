package rule

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParsePrefix(t *testing.T) {
	tests := []struct{ name, entry, want, says string }{
		{"an IPv4 address is a /32", "192.0.2.7", "192.0.2.7/32", ""},
		{"an IPv6 address is a /128", "2001:DB8::1", "2001:db8::1/128", ""},
		{"a mapped address is the IPv4 address", "::ffff:192.0.2.7", "192.0.2.7/32", ""},
		{"an IPv4-compatible address is IPv6", "::1.2.3.4", "::102:304/128", ""},
		{"an IPv4 prefix", "10.0.0.0/8", "10.0.0.0/8", ""},
		{"an IPv6 prefix", "2001:db8::/32", "2001:db8::/32", ""},
		{"everyone, said explicitly", "0.0.0.0/0", "0.0.0.0/0", ""},
		{"everyone in IPv6, said explicitly", "::/0", "::/0", ""},
		{"a mapped prefix as proxy-addr read it", "::ffff:10.0.0.0/8", "", "write the IPv4 prefix 10.0.0.0/8"},
		{"a mapped prefix with its true length", "::ffff:10.0.0.0/104", "", "write the IPv4 prefix 10.0.0.0/8"},
		{"a mapped prefix in hexadecimal", "::ffff:a00:0/104", "", "write the IPv4 prefix 10.0.0.0/8"},
		{"all mapped addresses", "::ffff:0:0/96", "", "write the IPv4 prefix 0.0.0.0/0"},
		{"a mapped prefix with a length in between", "::ffff:10.1.2.3/64", "", "write the IPv4 prefix 10.1.2.3/32"},
		{"bits behind the length", "10.0.0.1/8", "", "write 10.0.0.0/8 for the network or 10.0.0.1 for the one address"},
		{"bits behind the length in IPv6", "2001:db8::1/32", "", "write 2001:db8::/32"},
		{"a zone", "fe80::1%eth0", "", "write fe80::1"},
		{"a zone in a prefix", "fe80::%eth0/64", "", "write fe80::/64"},
		{"a length too long", "10.0.0.0/33", "", "from 0 to 32"},
		{"a length too long in IPv6", "::/129", "", "from 0 to 128"},
		{"a length with a zero in front", "10.0.0.0/08", "", "without leading zeros"},
		{"no length", "10.0.0.0/", "", "from 0 to 32"},
		{"a mask", "10.0.0.0/255.0.0.0", "", "from 0 to 32"},
		{"a port", "10.0.0.1:80", "", "write 10.0.0.1"},
		{"a port in IPv6", "[::1]:80", "", "write ::1"},
		{"brackets", "[::1]", "", "write ::1"},
		{"blanks", " 10.0.0.1", "", "write 10.0.0.1"},
		{"nothing", "", "", "empty"},
		{"a short address", "10.1", "", "neither"},
		{"an octal address", "010.0.0.1", "", "neither"},
		{"a hexadecimal address", "0x7f.1", "", "neither"},
		{"a number", "2130706433", "", "neither"},
		{"a range", "10.0.0.1-10.0.0.9", "", "neither"},
		{"a star", "10.0.0.*", "", "neither"},
		{"a host name", "proxy.example.com", "", "neither"},
		{"a short prefix", "10/8", "", "neither"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParsePrefix(test.entry)
			if test.says == "" {
				if err != nil || got != netip.MustParsePrefix(test.want) {
					t.Errorf("ParsePrefix(%q) = %v, %v: want %s", test.entry, got, err, test.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), `"`+test.entry+`"`) {
				t.Errorf("ParsePrefix(%q) = %v, %v: want an error that names it and says %q", test.entry, got, err, test.says)
			}
		})
	}
}

// What an error says to write must itself be accepted.
func FuzzParsePrefix(f *testing.F) {
	for _, entry := range []string{"10.0.0.1/8", "::ffff:10.0.0.0/8", "fe80::%eth0/64", "[::1]:80", " ::1", "1.2.3.4:5", "::/0"} {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		got, err := ParsePrefix(entry)
		if err != nil {
			return
		}
		if got != got.Masked() || got.Addr().Is4In6() || got.Addr().Zone() != "" || !got.IsValid() {
			t.Errorf("ParsePrefix(%q) = %v", entry, got)
		}
		again, err := ParsePrefix(got.String())
		if err != nil || again != got {
			t.Errorf("%q is printed as %s and read back as %v, %v", entry, got, again, err)
		}
	})
}

func TestEveryone(t *testing.T) {
	tests := []struct {
		name     string
		prefixes []string
		want     []int
	}{
		{"nothing", nil, nil},
		{"private networks", []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "::1/128"}, nil},
		{"all of IPv4", []string{"10.0.0.0/8", "0.0.0.0/0"}, []int{1}},
		{"all of IPv6", []string{"::/0", "10.0.0.0/8"}, []int{0}},
		{"both families", []string{"::/0", "10.0.0.0/8", "0.0.0.0/0"}, []int{0, 2}},
		{"two halves of IPv4", []string{"128.0.0.0/1", "10.0.0.0/8", "0.0.0.0/1"}, []int{0, 2}},
		{"one half of IPv4", []string{"0.0.0.0/1"}, nil},
		{"two halves of IPv6", []string{"::/1", "8000::/1"}, []int{0}},
		{"four quarters", []string{"0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2", "::1/128"}, []int{0, 1, 2, 3}},
		{"three quarters", []string{"0.0.0.0/2", "64.0.0.0/2", "192.0.0.0/2"}, nil},
		{"all but multicast", []string{"0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"}, []int{0, 1, 2}},
		{"multicast beside a half is innocent", []string{"0.0.0.0/1", "128.0.0.0/1", "224.0.0.0/4"}, []int{0, 1}},
		{"the public part of IPv6", []string{"2000::/3", "fe80::/10"}, []int{0}},
		{"halves of the public part of IPv6", []string{"fe80::/10", "2000::/4", "3000::/4", "2001:db8::/32"}, []int{1, 2}},
		{"the whole and its half", []string{"0.0.0.0/1", "0.0.0.0/0"}, []int{1}},
		{"the whole twice", []string{"0.0.0.0/0", "0.0.0.0/0"}, []int{0, 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var prefixes []netip.Prefix
			for _, p := range test.prefixes {
				prefixes = append(prefixes, netip.MustParsePrefix(p))
			}
			if got := Everyone(prefixes); !slices.Equal(got, test.want) {
				t.Errorf("Everyone = %d, want %d", got, test.want)
			}
		})
	}
}
