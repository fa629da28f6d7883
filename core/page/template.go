package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrTemplate is wrapped by errors of a custom template, at the start and while it runs.
var ErrTemplate = errors.New("page: template")

// maxTemplate bounds a template file: a page that is shown to everybody at once should not weigh more.
const maxTemplate = 1 << 20

// custom is the application's own page, per language.
type custom struct {
	tags  []string // of the files 503.<tag>.html, sorted
	index languages
	pages map[string]*template.Template // by tag; "" is 503.html

	readsPath, readsRetry bool
}

// page is the template for a language tag.
func (c *custom) page(tag string) *template.Template {
	if i, ok := c.index.lookup(tag); ok {
		return c.pages[c.tags[i]]
	}
	return c.pages[""]
}

// loadTemplates reads, parses and tries the file name, or the directory name with its 503.html and 503.<tag>.html.
func loadTemplates(fsys fs.FS, name string) (*custom, error) {
	failed := func(err error) error { return fmt.Errorf("%w: %s: %w", ErrTemplate, name, err) }
	base := name
	if fsys == nil {
		whole, err := filepath.Abs(name)
		if err != nil {
			return nil, failed(err)
		}
		fsys, base = os.DirFS(filepath.Dir(whole)), filepath.Base(whole)
	}
	info, err := fs.Stat(fsys, base)
	if err != nil {
		return nil, failed(err)
	}
	files := map[string]string{"": base}
	if info.IsDir() {
		if fsys, err = fs.Sub(fsys, base); err != nil {
			return nil, failed(err)
		}
		if files, err = languageFiles(fsys); err != nil {
			return nil, failed(err)
		}
	}
	c := &custom{pages: make(map[string]*template.Template, len(files))}
	var problems []error
	for _, tag := range slices.Sorted(maps.Keys(files)) {
		if err := c.load(fsys, files[tag], tag); err != nil {
			problems = append(problems, failed(err))
		}
	}
	c.index = indexLanguages(c.tags)
	return c, errors.Join(problems...)
}

// languageFiles lists the templates of a directory by language tag; other files are none of ours.
func languageFiles(dir fs.FS) (map[string]string, error) {
	const stem, suffix = "503.", ".html"
	names, err := fs.Glob(dir, stem+"*")
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	var problems []error
	for _, name := range names {
		tag, isPage := strings.CutSuffix(strings.TrimPrefix(name, stem), suffix)
		switch {
		case name == "503.html":
			files[""] = name
		case !isPage:
		case !ValidTag(tag):
			problems = append(problems, fmt.Errorf("file %s: %q is not a language tag (BCP 47, as in 503.de.html or 503.pt-BR.html)", name, tag))
		default:
			files[tag] = name
		}
	}
	if files[""] == "" {
		problems = append(problems, errors.New("503.html is missing: it is the page for every language without its own"))
	}
	return files, errors.Join(problems...)
}

func (c *custom) load(fsys fs.FS, name, tag string) error {
	file, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxTemplate+1))
	if err != nil {
		return err
	}
	if len(text) > maxTemplate {
		return fmt.Errorf("%s is larger than %d bytes", name, maxTemplate)
	}
	page, err := template.New(name).Parse(string(text))
	if err != nil {
		return err
	}
	c.readsPath = c.readsPath || reads(page, "Path")
	c.readsRetry = c.readsRetry || reads(page, "RetryAfter")
	c.pages[tag] = page
	if tag != "" {
		c.tags = append(c.tags, tag)
	}
	return try(page)
}

// try executes a page as it may be asked for: with everything known, and with nothing.
func try(page *template.Template) error {
	starts := time.Date(2026, time.November, 21, 14, 0, 0, 0, time.UTC)
	rich := Notice{Mode: modeReadOnly, Scope: "checkout", Starts: starts, Ends: starts.Add(time.Hour), RetryAfter: time.Hour}
	for _, sample := range []map[string]any{
		templateData(Notice{Mode: modeFull}, variant{}, 503, "/", nil),
		templateData(rich, variant{tag: "ar-EG", message: "Back soon.\n\"Promised\" & meant."}, 503, `/shop/"cart"?`, nil),
	} {
		if _, err := execute(page, sample); err != nil {
			return fmt.Errorf("%w (it must also work without the application's own context: guard such values by {{with}})", err)
		}
	}
	return nil
}

// templateData is the dot of a custom template: the names that Config documents over the application's own.
func templateData(n Notice, v variant, status int, path string, extra map[string]any) map[string]any {
	data := make(map[string]any, len(extra)+10)
	maps.Copy(data, extra)
	maps.Copy(data, map[string]any{
		"Mode": n.Mode, "Scope": n.Scope, "Message": v.message,
		"StartsAt": n.Starts, "EndsAt": n.Ends, "RetryAfter": int(wholeSeconds(n.RetryAfter)),
		"Lang": v.tag, "Dir": direction(v.tag), "Status": status, "Path": path,
	})
	return data
}

// execute turns a panic in a method that the template called into an error: the answer must go out.
func execute(page *template.Template, data any) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			body, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	var b bytes.Buffer
	err = page.Execute(&b, data)
	return b.Bytes(), err
}
