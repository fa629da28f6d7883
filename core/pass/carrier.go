package pass

import "strings"

// How a pass comes with a request.
const (
	// CookieName is the cookie of browsers. Its prefix has them take it only over a secure connection, from the very host
	// that gets it back, for all of its paths (RFC 6265bis, section 4.1.3.2).
	CookieName = "__Host-recess"
	// Scheme is what clients of APIs put before a pass in Authorization: "Authorization: Recess rp1_…".
	Scheme = "Recess"
	// HeaderName is for clients whose Authorization is taken.
	HeaderName = "Recess-Pass"
)

// maxCookies is how many cookies of our name are looked at. A browser sends one at most.
const maxCookies = 4

// Carried are the texts of a request that may be passes: a cursor over them. It allocates nothing.
type Carried struct {
	authorization, header, cookies string

	step int
	at   int // how far the cookies have been looked at
	left int // cookies that may still be looked at
}

// CarriedBy looks for passes in the values of three fields of a request: Authorization, [HeaderName] and Cookie, the lines
// of each joined with ", " or, of cookies, with "; ".
func CarriedBy(authorization, header, cookies string) Carried {
	return Carried{authorization: authorization, header: header, cookies: cookies, left: maxCookies}
}

// Next returns the next text; ok is false after the last one.
func (c *Carried) Next() (token string, ok bool) {
	if c.step == 0 {
		c.step++
		if token, ok = credentials(c.authorization); ok {
			return token, true
		}
	}
	if c.step == 1 {
		c.step++
		if c.header != "" {
			return c.header, true
		}
	}
	if c.left > 0 {
		c.left--
		return c.cookie()
	}
	return "", false
}

// credentials takes the scheme off an Authorization field. Schemes are compared without regard to case (RFC 9110, 11.1).
func credentials(field string) (token string, ok bool) {
	if len(field) <= len(Scheme) || field[len(Scheme)] != ' ' || !strings.EqualFold(field[:len(Scheme)], Scheme) {
		return "", false
	}
	return strings.TrimLeft(field[len(Scheme):], " "), true
}

// cookie takes the next cookie of our name. A comma ends a cookie too, since lines may be joined by one; of what stands
// within another cookie's value nothing is lost by that: a pass speaks for itself.
func (c *Carried) cookie() (value string, ok bool) {
	const name = CookieName + "="
	for {
		i := strings.Index(c.cookies[c.at:], name)
		if i < 0 {
			return "", false
		}
		before := strings.TrimRight(c.cookies[:c.at+i], " \t")
		c.at += i + len(name)
		if before != "" && before[len(before)-1] != ';' && before[len(before)-1] != ',' {
			continue // the name of another cookie ends like ours, or its value holds ours
		}
		value = c.cookies[c.at:]
		if end := strings.IndexAny(value, ";,"); end >= 0 {
			value = value[:end]
		}
		c.at += len(value)
		return strings.TrimRight(value, " \t"), true
	}
}
