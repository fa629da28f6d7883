package page

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func files(texts map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func custom503(t testing.TB, text string) *Renderer {
	t.Helper()
	renderer, err := New(Config{Template: "503.html", FS: files(map[string]string{"503.html": text})})
	if err != nil {
		t.Fatal(err)
	}
	return renderer
}

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := New(Config{Status: 200, Type: "yaml", Redirect: "//evil.example", CSP: "a\nb", Template: "missing.html", FS: files(nil)})
	if !errors.Is(err, ErrConfig) || !errors.Is(err, ErrTemplate) || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("New = %v", err)
	}
	for _, want := range []string{"status 200", `"yaml"`, `"//evil.example"`, "CSP", "missing.html"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		want   string
	}{
		{"a status of success", Config{Status: 200}, "status 200"},
		{"a status of redirection", Config{Status: 302}, "status 302"},
		{"a status beyond the classes", Config{Status: 600}, "status 600"},
		{"a type that there is not", Config{Type: "JSON"}, `"JSON"`},
		{"a policy for no template", Config{CSP: "default-src 'self'"}, "no template"},
		{"a policy with a line break", Config{Template: "503.html", CSP: "default-src 'self'\r\nX: y"}, "CSP"},
		{"a template that is not there", Config{Template: "nowhere/503.html"}, "nowhere/503.html"},
		{"a template that does not parse", Config{Template: "syntax.html"}, "syntax.html"},
		{"a template that does not execute", Config{Template: "call.html"}, "call.html"},
		{"a template that fails only when something is known", Config{Template: "known.html"}, "known.html"},
		{"a template that fails only when nothing is known", Config{Template: "unknown.html"}, "unknown.html"},
		{"a template that needs the application's context", Config{Template: "context.html"}, "{{with}}"},
		{"a template that cannot be escaped", Config{Template: "escape.html"}, "escape.html"},
		{"a template that is too large", Config{Template: "large.html"}, "larger than"},
		{"a directory without 503.html", Config{Template: "lone"}, "503.html is missing"},
		{"a directory with an odd tag", Config{Template: "odd"}, "503.de_DE.html"},
		{"a directory with a broken language", Config{Template: "broken"}, "503.de.html"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.FS = files(map[string]string{
				"503.html": "fine", "syntax.html": "{{if}}", "call.html": "{{.Message.Nope}}", "known.html": `{{if .Scope}}{{template "nope"}}{{end}}`,
				"unknown.html": `{{if not .Scope}}{{index .Message 99}}{{end}}`, "context.html": "{{len .Shop}}",
				"escape.html": "<script>var a = {{if .Message}}'{{end}}{{.Message}}</script>", "large.html": strings.Repeat("x", maxTemplate+1),
				"lone/503.de.html": "fine", "odd/503.html": "fine", "odd/503.de_DE.html": "fine", "broken/503.html": "fine", "broken/503.de.html": "{{nope}}",
			})
			_, err := New(tt.config)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New = %v, want an error that names %s", err, tt.want)
			}
		})
	}
}

func TestCustomTemplate(t *testing.T) {
	renderer := custom503(t, `{{.Mode}}|{{.Scope}}|{{.Message}}|{{.StartsAt.Format "15:04"}}|{{.EndsAt.Format "15:04"}}|`+
		`{{.RetryAfter}}|{{.Lang}}|{{.Dir}}|{{.Status}}|{{.Path}}|{{with .Shop}}{{.Name}}{{end}}|{{.Note}}`)
	answer, err := renderer.Execute(notice, HTML, "", "ar", `/a?<b>`, map[string]any{
		"Shop": map[string]string{"Name": "<Tea>"}, "Message": "forged", "Status": 200,
	})
	if err != nil {
		t.Fatal(err)
	}
	checkCommonFields(t, answer)
	if got, want := string(answer.Body), "full|checkout|ننتقل الآن.|15:30|16:30|3541|ar|rtl|503|/a?&lt;b&gt;|&lt;Tea&gt;|"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := value(answer, "Content-Security-Policy"); got != DefaultCSP {
		t.Errorf("Content-Security-Policy: %s", got)
	}
}

func TestCustomPolicy(t *testing.T) {
	const csp = "default-src 'self'"
	renderer, err := New(Config{Template: "a.html", FS: files(map[string]string{"a.html": "hello"}), CSP: csp})
	if err != nil {
		t.Fatal(err)
	}
	set := prepare(t, renderer, Notice{})
	if got := value(set.Choose(HTML, "", ""), "Content-Security-Policy"); got != csp {
		t.Errorf("the page's policy is %q, want %q", got, csp)
	}
	if got := value(set.Choose(JSON, "", ""), "Content-Security-Policy"); got == csp {
		t.Error("the page's policy covers JSON too")
	}
	if got := value(set.Choose(HTML, "", ""), "Content-Language"); got != "" {
		t.Errorf("the page, whose language nobody told us, is said to be in %q", got)
	}
}

