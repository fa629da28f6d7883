package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

// The parsers below read one value each. They find fault with its form only; what the engine has to say about its
// meaning comes from the engine (see judge).

func text(assign func(*draft, string)) func(*draft, string) error {
	return func(d *draft, value string) error {
		assign(d, strings.TrimSpace(value))
		return nil
	}
}

func boolean(field func(*recess.Policy) *bool) func(*draft, string) error {
	return func(d *draft, value string) error {
		on, ok := state.ParseWord(value)
		if !ok {
			return errors.New("write true or false (or yes, no, on, off, 1, 0)")
		}
		*field(&d.Policy) = on
		return nil
	}
}

func inherited(field func(*recess.Policy) *recess.Inherited) func(*draft, string) error {
	return func(d *draft, value string) error {
		on, ok := state.ParseWord(value)
		if !ok {
			return errors.New("write true or false (or yes, no, on, off, 1, 0), or unset it to inherit RECESS_LOGOUT_AUTHENTICATED")
		}
		*field(&d.Policy) = recess.No
		if on {
			*field(&d.Policy) = recess.Yes
		}
		return nil
	}
}

// adminTokens reads tokens by what they are known by. An error names the entry by its place: whoever writes a token where
// its hash belongs must not find it in a log.
func adminTokens(d *draft, value string) error {
	entries := split(value)
	if len(entries) == 0 {
		return errNoEntries
	}
	d.Policy.AdminTokens = nil
	for i, entry := range entries {
		parts := strings.Split(entry, ":")
		if len(parts) != 3 {
			return fmt.Errorf("entry %d: write it as in deploy:write:HASH, the hash being SHA-256 of the token in 64 hexadecimal digits", i+1)
		}
		token := recess.AdminToken{Name: parts[0], Write: parts[1] == "write"}
		if !token.Write && parts[1] != "read" {
			return fmt.Errorf("entry %d: the right is read or write", i+1)
		}
		hash, err := hex.DecodeString(parts[2])
		if err != nil || len(hash) != len(token.Hash) {
			return fmt.Errorf("entry %d: the hash is none: write SHA-256 of the token in 64 hexadecimal digits, as sha256sum prints it", i+1)
		}
		copy(token.Hash[:], hash)
		d.Policy.AdminTokens = append(d.Policy.AdminTokens, token)
	}
	return nil
}

func list(field func(*recess.Policy) *[]string) func(*draft, string) error {
	return func(d *draft, value string) error {
		entries := split(value)
		if len(entries) == 0 {
			return errNoEntries
		}
		*field(&d.Policy) = entries
		return nil
	}
}

var errNoEntries = errors.New("it holds separators but no entry: write one, or unset it")

// split takes a list apart: at line breaks if it has any, else at commas.
func split(value string) []string {
	separator := ","
	if strings.Contains(value, "\n") {
		separator = "\n"
	}
	return entries(value, separator)
}

func entries(value, separator string) []string {
	var found []string
	for entry := range strings.SplitSeq(value, separator) {
		if entry = strings.TrimSpace(entry); entry != "" {
			found = append(found, entry)
		}
	}
	return found
}

// unsafe takes variables' names for the settings that have no text of their own.
func unsafe(d *draft, value string) error {
	entries := split(value)
	if len(entries) == 0 {
		return errNoEntries
	}
	for i, entry := range entries {
		switch entry {
		case "RECESS_ALLOW_ANONYMOUS":
			entries[i] = "AllowAnonymous"
		case "RECESS_ALLOW_ADMIN_SITE":
			entries[i] = "AllowAdminSite"
		}
	}
	d.Policy.Unsafe = entries
	return nil
}

func mode(d *draft, value string) error {
	on, ok := state.ParseWord(value)
	if !ok {
		return errors.New("write on or off to force the mode, or unset it to follow the state")
	}
	d.Policy.Force = recess.ForcedOff
	if on {
		d.Policy.Force = recess.ForcedOn
	}
	return nil
}

func fallback(d *draft, value string) error {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "open":
		d.Policy.Fallback = recess.FallbackOpen
	case "closed":
		d.Policy.Fallback = recess.FallbackClosed
	default:
		return errors.New("write open or closed")
	}
	return nil
}

func readiness(d *draft, value string) error {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "always":
		d.Policy.Readiness = recess.ReadyAlways
	case "open":
		d.Policy.Readiness = recess.ReadyWhileOpen
	default:
		return errors.New("write always or open")
	}
	return nil
}

