package identitytest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Audience is whose tokens the applications take, and TokenCookie the name of the cookie that may carry one.
const (
	Audience    = "shop"
	TokenCookie = "jwt"
)

// Key signs the tokens; Private and Public are its halves as files hold them. RS256 is the algorithm: a library may be led to
// take a public key for the secret of an HMAC.
var (
	Key     = sync.OnceValue(newKey)
	Private = sync.OnceValue(func() []byte { return block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(Key())) })
	Public  = sync.OnceValue(func() []byte { return block("PUBLIC KEY", der()) })
	other   = sync.OnceValue(newKey)
)

func block(kind string, text []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text})
}

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func der() []byte {
	text, err := x509.MarshalPKIXPublicKey(&Key().PublicKey)
	if err != nil {
		panic(err)
	}
	return text
}

// Token signs what is true of a user.
func Token(user string) string { return rightly(claimsOf(user)) }

func claimsOf(user string) jwt.MapClaims {
	u, now := People[user], time.Now()
	return jwt.MapClaims{
		"sub": user, "aud": Audience, "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
		"staff": u.Staff, "superuser": u.Superuser, "roles": u.Roles,
	}
}

func sign(method jwt.SigningMethod, key any, claims jwt.Claims, header map[string]any) string {
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return text
}

// with is root's claims but for one; nil leaves it out.
func with(name string, value any) jwt.MapClaims {
	claims := claimsOf("root")
	claims[name] = value
	if value == nil {
		delete(claims, name)
	}
	return claims
}

// forgedTokens are tokens that must not count.
func forgedTokens() map[string]string {
	now := time.Now()
	root, alice := strings.Split(Token("root"), "."), strings.Split(Token("alice"), ".")
	return map[string]string{
		"nothing at all":                    "",
		"no token":                          "root",
		"two dots":                          "..",
		"a token without a signature":       root[0] + "." + root[1] + ".",
		"a token without its last part":     root[0] + "." + root[1],
		"the signature of another token":    root[0] + "." + root[1] + "." + alice[2],
		"alg none":                          sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claimsOf("root"), nil),
		"alg none with a signature":         part(`{"alg":"none","typ":"JWT"}`) + "." + root[1] + "." + root[2],
		"alg None":                          part(`{"alg":"None","typ":"JWT"}`) + "." + root[1] + ".",
		"no alg":                            part(`{"typ":"JWT"}`) + "." + root[1] + "." + root[2],
		"HS256 with the public key":         sign(jwt.SigningMethodHS256, Public(), claimsOf("root"), nil),
		"HS256 with the public key as DER":  sign(jwt.SigningMethodHS256, der(), claimsOf("root"), nil),
		"HS256 with an empty secret":        sign(jwt.SigningMethodHS256, []byte{}, claimsOf("root"), nil),
		"RS512 with the right key":          sign(jwt.SigningMethodRS512, Key(), claimsOf("root"), nil),
		"PS256 with the right key":          sign(jwt.SigningMethodPS256, Key(), claimsOf("root"), nil),
		"another key":                       sign(jwt.SigningMethodRS256, other(), claimsOf("root"), nil),
		"another key that it brings itself": sign(jwt.SigningMethodRS256, other(), claimsOf("root"), map[string]any{"jwk": jwk(), "kid": "../../dev/null"}),
		"expired":                           rightly(with("exp", now.Add(-time.Minute).Unix())),
		"an end that is text":               rightly(with("exp", "never")),
		"not valid yet":                     rightly(with("nbf", now.Add(time.Hour).Unix())),
		"claims that are a list":            signText(`[{"sub":"root"}]`),
		"claims that are nothing":           signText(``),
	}
}

// laxTokens are signed by the right key, and must not count either.
func laxTokens() map[string]string {
	return map[string]string{
		"without an end":       rightly(with("exp", nil)),
		"an end of zero":       rightly(with("exp", 0)),
		"for another audience": rightly(with("aud", "bank")),
		"for no audience":      rightly(with("aud", nil)),
		"about nobody":         rightly(with("sub", nil)),
		"about a number":       rightly(with("sub", 0)),
		"claims that are null": signText(`null`),
	}
}

func rightly(claims jwt.MapClaims) string { return sign(jwt.SigningMethodRS256, Key(), claims, nil) }

// signText signs what need not be claims.
func signText(text string) string {
	signed := part(`{"alg":"RS256","typ":"JWT"}`) + "." + part(text)
	signature, err := jwt.SigningMethodRS256.Sign(signed, Key())
	if err != nil {
		panic(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func jwk() map[string]any {
	encode := base64.RawURLEncoding.EncodeToString
	return map[string]any{"kty": "RSA", "n": encode(other().N.Bytes()), "e": encode(big.NewInt(int64(other().E)).Bytes())}
}

// Tokens tests a recipe for tokens, with the token in the Authorization header and in a cookie, and with the library's
// middleware behind the gate and in front of it.
func Tokens(t *testing.T, serve func(authFirst bool) Server) {
	bearer := func(token string) With { return Header("Authorization", "Bearer "+token) }
	cookie := func(token string) With { return Cookie(TokenCookie, token) }
	for _, carrier := range []struct {
		name   string
		with   func(token string) With
		cookie string
	}{{"header", bearer, ""}, {"cookie", cookie, TokenCookie}} {
		r := Recipe{
			Challenges: true, Cookie: carrier.cookie, Forged: make(map[string]With), Lax: make(map[string]With),
			As: func(_ testing.TB, _, user string) With { return carrier.with(Token(user)) },
		}
		for how, token := range forgedTokens() {
			r.Forged[how] = carrier.with(token)
		}
		for how, token := range laxTokens() {
			r.Lax[how] = carrier.with(token)
		}
		if carrier.cookie == "" {
			r.Forged["a token with no scheme"] = Header("Authorization", Token("root"))
			r.Forged["a token of another scheme"] = Header("Authorization", "Basic "+Token("root"))
			r.Forged["a token in another header"] = Header("X-Authorization", "Bearer "+Token("root"))
		} else {
			r.Forged["a token in another cookie"] = Cookie("jwt2", Token("root"))
		}
		t.Run(carrier.name, func(t *testing.T) { r.bothOrders(t, serve) })
	}
}

// bothOrders tests a recipe with the library's middleware behind the gate, and in front of it.
func (r Recipe) bothOrders(t *testing.T, serve func(authFirst bool) Server) {
	for name, authFirst := range map[string]bool{"gate-first": false, "auth-first": true} {
		r.Serve, r.AuthFirst = serve(authFirst), authFirst
		t.Run(name, func(t *testing.T) { Contract(t, r) })
	}
}
