package config

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/recess-go/recess/core"
)

// judge builds the configuration and lets the engine judge it, so that nothing is checked twice in two ways. Where the
// engine refuses the whole, it is built again variable by variable: the one that turns a configuration that is accepted
// into one that is not is at fault, and is left out of what is judged next.
func judge(base recess.Config, usable []*setting, values map[string]string) (*draft, []Fault) {
	whole := newDraft(base)
	for _, s := range usable {
		_ = s.set(whole, values[s.Name]) // it was set before without an error
	}
	if check(whole.Config) == nil {
		return whole, nil
	}
	var faults []Fault
	if err := check(base); err != nil {
		faults = append(faults, Fault{Err: err})
		base = recess.Config{Backend: base.Backend} // judge the variables for themselves
	}
	sound := newDraft(base)
	for _, s := range usable {
		next := *sound
		_ = s.set(&next, values[s.Name])
		if err := check(next.Config); err != nil {
			faults = append(faults, s.fault(values[s.Name], inVariables(err, values[s.Name])))
			continue
		}
		*sound = next
	}
	return sound, faults
}

// check asks the engine what it thinks of a configuration, without reading a state or its snapshot (see snapshotFault).
func check(c recess.Config) error {
	if c.Policy.Force == recess.NotForced {
		c.Policy.Force = recess.ForcedOff
	}
	c.Backend, c.SnapshotFile, c.Logger = nil, "", slog.New(slog.DiscardHandler)
	engine, err := recess.New(context.Background(), c)
	if err != nil {
		return err
	}
	return engine.Close()
}

// inVariables puts an error about fields into the words of somebody who sets variables. The names of fields that
// begin a line are dropped: the line will begin with the variable's.
func inVariables(err error, value string) error {
	var kept []string
	for line := range strings.SplitSeq(strings.TrimPrefix(err.Error(), "recess: "), "\n") {
		line = strings.TrimPrefix(line, "policy: ")
		for _, name := range fieldNames {
			line = strings.TrimPrefix(line, name+": ")
		}
		if line != "" && line != "page: unusable configuration:" {
			kept = append(kept, line)
		}
	}
	words := fieldsAsVariables.Replace(strings.Join(kept, "; "))
	if strings.Contains(value, ",") && strings.Contains(value, "~") && !strings.Contains(value, "\n") {
		words += ` (commas separate entries: an entry that holds one goes on a line of its own, and the value ends with a line break)`
	}
	return errors.New(words)
}

// fieldNames are what [recess.New] begins its findings with.
var fieldNames = []string{
	"the policy disarms itself", "the answer", "AdminTokens", "AllowAdminSite", "AllowNetworks", "AllowPaths", "AllowHosts", "AllowHeaders",
	"TrustedProxies, ClientIPHeader", "Scopes", "PassKeys", "PassAudience",
}

var fieldsAsVariables = strings.NewReplacer(
	"Policy.Unsafe", "RECESS_UNSAFE", "Config.Poll", "RECESS_POLL", "Config.StartWait", "RECESS_START_WAIT",
	`"AllowAnonymous"`, `"RECESS_ALLOW_ANONYMOUS"`, `"AllowAdminSite"`, `"RECESS_ALLOW_ADMIN_SITE"`,
	"AllowAnonymous", "RECESS_ALLOW_ANONYMOUS", "AllowAuthenticated", "RECESS_ALLOW_AUTHENTICATED", "AllowAdminSite", "RECESS_ALLOW_ADMIN_SITE",
)
