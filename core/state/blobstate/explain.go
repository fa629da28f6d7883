package blobstate

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"gocloud.dev/gcerrors"

	"github.com/recess-go/recess/core/state"
)

// An action is what was asked of the store, and what has to be allowed for it.
type action struct {
	what  string
	needs string
	write bool
}

var toList = action{what: "list the revisions", needs: "s3:ListBucket, storage.objects.list, or Azure's role Storage Blob Data Reader"}

func toRead(key string) action {
	return action{"read " + key, "s3:GetObject, storage.objects.get, or Azure's role Storage Blob Data Reader", false}
}

func toCreate(key string) action {
	return action{"create " + key, "s3:PutObject (and kms:GenerateDataKey for an encrypted bucket), storage.objects.create, " +
		"or Azure's role Storage Blob Data Contributor", true}
}

func toRemove(key string) action {
	return action{"remove " + key, "s3:DeleteObject, storage.objects.delete, or Azure's role Storage Blob Data Contributor", true}
}

// A fault is a store's error, with what to do about it in front, on one line, and without what must not be shown.
type fault struct {
	text string
	errs []error
}

func (f *fault) Error() string   { return f.text }
func (f *fault) Unwrap() []error { return f.errs }

// explain says what was wrong, where, and what to do.
func (s *store) explain(a action, err error) error {
	text, errs := a.what+": ", []error{err}
	if advice, readOnly := s.advise(a, err); advice != "" {
		text += advice + ": "
		if readOnly {
			text, errs = text+state.ErrReadOnly.Error()+": ", append(errs, state.ErrReadOnly)
		}
	}
	return &fault{text + show(err.Error()), errs}
}

// advise returns what to do about an error, and whether it means that this process may not write.
func (s *store) advise(a action, err error) (advice string, readOnly bool) {
	c := causeOf(err)
	if advice := advices[c.code]; advice != "" {
		return advice, false
	}
	var certificate *tls.CertificateVerificationError
	switch text := err.Error(); {
	case s.local && unlinkable(err):
		return "the directory's file system knows no hard links: use another", true
	case s.local && (errors.Is(err, fs.ErrPermission) || strings.Contains(text, "read-only file system")):
		return "the directory must be open to the user of this process", a.write
	case errors.As(err, &certificate):
		return "the server's certificate is not trusted: give its authority's file in AWS_CA_BUNDLE or SSL_CERT_FILE", false
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return "the endpoint speaks no TLS: write it as http://", false
	case strings.Contains(text, "Missing Region"), strings.Contains(text, "region is not a valid"):
		return "the region is not known: name it, as in region=eu-central-1, or in AWS_REGION", false
	case containsAny(text, "get credentials", "get identity", "could not find default credentials", "DefaultAzureCredential",
		"private key should be a PEM"): // gcsblob goes on without any
		return "no credentials were found, or they could not be renewed", false
	case c.status == http.StatusForbidden || gcerrors.Code(err) == gcerrors.PermissionDenied:
		return "the credentials do not allow it: it needs " + a.needs, a.write
	case c.status == http.StatusUnauthorized:
		return "the store knows no such credentials, or they have expired", false
	case a.what == toList.what && c.status == http.StatusNotFound:
		return noBucket, false
	case c.status == http.StatusMovedPermanently:
		return otherRegion, false
	case c.status == http.StatusTooManyRequests, c.status == http.StatusServiceUnavailable:
		return tooMuch, false
	}
	return "", false
}

const (
	noBucket    = "there is no such bucket: create it, or correct its name, region or endpoint in the URL"
	otherRegion = "the bucket is in another region: name that one, as in region=eu-central-1"
	expired     = "the credentials are temporary and have expired: sign in again, or renew AWS_SESSION_TOKEN"
	tooMuch     = "the store cannot take so many requests now"
	notAccepted = "the account's key or token is not accepted, or has expired: correct AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or the role"
)