func TestTemplateDirectory(t *testing.T) {
	renderer, err := New(Config{Template: "pages", FS: files(map[string]string{
		"pages/503.html": "default {{.Lang}}:{{.Message}}", "pages/503.de.html": "deutsch {{.Lang}}:{{.Message}}",
		"pages/503.pt-BR.html": "brasileiro {{.Lang}}:{{.Message}}", "pages/503.css": "{{", "pages/other.html": "{{", "pages/503.de.html.bak": "{{",
	})})
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]string{"": "soon", "de-AT": "Servus", "fr": "bientôt"}
	set := prepare(t, renderer, Notice{Messages: messages})
	for language, want := range map[string]string{
		"":        "default :soon",
		"ja":      "default :soon",
		"en":      "default :soon",
		"de":      "deutsch de:Servus",
		"de-AT":   "deutsch de-AT:Servus",
		"pt":      "brasileiro pt-BR:soon",
		"fr-CH":   "default fr:bientôt",
		"fr;q=.5": "default :soon",
	} {
		answer := set.Choose(HTML, "", language)
		if string(answer.Body) != want {
			t.Errorf("%q gets %q, want %q", language, answer.Body, want)
		}
		executed, err := renderer.Execute(Notice{Messages: messages}, HTML, "", language, "", nil)
		if err != nil || string(executed.Body) != want || headerText(executed) != headerText(answer) {
			t.Errorf("Execute for %q: %q, %v; want what is prepared", language, executed.Body, err)
		}
	}
	for _, tt := range []struct {
		form           Type
		language, want string
	}{
		{HTML, "de", "de"}, {JSON, "de", "de-AT"}, {HTML, "pt", "pt-BR"}, {JSON, "pt", ""}, {Text, "fr", "fr"}, {HTML, "ja", ""},
	} {
		if got := value(set.Choose(tt.form, "", tt.language), "Content-Language"); got != tt.want {
			t.Errorf("%s for %q is said to be in %q, want %q", tt.form, tt.language, got, tt.want)
		}
	}
}

func TestTemplateFromTheOperatingSystem(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"503.html": "default", "503.de.html": "deutsch", "single.html": "single"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for template, want := range map[string]string{
		dir: "deutsch", dir + string(filepath.Separator): "deutsch", ".": "deutsch", filepath.Join(dir, "single.html"): "single", "single.html": "single",
	} {
		renderer, err := New(Config{Template: template})
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if got := string(prepare(t, renderer, Notice{}).Choose(HTML, "", "de").Body); got != want {
			t.Errorf("%s shows %q, want %q", template, got, want)
		}
	}
}

func TestDynamic(t *testing.T) {
	for _, tt := range []struct {
		name, template string
		want           bool
	}{
		{"no data", "hello", false},
		{"other names", "{{.Message}} {{.Lang}} {{if .Scope}}{{.Mode}}{{end}}", false},
		{"the path", "{{.Path}}", true},
		{"the path by the root variable", "{{with .Scope}}{{$.Path}}{{end}}", true},
		{"the path in a condition", `{{if eq .Path "/a"}}x{{end}}`, true},
		{"the path in an else branch", "{{if .Scope}}x{{else}}{{.Path}}{{end}}", true},
		{"the path in a pipe", "{{.Path | printf \"%s\"}}", true},
		{"the path by index", `{{index . "Path"}}`, true},
		{"the path through a variable", "{{$d := .}}{{$d.Path}}", true},
		{"the path in parentheses", "{{(.).Path}}", true},
		{"the path in a template that is called", `{{define "a"}}{{.Path}}{{end}}{{template "a" .}}`, true},
		{"the path as a template's argument", `{{define "a"}}x{{end}}{{template "a" .Path}}`, true},
		{"all of the data", "{{.}}", true},
		{"all of the data by the root variable", "{{range $k, $v := $}}{{$v}}{{end}}", true},
		{"all of the data handed on but not read", `{{define "a"}}{{.Mode}}{{end}}{{template "a" .}}{{template "a" $}}`, false},
		{"another value as the dot", "{{with .Message}}{{.}}{{end}}{{range .Extra}}{{.}}{{end}}", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := custom503(t, tt.template).Dynamic(); got != tt.want {
				t.Errorf("Dynamic of %s is %t, want %t", tt.template, got, tt.want)
			}
		})
	}
	redirecting, err := New(Config{Redirect: "/down", Template: "a", FS: files(map[string]string{"a": "{{.Path}}"})})
	if err != nil || redirecting.Dynamic() {
		t.Errorf("a page that nobody sees is dynamic, %v", err)
	}
	if builtInRenderer(t).Dynamic() {
		t.Error("the built-in page is dynamic")
	}
}