func responseType(d *draft, value string) error {
	t, err := page.ParseType(strings.ToLower(strings.TrimSpace(value)))
	if err != nil {
		return errors.New("write auto, html, json, problem or text")
	}
	d.Policy.ResponseType = t
	return nil
}

func statusCode(d *draft, value string) error {
	code, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || code < 400 || code > 599 {
		return errors.New("write a status from 400 to 599, as in 503")
	}
	d.Policy.Status = code
	return nil
}

func holdRequests(d *draft, value string) error {
	n, err := bound(value)
	d.Policy.HoldRequests = int(min(n, math.MaxInt32))
	return err
}

func holdBytes(d *draft, value string) (err error) {
	d.Policy.HoldBytes, err = bound(value)
	return err
}

// bound reads a number of things of which there may be none: the policy's zero stands for a default.
func bound(value string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	switch {
	case err != nil || n < 0:
		return 0, errors.New("write a whole number, or 0 for none at all")
	case n == 0:
		return -1, nil
	}
	return n, nil
}

func retryAfter(d *draft, value string) error {
	after, err := duration(value)
	if err != nil {
		return err
	}
	d.Policy.RetryAfter = after
	if after == 0 {
		d.Policy.RetryAfter = recess.NoRetryAfter
	}
	return nil
}

func grace(d *draft, value string) error {
	length, err := duration(value)
	if err != nil {
		return err
	}
	d.Policy.Grace = length
	if length == 0 {
		d.Policy.Grace = recess.NoGrace
	}
	return nil
}

func poll(d *draft, value string) error {
	every, err := duration(value)
	if err != nil {
		return err
	}
	if every == 0 {
		return errors.New("the state must be read now and then: write at least 100ms")
	}
	d.Poll = every
	return nil
}

func startWait(d *draft, value string) error {
	wait, err := duration(value)
	if err != nil {
		return err
	}
	// Zero stands for the default there; a wait that is over at once is none.
	d.StartWait = max(wait, time.Nanosecond)
	return nil
}

// duration reads whole seconds or Go's form.
func duration(value string) (time.Duration, error) {
	value = strings.TrimSpace(value)
	errForm := errors.New("write seconds, as in 90, or a duration, as in 1m30s")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		if seconds < 0 || seconds > math.MaxInt64/int64(time.Second) {
			return 0, errForm
		}
		return time.Duration(seconds) * time.Second, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, errForm
	}
	return d, nil
}

func instance(d *draft, value string) error {
	name := strings.TrimSpace(value)
	if err := recess.CheckInstance(name); err != nil {
		return err
	}
	d.Instance = name
	return nil
}

// headers reads Name=secret, one a line: secrets hold commas. Its errors name no more than the line's number, since
// what stands before a '=' may be a part of a secret.
func headers(d *draft, value string) error {
	var faults []error
	secrets := make(map[string]string)
	number := 0
	for line := range strings.SplitSeq(value, "\n") {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, secret, ok := strings.Cut(line, "=")
		name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
		_, twice := secrets[name]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("line %d: write it as in X-Preview=secret", number))
		case twice:
			faults = append(faults, fmt.Errorf("line %d: the header stands twice", number))
		default:
			secrets[name] = strings.TrimSpace(secret)
		}
	}
	d.Policy.AllowHeaders = secrets
	return errors.Join(faults...)
}

// scopes reads name=rule;rule. A base's scopes of other names stay.
func scopes(d *draft, value string) error {
	lines := split(value)
	if len(lines) == 0 {
		return errNoEntries
	}
	var faults []error
	named := make(map[string][]string)
	for _, line := range lines {
		name, rules, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		_, twice := named[name]
		switch found := entries(rules, ";"); {
		case !ok || len(found) == 0:
			faults = append(faults, fmt.Errorf("%q: write it as in eu=/eu/**;host:eu.example.com, one scope a line", line))
		case twice:
			faults = append(faults, fmt.Errorf("%q stands twice: write its rules on one line, separated by ;", name))
		default:
			named[name] = slices.Clip(found)
		}
	}
	all := maps.Clone(d.Policy.Scopes) // the base's map is the caller's
	if all == nil {
		all = make(map[string][]string)
	}
	maps.Copy(all, named)
	d.Policy.Scopes = all
	return errors.Join(faults...)
}
