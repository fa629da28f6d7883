package recess

import (
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

func TestMaintenanceTellsItselfInABanner(t *testing.T) {
	start := time.Date(2026, time.November, 21, 15, 30, 0, 0, time.FixedZone("CET", 3600))
	messages := map[string]string{"": "Back soon", "de": "Gleich zurück"}
	for _, tt := range []struct {
		name string
		m    *Maintenance
		want []string
	}{
		{"nothing", nil, nil},
		{"the zero value", &Maintenance{}, nil},
		{"planned", &Maintenance{Planned: true, Mode: state.Full, Scope: "shop", Messages: messages, StartsAt: start, EndsAt: start.Add(time.Hour)}, []string{
			"recess-planned", `datetime="2026-11-21T14:30Z"`, `datetime="2026-11-21T15:30Z"`, "<bdi>shop</bdi>", `lang="de" dir="auto">Gleich zurück`,
		}},
		{"announced", &Maintenance{Announced: true, Mode: state.Announce, Messages: messages}, []string{"recess-announced", "Gleich"}},
		{"let in", &Maintenance{Active: true, Allowed: true, Mode: state.Full, EndsAt: start}, []string{"recess-allowed", "let in", "14:30 UTC"}},
		{"read-only", &Maintenance{Active: true, Mode: state.ReadOnly}, []string{"recess-running", "look around"}},
		{"made by hand", &Maintenance{Announced: true, Message: "Hello"}, []string{"Hello"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(tt.m.Banner("de", page.BannerInline))
			if (got == "") != (tt.want == nil) {
				t.Errorf("the banner is %q", got)
			}
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("the banner lacks %s:\n%s", want, got)
				}
			}
		})
	}
}

// A template needs no {{if}} around it, whether its value is nil, is missing, or is there.
func TestTemplatesShowTheBannerWithoutAQuestion(t *testing.T) {
	page := template.Must(template.New("").Parse(`<body>{{.maintenance.Banner .languages ""}}<h1>Shop</h1>`))
	for name, data := range map[string]map[string]any{
		"nil": {"maintenance": (*Maintenance)(nil), "languages": "de"}, "missing": {"languages": "de"},
	} {
		var out strings.Builder
		if err := page.Execute(&out, data); err != nil || out.String() != "<body><h1>Shop</h1>" {
			t.Errorf("%s: %v, %s", name, err, &out)
		}
	}
	var out strings.Builder
	if err := page.Execute(&out, map[string]any{"maintenance": &Maintenance{Announced: true, Message: "Hello"}, "languages": ""}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `<p lang="" dir="auto">Hello</p>`) {
		t.Errorf("the page lacks the banner, or escapes it: %s", &out)
	}
}
