package page

import (
	"html/template"
	"slices"
	"text/template/parse"
)

// reads reports whether what a template writes may depend on one name of its data. It errs towards yes: the
// name counts wherever it stands, and so does every use of the dot as a whole, as in {{index . "Path"}}.
func reads(page *template.Template, name string) bool {
	for _, t := range page.Templates() {
		if t.Tree != nil && reader(name).in(t.Tree.Root, true) {
			return true
		}
	}
	return false
}

type reader string

// in searches below a node; whole says whether the dot is still all of the data there.
func (r reader) in(node parse.Node, whole bool) bool {
	switch n := node.(type) {
	case *parse.ListNode:
		return n != nil && slices.ContainsFunc(n.Nodes, func(n parse.Node) bool { return r.in(n, whole) })
	case *parse.ActionNode:
		return r.in(n.Pipe, whole)
	case *parse.IfNode:
		return r.in(n.Pipe, whole) || r.in(n.List, whole) || r.in(n.ElseList, whole)
	case *parse.WithNode:
		return r.in(n.Pipe, whole) || r.in(n.List, false) || r.in(n.ElseList, whole)
	case *parse.RangeNode:
		return r.in(n.Pipe, whole) || r.in(n.List, false) || r.in(n.ElseList, whole)
	case *parse.TemplateNode:
		// The template that is called is searched by itself; handing it the data is not yet reading it.
		return n.Pipe != nil && !isWhole(n.Pipe) && r.in(n.Pipe, whole)
	case *parse.PipeNode:
		return slices.ContainsFunc(n.Cmds, func(c *parse.CommandNode) bool { return r.in(c, whole) })
	case *parse.CommandNode:
		return slices.ContainsFunc(n.Args, func(n parse.Node) bool { return r.in(n, whole) })
	case *parse.ChainNode:
		return r.names(n.Field) || r.in(n.Node, whole)
	case *parse.FieldNode:
		return r.names(n.Ident)
	case *parse.VariableNode:
		return r.names(n.Ident) || len(n.Ident) == 1 && n.Ident[0] == "$"
	case *parse.DotNode:
		return whole
	}
	return false
}

func (r reader) names(path []string) bool {
	return slices.ContainsFunc(path, func(name string) bool { return name == string(r) })
}

// isWhole recognises {{template "x" .}} and {{template "x" $}}.
func isWhole(pipe *parse.PipeNode) bool {
	if len(pipe.Decl) > 0 || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return false
	}
	switch n := pipe.Cmds[0].Args[0].(type) {
	case *parse.DotNode:
		return true
	case *parse.VariableNode:
		return len(n.Ident) == 1 && n.Ident[0] == "$"
	}
	return false
}
