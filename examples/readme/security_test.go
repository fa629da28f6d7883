package readme

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	goTest = regexp.MustCompile(`^([a-z0-9/]+)\.((?:Test|Fuzz)\w+)$`)
	span   = regexp.MustCompile("`([^`]+)`")
)

// undefended stands in the last column of a threat that nothing is done about.
const undefended = "not defended"

// TestEveryTestThatTheSecurityPagesNameIsThere reads the last columns of their tables.
func TestEveryTestThatTheSecurityPagesNameIsThere(t *testing.T) {
	suite := suiteTests(t)
	for _, page := range []string{"security-tests.md", "security.md"} {
		rows := tableRows(t, filepath.Join("../../docs", page))
		if len(rows) < 20 {
			t.Errorf("docs/%s has %d rows", page, len(rows))
		}
		for _, row := range rows {
			tests := span.FindAllStringSubmatch(row[len(row)-1], -1)
			if len(tests) == 0 && !strings.Contains(row[len(row)-1], undefended) {
				t.Errorf("docs/%s: %s names no test", page, row[0])
			}
			for _, named := range tests {
				if problem := missing(named[1], suite); problem != "" {
					t.Errorf("docs/%s: %s: %s", page, row[0], problem)
				}
			}
		}
	}
}

// TestEveryAttackIsSentToAllFrameworks: a row without a test of the suite would be sent to nobody.
func TestEveryAttackIsSentToAllFrameworks(t *testing.T) {
	rows := tableRows(t, "../../docs/security-tests.md")
	for i, row := range rows {
		if want := fmt.Sprintf("A%d", i+1); row[0] != want {
			t.Errorf("row %d is %s, want %s", i+1, row[0], want)
		}
		if !slices.ContainsFunc(span.FindAllStringSubmatch(row[len(row)-1], -1), func(s []string) bool { return !goTest.MatchString(s[1]) }) {
			t.Errorf("%s is sent to no framework", row[0])
		}
	}
	if len(rows) != 23 {
		t.Errorf("there are %d rows", len(rows))
	}
	adapters, err := filepath.Glob("../../adapters/*")
	if err != nil || len(adapters) < 4 {
		t.Fatal(adapters, err)
	}
	for _, dir := range append(adapters, "../../core/nethttp") {
		if !inTests(t, dir, "adaptertest.Run(t, ") {
			t.Errorf("%s does not run the suite", dir)
		}
	}
}

// tableRows returns the cells of those tables of a page whose last column is "tests", without their heads.
func tableRows(t *testing.T, page string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, body := "", false
	for line := range strings.Lines(string(text)) {
		switch {
		case !strings.HasPrefix(line, "|"):
			body = false
		case strings.HasPrefix(line, "|---"):
			body = strings.HasSuffix(before, "| tests |\n")
		case body:
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
		before = line
	}
	return rows
}

// missing says what is wrong with a test's name; "" if it is there.
func missing(name string, suite map[string][]string) string {
	if found := goTest.FindStringSubmatch(name); found != nil {
		dir := filepath.Join("../..", found[1])
		if files, _ := filepath.Glob(filepath.Join(dir, "*_test.go")); !slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), "\nfunc "+found[2]+"(")
		}) {
			return found[1] + " has no " + found[2]
		}
		return ""
	}
	topic, test, _ := strings.Cut(name, "/")
	if !slices.Contains(suite[topic], test) {
		return fmt.Sprintf("the suite has no test %q", name)
	}
	return ""
}

func inTests(t *testing.T, dir, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		content, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(content), text)
	})
}

// suiteTests reads the tests of core/adaptertest out of its source, by the topics under which adaptertest.Run runs them.
func suiteTests(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../core/adaptertest/*.go")
	if err != nil {
		t.Fatal(err)
	}
	lists := make(map[string][]string)  // the names in each list of tests, by the variable's name
	topics := make(map[string][]string) // of topics, the variables
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, value := range n.Values {
					if list, ok := value.(*ast.CompositeLit); ok && strings.HasSuffix(n.Names[i].Name, "Tests") {
						lists[n.Names[i].Name] = slices.Collect(maps.Keys(pairs(list)))
					}
				}
			case *ast.CompositeLit:
				for name, value := range pairs(n) {
					if strings.HasSuffix(value, "Tests") {
						topics[name] = append(topics[name], value)
					}
				}
			}
			return true
		})
	}
	tests := make(map[string][]string)
	for topic, variables := range topics {
		for _, variable := range variables {
			tests[topic] = append(tests[topic], lists[variable]...)
		}
	}
	if len(tests) < 15 || len(tests["network"]) < 6 {
		t.Fatalf("the suite was not understood: %v", tests)
	}
	return tests
}

// pairs reads {{"text", identifier}, …}.
func pairs(list *ast.CompositeLit) map[string]string {
	all := make(map[string]string)
	for _, element := range list.Elts {
		pair, ok := element.(*ast.CompositeLit)
		if !ok || len(pair.Elts) != 2 {
			continue
		}
		text, isText := pair.Elts[0].(*ast.BasicLit)
		name, isName := pair.Elts[1].(*ast.Ident)
		if isText && isName && text.Kind == token.STRING {
			if unquoted, err := strconv.Unquote(text.Value); err == nil {
				all[unquoted] = name.Name
			}
		}
	}
	return all
}
