// Package completion writes completion scripts for shells from the model of a command line.
package completion

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

// program is what the templates see.
type program struct {
	Name     string   // what is typed: "recess", "myapp maintenance"
	Words    []string // the same, word by word
	Function string   // the name as a part of a function's name
	Global   []flag
	Commands []command
}

type command struct {
	Name, Help string
	Flags      []flag
	Words      []string // what its argument may be
}

type flag struct {
	Name, Short, Help string
	Takes             bool     // a value
	Values            []string // what the value may be; nil is anything
	File              bool     // the value may be a file's name
}

// Write writes the script for a shell: bash, zsh or fish.
func Write(w io.Writer, shell string, model *kong.Application) error {
	script, ok := map[string]*template.Template{"bash": bash, "zsh": zsh, "fish": fish}[shell]
	if !ok {
		return fmt.Errorf("completion: there is no script for the shell %q", shell)
	}
	return script.Execute(w, read(model))
}

func read(model *kong.Application) program {
	p := program{Name: model.Name, Words: strings.Fields(model.Name), Function: identifier(model.Name), Global: readFlags(model.Flags)}
	for _, node := range model.Children {
		if node.Hidden {
			continue
		}
		c := command{Name: node.Name, Help: node.Help, Flags: readFlags(node.Flags)}
		for _, arg := range node.Positional {
			if arg.Enum != "" {
				c.Words = append(c.Words, arg.EnumSlice()...)
			}
		}
		for _, child := range node.Children { // what follows is offered for all of them
			c.Words = append(c.Words, child.Name)
			c.Flags = append(c.Flags, readFlags(child.Flags)...)
		}
		if len(node.Children) > 0 {
			slices.SortFunc(c.Flags, func(a, b flag) int { return strings.Compare(a.Name, b.Name) })
			c.Flags = slices.CompactFunc(c.Flags, func(a, b flag) bool { return a.Name == b.Name })
		}
		p.Commands = append(p.Commands, c)
	}
	return p
}

func readFlags(flags []*kong.Flag) []flag {
	var all []flag
	for _, f := range flags {
		if f.Hidden || strings.ToLower(f.Name) != f.Name { // --message-TAG stands for many
			continue
		}
		next := flag{Name: f.Name, Help: f.Help, Takes: !f.IsBool(), File: f.Name == "state"}
		if f.Short != 0 {
			next.Short = string(f.Short)
		}
		if values := f.Tag.Get("values"); values != "" {
			next.Values = strings.Split(values, ",")
		}
		all = append(all, next)
	}
	return all
}

// identifier makes a name that every shell takes for a part of a function's name.
func identifier(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// functions are what the templates call.
var functions = template.FuncMap{
	// quote makes one word of a text, for bash and zsh.
	"quote": func(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" },
	// fishQuote makes one word of a text, for fish.
	"fishQuote": func(text string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
	},
	// described is an entry of zsh's _describe: a colon ends its name.
	"described": func(name, help string) string { return strings.ReplaceAll(name, ":", `\:`) + ":" + help },
	// spec is an entry of zsh's _arguments.
	"spec": spec,
	// offers lists words and the names of flags.
	"offers": offers,
	// commands lists the names of a program's commands.
	"commands": func(p program) []string {
		var names []string
		for _, c := range p.Commands {
			names = append(names, c.Name)
		}
		return names
	},
	"join": strings.Join,
}

func offers(words []string, flags ...[]flag) string {
	all := append([]string{}, words...)
	for _, some := range flags {
		for _, f := range some {
			all = append(all, "--"+f.Name)
		}
	}
	return strings.Join(all, " ")
}

func spec(f flag) string {
	escape := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`)
	text := "--" + f.Name
	if f.Takes {
		text += "="
	}
	text += "[" + escape.Replace(f.Help) + "]"
	switch {
	case len(f.Values) > 0:
		text += ":" + f.Name + ":(" + strings.Join(f.Values, " ") + ")"
	case f.File:
		text += ":" + f.Name + ":_files"
	case f.Takes:
		text += ":" + f.Name + ": "
	}
	return text
}
