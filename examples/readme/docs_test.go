package readme

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A Go block in README.md or docs must follow a line that names the file and the snippet it is cut from:
//
//	<!-- examples/readme/readme.go: gin -->
var (
	fence  = regexp.MustCompile("(?ms)^(<!-- (\\S+): (\\S+) -->\n)?```go\n(.*?)^```")
	broken = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

func documents(t *testing.T) []string {
	t.Helper()
	docs, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs = append(docs, "../../.github/SECURITY.md")
	err = filepath.WalkDir("../../docs", func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			docs = append(docs, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func TestEverySnippetIsCutFromCodeThatRuns(t *testing.T) {
	found := 0
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
			found++
			if block[1] == "" {
				t.Errorf("%s: a Go block does not say where it is cut from:\n%s", doc, block[4])
				continue
			}
			if want := snippet(t, block[2], block[3]); block[4] != want {
				t.Errorf("%s: the block is not what stands in %s:\n%s\nwant\n%s", doc, block[2], block[4], want)
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d Go blocks were found", found)
	}
}

// snippet cuts the lines between "// snippet: name" and "// end" out of a file, without their indentation.
func snippet(t *testing.T, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "// snippet: "+name+"\n")
	body, _, closed := strings.Cut(after, "// end\n")
	if !ok || !closed {
		t.Fatalf("%s has no snippet %q", file, name)
	}
	body = strings.TrimLeft(strings.TrimRight(body, "\t\n")+"\n", "\n")
	indent := body[:len(body)-len(strings.TrimLeft(body, "\t"))]
	lines := strings.SplitAfter(body, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], indent)
	}
	return strings.Join(lines, "")
}

func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range broken.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), link[1])); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
}