// advices are the stores' own names for what an operator can do something about.
var advices = map[string]string{
	"NoSuchBucket":      noBucket,
	"ContainerNotFound": noBucket,
	"InvalidBucketName": "no bucket can have this name",

	"InvalidAccessKeyId":    "the store does not know the access key: correct AWS_ACCESS_KEY_ID or the profile",
	"SignatureDoesNotMatch": "the secret key is not the access key's: correct AWS_SECRET_ACCESS_KEY or the profile",
	"ExpiredToken":          expired,
	"ExpiredTokenException": expired,
	"InvalidToken":          "the store does not accept the session token: correct AWS_SESSION_TOKEN, or unset it",
	"RequestTimeTooSkewed":  "the clocks of this machine and of the store are too far apart: set this machine's",
	"AuthenticationFailed":  notAccepted,

	"PermanentRedirect":                  otherRegion,
	"AuthorizationHeaderMalformed":       otherRegion,
	"IllegalLocationConstraintException": otherRegion,

	"SlowDown":          tooMuch,
	"ServerBusy":        tooMuch,
	"rateLimitExceeded": tooMuch,
}

// A cause is what a store says of an error: its own name for it, and the status of its answer. Empty and 0 are unknown.
type cause struct {
	code   string
	status int
}

var (
	azureCode   = regexp.MustCompile(`ERROR CODE: (\w+)`)
	googleCode  = regexp.MustCompile(`googleapi: Error \d{3}: .*, (\w+)`)
	statusShape = regexp.MustCompile(`(?:RESPONSE|googleapi: Error|HTTP response code) (\d{3})\b`)
)

// causeOf finds the cause without the drivers' types, which would bring all their clients along.
func causeOf(err error) (c cause) {
	text := err.Error()
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		c.code = coded.ErrorCode()
	} else if match := azureCode.FindStringSubmatch(text); match != nil {
		c.code = match[1]
	} else if match := googleCode.FindStringSubmatch(text); match != nil {
		c.code = match[1]
	}
	var answered interface{ HTTPStatusCode() int }
	if errors.As(err, &answered) {
		c.status = answered.HTTPStatusCode()
	} else if match := statusShape.FindStringSubmatch(text); match != nil {
		c.status, _ = strconv.Atoi(match[1])
	}
	return c
}

// missing reports whether an object is not there. gcsblob says so of one that may not be read, too.
// azureblob says so where the name of its host is not known.
func missing(err error) bool {
	return gcerrors.Code(err) == gcerrors.NotFound && causeOf(err).status != http.StatusForbidden && !unsent(err)
}

// unsent reports whether there was no connection, so that nothing was asked.
func unsent(err error) bool {
	var (
		name *net.DNSError
		link *net.OpError
	)
	return errors.As(err, &name) || errors.As(err, &link) && link.Op == "dial"
}

// unconditional reports whether a store or driver cannot create objects on a condition, and says so.
func unconditional(err error) bool {
	c := causeOf(err)
	return gcerrors.Code(err) == gcerrors.Unimplemented || c.code == "NotImplemented" || c.status == http.StatusNotImplemented
}

// undecided reports whether the store asks for the same request once more.
func undecided(err error) bool {
	code := causeOf(err).code
	return code == "ConditionalRequestConflict" || code == "OperationAborted"
}

// unanswered reports whether the store may have done what was asked, although no answer says so.
func unanswered(err error) bool {
	status := causeOf(err).status
	return status == 0 || status >= http.StatusInternalServerError
}

// underWay reports whether a request was sent and not answered: the store may carry it out yet.
func underWay(err error) bool { return causeOf(err).status == 0 && !unsent(err) }

var urlShape = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]*[^\s"'<>:,.;)]`)

const maxShown = 500 // bytes of a store's own words

// show returns a text on one line, not too long, and of the URLs in it no password and no query: an Azure client's errors
// hold its signature.
func show(text string) string {
	text = urlShape.ReplaceAllStringFunc(text, state.Redact)
	words := strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f && r < 0xa0 })
	text = strings.Join(words, " ")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
