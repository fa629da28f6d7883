package recess

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"testing"
)

// TestSecretsAreComparedInConstantTime reads the source, since a difference of nanoseconds cannot be measured reliably: where
// something secret is compared, constant-time functions do it, and no other comparison looks at a text (attack A10).
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	for _, where := range []struct{ file, function, by string }{
		{"decide.go", "secretHeader", "subtle.ConstantTimeCompare"},
		{"pass/token.go", "equal", "subtle.ConstantTimeCompare"},
		{"pass/token.go", "verify", "equal"},
		{"pass/book.go", "holds", "same"},
		{"pass/book.go", "same", "binary.LittleEndian.Uint64"}, // by words, all of them
		{"admin/access.go", "token", "subtle.ConstantTimeCompare"},
		{"admin/origin.go", "proven", "subtle.ConstantTimeCompare"},
	} {
		t.Run(where.file+" "+where.function, func(t *testing.T) {
			parsed, err := parser.ParseFile(token.NewFileSet(), where.file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			body := bodyOf(parsed, where.function)
			if body == nil {
				t.Fatal("there is no such function: where is the comparison now?")
			}
			compares := false
			ast.Inspect(body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					name := types.ExprString(n.Fun)
					compares = compares || name == where.by
					if slices.Contains([]string{"bytes.Equal", "bytes.Compare", "strings.Compare", "strings.EqualFold", "slices.Equal", "slices.Contains", "reflect.DeepEqual"}, name) {
						t.Errorf("%s takes longer the more is right", types.ExprString(n))
					}
				case *ast.BinaryExpr:
					if (n.Op == token.EQL || n.Op == token.NEQ) && !harmless(n.X) && !harmless(n.Y) {
						t.Errorf("%s takes longer the more is right", types.ExprString(n))
					}
				case *ast.SwitchStmt:
					if n.Tag != nil {
						t.Errorf("a switch over %s takes longer the more is right", types.ExprString(n.Tag))
					}
				}
				return true
			})
			if !compares {
				t.Errorf("%s is not called", where.by)
			}
			if where.function == "same" {
				ast.Inspect(body, func(n ast.Node) bool {
					if loop, ok := n.(*ast.ForStmt); ok {
						ast.Inspect(loop.Body, func(n ast.Node) bool {
							switch n.(type) {
							case *ast.IfStmt, *ast.ReturnStmt, *ast.BranchStmt:
								t.Error("the loop ends early")
							}
							return true
						})
					}
					return true
				})
			}
		})
	}
}

// harmless reports whether one side of a comparison says that no secret is compared: a literal, nil, or a constant's name.
func harmless(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return slices.Contains([]string{"nil", "true", "false", "tokenLen", "remembered", "unseen", "writing"}, x.Name)
	}
	return false
}

func bodyOf(file *ast.File, function string) *ast.BlockStmt {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == function {
			return f.Body
		}
	}
	return nil
}
