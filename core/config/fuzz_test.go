package config_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/config"
)

// FuzzLoad feeds whole environments, one variable after each NUL. Either there is an error that names something, or a
// configuration that the engine accepts; a name that nobody knows is always an error; a secret never shows.
func FuzzLoad(f *testing.F) {
	for _, c := range unusable {
		f.Add(c.lines)
	}
	for _, c := range usable {
		f.Add(c.variable + "=" + c.value)
	}
	known := map[string]bool{"": true}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	const secret, key = "correct-horse-battery", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	f.Fuzz(func(t *testing.T, environment string) {
		if strings.Contains(environment, "RECESS_TEMPLATE") || strings.Contains(environment, secret) || strings.Contains(environment, key) {
			t.Skip("no files, and no secret but ours")
		}
		lines := append(strings.Split(environment, "\x00"), "RECESS_STATE=memory:", "RECESS_ALLOW_HEADERS=X-Preview="+secret, "RECESS_PASS_KEYS=k1:"+key)
		c, err := config.Load(context.Background(), lines, recess.Config{})
		if err != nil {
			var bad *config.Error
			if !errors.As(err, &bad) || len(bad.Faults) == 0 || c.Backend != nil {
				t.Fatalf("error %v with %+v", err, c)
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), key) {
				t.Fatalf("the error shows a secret: %v", err)
			}
			for _, fault := range bad.Faults {
				if fault.Variable == "" {
					t.Fatalf("code is at fault, and there is none: %v", err)
				}
			}
			return
		}
		defer c.Backend.Close()
		for _, line := range lines {
			name, _, ok := strings.Cut(line, "=")
			later := name == "RECESS_ADMIN_TOKENS" || name == "RECESS_CORS_ORIGINS"
			if ok && strings.HasPrefix(name, "RECESS_") && !known[name] && !later {
				t.Fatalf("%q was taken", name)
			}
		}
		c.Poll, c.StartWait, c.SnapshotFile = 0, 0, ""
		engine, err := recess.New(context.Background(), c)
		if err != nil {
			t.Fatalf("the engine refuses what was loaded: %v", err)
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
