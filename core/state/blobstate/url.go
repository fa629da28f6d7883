package blobstate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"

	"github.com/recess-go/recess/core/state"
)

// A service is what stands behind a scheme of ours.
type service struct {
	scheme   string // the driver's own
	driver   string // the package that brings it
	example  string
	identity string // where its credentials come from
}

var services = map[string]service{
	"s3": {
		scheme: "s3", driver: "s3blob", example: "s3://BUCKET?region=REGION",
		identity: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the machine's role",
	},
	"gs": {
		scheme: "gs", driver: "gcsblob", example: "gs://BUCKET",
		identity: "GOOGLE_APPLICATION_CREDENTIALS or the machine's service account",
	},
	"azblob": {
		scheme: "azblob", driver: "azureblob", example: "azblob://CONTAINER?storage_account=ACCOUNT",
		identity: "AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or the machine's identity",
	},
	"blob+file": {
		scheme: "file", driver: "fileblob", example: "blob+file:///DIRECTORY",
		identity: "the user of this process",
	},
}

func init() {
	for scheme, of := range services {
		state.Register(scheme, func(ctx context.Context, rest string) (state.Backend, error) {
			b, err := of.open(ctx, rest)
			if err != nil {
				return nil, fmt.Errorf("blobstate: open: %w", err)
			}
			return b, nil
		})
	}
}

// open makes a backend, and the bucket that goes with it, from what follows "scheme:". Whatever can be wrong with a URL
// shows here; the store is not asked.
func (of service) open(ctx context.Context, rest string) (*Backend, error) {
	u, query, err := of.parse(rest)
	if err != nil {
		return nil, err
	}
	config, err := takeConfig(query)
	if err != nil {
		return nil, err
	}
	if err := of.check(query); err != nil {
		return nil, err
	}
	if !blob.DefaultURLMux().ValidBucketScheme(of.scheme) {
		return nil, fmt.Errorf("the driver is not linked into this program: import _ \"gocloud.dev/blob/%s\"", of.driver)
	}
	u.RawQuery = query.Encode()
	// The clients keep this context to renew their credentials with.
	bucket, err := blob.DefaultURLMux().OpenBucketURL(context.WithoutCancel(ctx), u)
	if errors.Is(err, fs.ErrNotExist) && of.scheme == "file" {
		return nil, fmt.Errorf("the directory is not there: create it, or have it created with create_dir=true: %w", err)
	}
	if err != nil {
		given := strings.Join(slices.Sorted(maps.Keys(query)), ", ")
		return nil, &fault{
			text: fmt.Sprintf("the driver %s refuses what it was given (%s): %s", of.driver, given, show(mask(err.Error(), query))),
			errs: []error{err},
		}
	}
	b, err := newBackend(bucket, config)
	if err != nil {
		_ = bucket.Close()
		return nil, err
	}
	b.store.owned = true
	return b, nil
}

// parse takes a URL apart. Nothing of it is repeated in an error but the names of parameters.
func (of service) parse(rest string) (*url.URL, url.Values, error) {
	if !strings.HasPrefix(rest, "//") {
		return nil, nil, fmt.Errorf("write it as %s", of.example)
	}
	if strings.Contains(rest, "#") {
		return nil, nil, errors.New("a '#' in a state URL must be written %23")
	}
	place, _, _ := strings.Cut(rest[2:], "?")
	if of.scheme == "file" {
		place, _, _ = strings.Cut(place, "/")
	}
	if strings.Contains(place, "@") {
		return nil, nil, fmt.Errorf("credentials do not stand in the URL: they come from %s", of.identity)
	}
	u, err := url.Parse(of.scheme + ":" + rest)
	if err != nil {
		return nil, nil, fmt.Errorf("it cannot be read as a URL: write it as %s, with %%XX for what is no letter or digit", of.example)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, errors.New("the query cannot be read: separate parameters by '&', and write '%' as %25 and ';' as %3B")
	}
	for name, values := range query {
		if len(values) > 1 {
			return nil, nil, fmt.Errorf("%.40q is given twice", name)
		}
	}
	return u, query, of.checkPlace(u)
}

// checkPlace checks what stands before the query.
func (of service) checkPlace(u *url.URL) error {
	if of.scheme == "file" {
		switch {
		case u.Host != "" && u.Host != "." && !strings.EqualFold(u.Host, "localhost"):
			return fmt.Errorf("after // comes a host, and directories of other hosts cannot be opened: write it as %s", of.example)
		case strings.Trim(u.Path, "/") == "":
			return fmt.Errorf("which directory? write it as %s", of.example)
		}
		return nil
	}
	switch {
	case u.Host == "":
		return fmt.Errorf("which bucket? write it as %s", of.example)
	case u.Port() != "":
		return errors.New("a bucket's name has no port: a server's address goes into a parameter of the driver, such as endpoint")
	case strings.Trim(u.Path, "/") != "":
		return errors.New("a path after the bucket means nothing: name the folder with prefix=")
	}
	return nil
}

// takeConfig takes our own parameters out of the query, and leaves the driver's.
func takeConfig(query url.Values) (config Config, err error) {
	if query.Has("key") {
		return Config{}, errors.New("the query parameter \"key\" makes a bucket of one object, and the state needs many: name a folder with prefix=")
	}
	if query.Has("prefix") {
		config.Prefix = query.Get("prefix")
		if config.Prefix == "" {
			return Config{}, fmt.Errorf("prefix is empty: name a folder, or leave it out for %s", DefaultPrefix)
		}
	}
	if query.Has("timeout") {
		config.Timeout, err = time.ParseDuration(query.Get("timeout"))
		if err != nil || config.Timeout <= 0 {
			return Config{}, fmt.Errorf("timeout: %.40q is no time to wait: write it as in 4s or 500ms", query.Get("timeout"))
		}
	}
	query.Del("prefix")
	query.Del("timeout")
	return config, config.check()
}

// check catches what the drivers let pass, and sets what they should have as their default.
func (of service) check(query url.Values) error {
	switch of.scheme {
	case "s3":
		if !query.Has("endpoint") {
			return nil
		}
		endpoint, err := url.Parse(query.Get("endpoint"))
		if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" ||
			endpoint.User != nil || endpoint.RawQuery != "" || endpoint.Fragment != "" {
			return errors.New("endpoint: write it as https://HOST or http://HOST:PORT, without credentials and query")
		}
	case "file":
		if !query.Has("no_tmp_dir") {
			query.Set("no_tmp_dir", "true")
		}
	}
	return nil
}

// mask hides the values of a driver's parameters in a driver's words.
func mask(text string, query url.Values) string {
	for name := range query {
		if value := query.Get(name); len(value) > 2 {
			text = strings.ReplaceAll(text, value, "…")
		}
	}
	return text
}