func TestPageThatReadsRetryAfterIsMadeAnew(t *testing.T) {
	set := prepare(t, custom503(t, "{{.RetryAfter}}"), Notice{RetryAfter: time.Minute})
	if got := string(set.With(9*time.Second).Choose(HTML, "", "").Body); got != "9" {
		t.Errorf("the later page says %s, want 9", got)
	}
	if got := string(set.Choose(HTML, "", "").Body); got != "60" {
		t.Errorf("the earlier page says %s, want 60", got)
	}
}

func TestPageThatFailsLaterKeepsTheEarlierOne(t *testing.T) {
	set := prepare(t, custom503(t, `{{if eq .RetryAfter 9}}{{index .Message 99}}{{end}}fine`), Notice{RetryAfter: time.Minute})
	answer := set.With(9*time.Second).Choose(HTML, "", "")
	if string(answer.Body) != "fine" || value(answer, "Retry-After") != "9" {
		t.Errorf("got %s\n%s", headerText(answer), answer.Body)
	}
}

type explosive struct{}

func (explosive) Light() string                { panic("boom") }
func (explosive) MarshalJSON() ([]byte, error) { panic("boom") }

func TestBrokenTemplateFallsBackToTheBuiltInPage(t *testing.T) {
	renderer := custom503(t, `{{if eq .Mode "hold"}}{{index .Message 99}}{{end}}fine {{with .Bomb}}{{.Light}}{{end}}<script>{{.Mine}}</script>{{with .Trap}}{{range .}}{{end}}{{end}}`)
	set, err := renderer.Prepare(Notice{Mode: "hold", Messages: map[string]string{"": "short"}})
	if !errors.Is(err, ErrTemplate) {
		t.Errorf("Prepare = %v, want ErrTemplate", err)
	}
	answers := map[string]*Answer{"prepared": set.Choose(HTML, "", "")}
	for name, value := range map[string]any{
		"Bomb": explosive{},                            // panics in a method
		"Mine": explosive{},                            // panics while it is encoded for the script
		"Trap": func(func(int) bool) { panic("boom") }, // panics where text/template does not recover
	} {
		answers[name], err = renderer.Execute(Notice{Messages: map[string]string{"": "short"}}, HTML, "", "", "/", map[string]any{name: value})
		if !errors.Is(err, ErrTemplate) || !strings.Contains(err.Error(), "boom") {
			t.Errorf("Execute with %s = %v, want ErrTemplate with the panic", name, err)
		}
	}
	for name, answer := range answers {
		checkCommonFields(t, answer)
		if page := string(answer.Body); strings.Contains(page, "fine") || !strings.Contains(page, ">short</p>") {
			t.Errorf("%s: want the built-in page, got %s", name, page)
		}
		if csp := value(answer, "Content-Security-Policy"); !strings.Contains(csp, "sha256-") {
			t.Errorf("%s: the built-in page is under %q", name, csp)
		}
	}
}

func TestContextJoinsTheMembers(t *testing.T) {
	extra := map[string]any{
		"support": "help@example.com", "Status": 200, "type": "forged", "ends_at": "never", "\u017fcope": "folded", "a\"b</script>": []int{1},
		"nan": math.NaN(), "bomb": explosive{},
	}
	keys := slices.Sorted(maps.Keys(extra))
	answer, err := builtInRenderer(t).Execute(Notice{}, JSON, "", "", "/", extra)
	if err == nil || !strings.Contains(err.Error(), `"nan"`) || !strings.Contains(err.Error(), `"bomb"`) || strings.Contains(err.Error(), `"support"`) {
		t.Errorf("Execute = %v, want an error that names nan and bomb", err)
	}
	checkCommonFields(t, answer)
	const want = `{"type":"urn:recess:maintenance","title":"Under maintenance","status":503,` +
		`"detail":"This site is being worked on. Please come back a little later.","mode":"full",` +
		`"a\"b\u003c/script\u003e":[1],"support":"help@example.com"}` + "\n"
	if string(answer.Body) != want || !json.Valid(answer.Body) {
		t.Errorf("got  %s\nwant %s", answer.Body, want)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(extra)), keys) {
		t.Error("Execute changed the application's map")
	}
}
