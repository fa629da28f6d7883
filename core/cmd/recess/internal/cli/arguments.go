package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/recess-go/recess/core/state"
)

// arguments is a command line made ready for the parser.
type arguments struct {
	rest     []string          // without the --message-TAG flags, the command in its canonical form
	messages map[string]string // by language tag
	json     bool              // --json stands in it: errors of the parse itself are written in JSON too
}

// valued are the global flags that take a value in the next word: the word is no command then.
var valued = []string{"--state", "--timeout"}

// What design.md names and this release does not bring yet. The parser would suggest what is spelled alike: on for run.
var unreleasedCommands = []string{"preview"}

// timed are the flags that take a time, and negative is one as people type it: the parser takes it for a flag.
var (
	timed    = []string{"--for", "--until", "--start", "--timeout", "--within", "--hold", "--ramp", "--lease", "--ttl"}
	negative = regexp.MustCompile(`^-\.?\d`)
)

// missingValue is what the parser says of a flag without its value.
var missingValue = regexp.MustCompile(`^(--[\w-]+): expected \w+ value but got "(.*)" \(`)

// ownWords puts what the parser says of a missing value into words for people.
func ownWords(text string) string {
	found := missingValue.FindStringSubmatch(text)
	switch {
	case found == nil:
		return text
	case found[2] == "EOL":
		return found[1] + " needs a value"
	}
	return fmt.Sprintf("%s needs a value, and %s looks like a flag: if it is the value, write %[1]s=%[2]s", found[1], found[2])
}

// readArguments does what kong's grammar cannot say: one flag for each language, the words by which Django's command
// switches, and the habits "help on" and "--version".
func readArguments(args []string) (arguments, error) {
	a := arguments{messages: make(map[string]string)}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			a.rest = append(a.rest, args[i:]...)
			break
		}
		a.json = a.json || arg == "--json" || arg == "--json=true"
		if slices.Contains(timed, arg) && i+1 < len(args) && negative.MatchString(args[i+1]) {
			i++
			arg += "=" + args[i] // the reader of times has better words for it than the parser
		}
		flag, found := strings.CutPrefix(arg, "--message-")
		if !found {
			a.rest = append(a.rest, arg)
			continue
		}
		tag, text, inline := strings.Cut(flag, "=")
		if tag == "" || tag == "TAG" {
			return a, usage("--message-%s: put a language tag there, as in --message-de or --message-pt-BR", tag)
		}
		if !inline {
			if i++; i == len(args) || strings.HasPrefix(args[i], "-") {
				return a, usage("--message-%s needs a text: --message-%s=TEXT", tag, tag)
			}
			text = args[i]
		}
		if err := a.addMessage(tag, text); err != nil {
			return a, err
		}
	}
	a.rest = canonical(a.rest)
	if i := commandIndex(a.rest); i >= 0 && slices.Contains(unreleasedCommands, a.rest[i]) {
		return a, usage("%s is not part of this release", a.rest[i])
	}
	return a, nil
}

func (a *arguments) addMessage(tag, text string) error {
	for other := range a.messages {
		if strings.EqualFold(other, tag) {
			return usage("--message-%s is given twice", tag)
		}
	}
	a.messages[canonicalTag(tag)] = text
	return nil
}

// canonicalTag writes a language tag as RFC 5646, section 2.1.1, recommends: "pt-BR", "zh-Hant-TW". In a window, two
// spellings of one tag would be two messages.
func canonicalTag(tag string) string {
	parts := strings.Split(strings.ToLower(tag), "-")
	for i, part := range parts {
		switch {
		case i == 0 || len(parts[i-1]) == 1: // what follows a singleton stays in lower case
		case len(part) == 2:
			parts[i] = strings.ToUpper(part)
		case len(part) == 4:
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "-")
}

// canonical puts the command into the form in which the grammar has it.
func canonical(args []string) []string {
	if len(args) == 1 && args[0] == "--version" {
		return []string{"version"}
	}
	i := commandIndex(args)
	if i < 0 {
		return args
	}
	args = slices.Clone(args)
	if args[i] == "help" {
		return append(slices.Delete(args, i, i+1), "--help")
	}
	if on, ok := state.ParseWord(args[i]); ok {
		args[i] = map[bool]string{true: "on", false: "off"}[on]
	}
	return args
}

// commandIndex finds the command: the first word that is neither a flag nor a flag's value; -1 if there is none.
func commandIndex(args []string) int {
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			return -1
		case slices.Contains(valued, arg):
			i++
		case !strings.HasPrefix(arg, "-"):
			return i
		}
	}
	return -1
}
