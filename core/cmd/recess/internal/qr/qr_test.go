package qr_test

import (
	"strings"
	"testing"

	lib "rsc.io/qr"

	"github.com/recess-go/recess/core/cmd/recess/internal/qr"
)

// The drawing is read back, module by module.
func TestDrawShowsTheCodeWithItsMargin(t *testing.T) {
	for _, text := range []string{"x", "https://shop.example/maintenance/pass?link=rl1_" + strings.Repeat("A", 93)} {
		code, err := lib.Encode(text, lib.L)
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := qr.Draw(text)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(drawn, "\n"), "\n")
		if want := (code.Size + 2*4 + 1) / 2; len(lines) != want {
			t.Fatalf("%d lines, want %d", len(lines), want)
		}
		for i, line := range lines {
			line, colours := strings.CutPrefix(line, "\x1b[97;40m")
			line, ends := strings.CutSuffix(line, "\x1b[0m")
			modules := []rune(line)
			if !colours || !ends || len(modules) != code.Size+2*4 {
				t.Fatalf("line %d is %q", i, line)
			}
			for j, module := range modules {
				x, y := j-4, 2*i-4
				inside := func(y int) bool { return x >= 0 && y >= 0 && x < code.Size && y < code.Size }
				upper, lower := !inside(y) || !code.Black(x, y), !inside(y+1) || !code.Black(x, y+1)
				want := map[[2]bool]rune{{true, true}: '█', {true, false}: '▀', {false, true}: '▄', {false, false}: ' '}[[2]bool{upper, lower}]
				if module != want {
					t.Fatalf("module %d of line %d is %q, want %q", j, i, module, want)
				}
			}
		}
	}
	if _, err := qr.Draw(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text is drawn that no code holds")
	}
}
