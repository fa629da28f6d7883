package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// paints reports whether a writer is a terminal that shows colours, and wants them: https://no-color.org.
func paints(w io.Writer, lookupEnv func(string) (string, bool)) bool {
	if noColor, _ := lookupEnv("NO_COLOR"); noColor != "" {
		return false
	}
	if term, _ := lookupEnv("TERM"); term == "" || term == "dumb" {
		return false
	}
	return isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// confirm asks a question on standard error. As in Django's command an answer counts as yes if it starts with y, in
// either case; anything else, an end of input and an interrupt included, is no.
func (s *session) confirm(ctx context.Context, question string) error {
	fmt.Fprintf(s.Err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // a read of a terminal cannot be interrupted; the process ends soon after an interrupt
		line, _ := bufio.NewReader(io.LimitReader(s.In, 1024)).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		if !strings.HasSuffix(line, "\n") {
			fmt.Fprintln(s.Err)
		}
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y") {
			return nil
		}
		return errDeclined
	case <-ctx.Done():
		fmt.Fprintln(s.Err)
		return errDeclined
	}
}
