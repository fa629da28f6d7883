package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/recess-go/recess/core/state"
)

// Place names the part of the site that a scope is: "the whole site", "scope checkout".
func Place(scope string) string {
	if scope == "" {
		return "the whole site"
	}
	return "scope " + Clean(scope)
}

// effect says what a mode does to visitors.
func effect(mode string) string {
	switch state.Mode(mode) {
	case state.Announce:
		return "every request passes, visitors are told"
	case state.ReadOnly:
		return "only reading is possible"
	case state.Hold:
		return "requests are kept waiting"
	}
	return "every request is refused"
}

// Headline says in one sentence how things stand.
func (s *Status) Headline() string {
	switch {
	case s.Forced == "on":
		return "Maintenance is forced ON: every request is refused, whatever the state says."
	case s.Forced == "off":
		return "Maintenance is forced OFF: every request passes, whatever the state says."
	case len(s.Running) == 0 && len(s.Planned) == 0:
		return "Maintenance is OFF: the site is open."
	case len(s.Running) == 0:
		return "Maintenance is OFF: the site is open. " + planned(len(s.Planned))
	case !s.Active:
		return "Maintenance is OFF: every request passes. An announcement is shown."
	}
	whole := slices.IndexFunc(s.Running, func(w Window) bool { return w.Scope == "" && w.Mode == s.Mode })
	if whole >= 0 && s.Running[whole].reopening {
		return fmt.Sprintf("Maintenance is ending for the whole site: %s.", s.Running[whole].degrees())
	}
	if whole >= 0 {
		return fmt.Sprintf("Maintenance is ON for the whole site: %s.", effect(s.Mode))
	}
	return fmt.Sprintf("Maintenance is ON for %s.", s.places())
}

// places lists what refuses something and how: "scope checkout (only reading is possible)".
func (s *Status) places() string {
	var places []string
	for _, w := range s.Running {
		if w.Mode == string(state.Announce) {
			continue
		}
		effect := effect(w.Mode)
		if w.reopening {
			effect = w.degrees()
		}
		if place := fmt.Sprintf("%s (%s)", Place(w.Scope), effect); !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if n := len(places); n > 1 {
		return strings.Join(places[:n-1], ", ") + " and " + places[n-1]
	}
	return strings.Join(places, "")
}

// degrees says how far a window is that reopens.
func (w *Window) degrees() string {
	return fmt.Sprintf("%.0f %% of the visitors are let in, the others by degrees", 100*w.Share)
}

func planned(n int) string {
	if n == 1 {
		return "A window is planned."
	}
	return fmt.Sprintf("%d windows are planned.", n)
}

// Who names an actor: "alice on web-1, by cli"; "" if nothing is known.
func (a Actor) Who() string {
	words := Clean(a.Name)
	if a.Host != "" {
		words = strings.TrimSpace(words + " on " + Clean(a.Host))
	}
	if a.Source != "" && words != "" {
		words += " (" + Clean(a.Source) + ")"
	}
	return words
}
