package cli

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestReadArguments(t *testing.T) {
	for _, c := range []struct {
		name, line, want string
		messages         map[string]string
		says             string
	}{
		{"a command stays", "on --for 30m", "on --for 30m", nil, ""},
		{"Django's words for on", "YES --for 30m", "on --for 30m", nil, ""},
		{"Django's words for off", "0", "off", nil, ""},
		{"a command in capitals", "Off --json", "off --json", nil, ""},
		{"a flag's value is no command", "--state on --timeout 1 FALSE", "--state on --timeout 1 off", nil, ""},
		{"a flag with its value", "--state=x --json TRUE", "--state=x --json on", nil, ""},
		{"only the first word is a command", "cancel on", "cancel on", nil, ""},
		{"other commands keep their case", "Status", "Status", nil, ""},
		{"help for all", "help", "--help", nil, ""},
		{"help for one", "help on", "on --help", nil, ""},
		{"--version", "--version", "version", nil, ""},
		{"after -- nothing is touched", "cancel -- --message-de x YES", "cancel -- --message-de x YES", nil, ""},
		{
			"messages are taken out", "on --message-de=a --reason r --message-pt-br b --message-zh-HANT-tw c", "on --reason r",
			map[string]string{"de": "a", "pt-BR": "b", "zh-Hant-TW": "c"},
			"",
		},
		{"an empty message", "on --message-de=", "on", map[string]string{"de": ""}, ""},
		{"a message with an equals sign", "on --message-de=a=b", "on", map[string]string{"de": "a=b"}, ""},
		{"a negative length reaches the reader of times", "on --for -5m --timeout -.5s", "on --for=-5m --timeout=-.5s", nil, ""},
		{"a flag after a flag stays one", "on --for --json", "on --for --json", nil, ""},
		{"a command of a later release", "preview x", "", nil, "preview is not part of this release"},
		{"its help", "help preview", "", nil, "preview is not part of this release"},
		{"with flags before it", "--timeout 1s preview", "", nil, "preview is not part of this release"},
		{"the name of a later command as a value", "cancel run", "cancel run", nil, ""},
		{"no text", "on --message-de", "", nil, "--message-de=TEXT"},
		{"a flag in place of the text", "on --message-de --json", "", nil, "--message-de=TEXT"},
		{"a language twice", "on --message-de a --message-DE b", "", nil, "given twice"},
		{"no language", "on --message- a", "", nil, "language tag"},
		{"the placeholder", "on --message-TAG a", "", nil, "language tag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readArguments(strings.Fields(c.line))
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error %v, want one that says %q", err, c.says)
				}
				return
			}
			if err != nil || strings.Join(got.rest, " ") != c.want || !maps.Equal(got.messages, c.messages) {
				t.Errorf("got %q, %v, %v, want %q, %v", got.rest, got.messages, err, c.want, c.messages)
			}
		})
	}
}

func TestReadArgumentsLeavesTheCallersSliceAlone(t *testing.T) {
	args := []string{"--json", "YES", "help"}
	if _, err := readArguments(args); err != nil || !slices.Equal(args, []string{"--json", "YES", "help"}) {
		t.Errorf("the arguments are now %q, %v", args, err)
	}
}

func TestTheValuedFlagsAreThoseOfTheGrammar(t *testing.T) {
	var g grammar
	parser, err := newParser(&g, &Setup{Program: "recess", State: "file:x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, flag := range parser.Model.Flags {
		if !flag.IsBool() {
			want = append(want, "--"+flag.Name)
		}
	}
	if !slices.Equal(valued, want) {
		t.Errorf("valued is %q, the grammar has %q", valued, want)
	}
	for _, top := range parser.Model.Children {
		for _, node := range append([]*kong.Node{top}, top.Children...) {
			if _, ok := node.Target.Addr().Interface().(runner); ok != (len(node.Children) == 0) {
				t.Errorf("%s can be run: %v", commandName(node), ok)
			}
			if node.Help == "" || node.Name != "version" && node.Detail == "" {
				t.Errorf("%s has no help", commandName(node))
			}
		}
	}
}
