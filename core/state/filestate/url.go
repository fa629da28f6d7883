package filestate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/recess-go/recess/core/state"
)

func init() {
	state.Register("file", func(_ context.Context, rest string) (state.Backend, error) {
		path, config, err := parse(rest)
		if err != nil {
			return nil, fmt.Errorf("filestate: open: %w", err)
		}
		b, err := New(path, config)
		if err != nil {
			return nil, err
		}
		return b, nil
	})
}

// parse reads what follows "file:": PATH, ///PATH or //localhost/PATH (RFC 8089), and the query.
func parse(rest string) (path string, config Config, err error) {
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest, "#") || strings.Contains(query, "#") {
		return "", Config{}, errors.New("a '#' in a state URL must be written %23")
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		host, _, found := strings.Cut(after, "/")
		if !found || host != "" && !strings.EqualFold(host, "localhost") {
			return "", Config{}, errors.New("after // comes a host, and files of other hosts cannot be opened: write file:PATH or file:///PATH")
		}
		rest = after[len(host):]
	}
	if path, err = url.PathUnescape(rest); err != nil {
		return "", Config{}, fmt.Errorf("the path: %w: a '%%' must be written %%25", err)
	}
	if drive := strings.TrimPrefix(path, "/"); filepath.VolumeName(drive) != "" {
		path = drive // file:///C:/recess.json
	}
	config.Format, err = parseQuery(query)
	return filepath.FromSlash(path), config, err
}

func parseQuery(query string) (Format, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return 0, fmt.Errorf("the query: %w", err)
	}
	for name := range values {
		if name != "format" {
			return 0, fmt.Errorf("the query parameter %.40q is unknown: there is only format", name)
		}
	}
	formats := values["format"]
	switch {
	case len(formats) == 0:
		return Native, nil
	case len(formats) > 1:
		return 0, errors.New("format is given twice")
	case formats[0] == "native":
		return Native, nil
	case formats[0] == "django":
		return Django, nil
	}
	return 0, fmt.Errorf("the format %.40q is unknown: choose native or django", formats[0])
}
