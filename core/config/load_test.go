package config_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/config"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// load loads lines over nothing, with the state in memory so that no test touches a disk.
func load(t testing.TB, lines ...string) (recess.Config, error) {
	t.Helper()
	return loadOver(t, recess.Config{}, append([]string{"RECESS_STATE=memory:"}, lines...)...)
}

func loadOver(t testing.TB, base recess.Config, lines ...string) (recess.Config, error) {
	t.Helper()
	c, err := config.Load(t.Context(), lines, base)
	if err == nil {
		t.Cleanup(func() { _ = c.Backend.Close() })
	}
	return c, err
}

// policy, or another part of a configuration, as a test would set it in Go.
func with(set func(*recess.Config)) recess.Config {
	var c recess.Config
	set(&c)
	return c
}

func TestAUsableValueSaysWhatItSaysInGo(t *testing.T) {
	for _, c := range usable {
		t.Run(c.variable+"/"+c.name, func(t *testing.T) {
			got, err := load(t, c.variable+"="+c.value)
			if err != nil {
				t.Fatal(err)
			}
			if got.Backend == nil {
				t.Error("the backend is nil")
			}
			got.Backend = nil
			if want := with(c.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, want)
			}
		})
	}
}

func TestAnUnusableValueStopsTheStartAndIsNamed(t *testing.T) {
	for _, c := range unusable {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(t, strings.Split(c.lines, "\x00")...)
			var bad *config.Error
			if !errors.As(err, &bad) || len(bad.Faults) == 0 {
				t.Fatalf("error %v, want a *config.Error", err)
			}
			if !reflect.DeepEqual(got, recess.Config{}) {
				t.Errorf("a configuration came with the error: %+v", got)
			}
			text := err.Error()
			if !strings.Contains(text, c.says) {
				t.Errorf("the error\n%s\ndoes not say\n%s", text, c.says)
			}
			if c.hides != "" && strings.Contains(text, c.hides) {
				t.Errorf("the error\n%s\nsays %q", text, c.hides)
			}
		})
	}
}

func TestOneErrorNamesEveryUnusableVariable(t *testing.T) {
	var lines []string
	for _, v := range config.Variables() {
		if value, ok := alwaysBad[v.Name]; ok {
			lines = append(lines, v.Name+"="+value)
		}
	}
	lines = append(lines, "RECESS_COFFEE=black", "RECESS_CORS_ORIGINS=k")
	_, err := loadOver(t, recess.Config{}, lines...)
	var bad *config.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error %v", err)
	}
	named := make(map[string]int)
	for _, f := range bad.Faults {
		named[f.Variable]++
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, "=")
		if named[name] != 1 {
			t.Errorf("%s is named %d times in\n%v", name, named[name], err)
		}
		if !strings.Contains(err.Error(), "\n  "+name) {
			t.Errorf("no line begins with %s in\n%v", name, err)
		}
	}
	if len(bad.Faults) != len(lines) {
		t.Errorf("%d faults for %d lines:\n%v", len(bad.Faults), len(lines), err)
	}
}

func TestAVariableIsFoundAtFaultOnlyForWhatItAdds(t *testing.T) {
	_, err := load(t, "RECESS_ALLOW_PATHS=/**", "RECESS_ALLOW_NETWORKS=192.0.2.1", "RECESS_ALLOW_ANONYMOUS=on", "RECESS_POLL=1s",
		"RECESS_ALLOW_HOSTS=*.com,*", "RECESS_UNSAFE=*")
	var bad *config.Error
	if !errors.As(err, &bad) || len(bad.Faults) != 1 || bad.Faults[0].Variable != "RECESS_ALLOW_PATHS" {
		t.Errorf("error %v, want RECESS_ALLOW_PATHS alone", err)
	}
}

func TestWhatIsMeantIsNamedAsUnsafe(t *testing.T) {
	for name, lines := range map[string][]string{
		"a rule":       {"RECESS_ALLOW_PATHS=/**", "RECESS_UNSAFE=/**"},
		"a variable":   {"RECESS_ALLOW_ADMIN_SITE=/", "RECESS_UNSAFE=RECESS_ALLOW_ADMIN_SITE"},
		"a Go setting": {"RECESS_ALLOW_ANONYMOUS=1", "RECESS_ALLOW_AUTHENTICATED=1", "RECESS_UNSAFE=AllowAnonymous"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := load(t, lines...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestATemplateMayHaveAContentSecurityPolicy(t *testing.T) {
	c, err := load(t, "RECESS_CONTENT_SECURITY_POLICY=default-src 'self'", "RECESS_TEMPLATE=testdata/pages")
	if err != nil {
		t.Fatal(err)
	}
	if c.Policy.ContentSecurityPolicy != "default-src 'self'" {
		t.Errorf("it is %q", c.Policy.ContentSecurityPolicy)
	}
}

func TestAnEmptyValueCountsAsUnset(t *testing.T) {
	lines := []string{"RECESS_ADMIN_TOKENS=", "RECESS_CORS_ORIGINS= "}
	for _, v := range config.Variables() {
		if v.Name != "RECESS_STATE" {
			lines = append(lines, v.Name+"= \n")
		}
	}
	got, err := load(t, lines...)
	if err != nil {
		t.Fatal(err)
	}
	got.Backend = nil
	if !reflect.DeepEqual(got, recess.Config{}) {
		t.Errorf("got %+v, want the zero configuration", got)
	}
}

func TestTheLastOfTwoValuesCounts(t *testing.T) {
	c, err := load(t, "RECESS_STATUS_CODE=700", "RECESS_POLL=1s", "RECESS_POLL=", "RECESS_STATUS_CODE=429")
	if err != nil {
		t.Fatal(err)
	}
	if c.Policy.Status != 429 || c.Poll != 0 {
		t.Errorf("status %d, poll %s, want 429 and none", c.Policy.Status, c.Poll)
	}
}

func TestOtherVariablesAreNoneOfOurs(t *testing.T) {
	if _, err := load(t, "PATH=/bin", "MY_RECESS_MODE=x", "RECESSION=deep", "=C:=C:\\", "RECESS_MODE", ""); err != nil {
		t.Error(err)
	}
}

func TestTheVariableThatHoldsTheStateMayBeCalledAsOurs(t *testing.T) {
	t.Setenv("RECESS_SWITCH", "on")
	c, err := loadOver(t, recess.Config{}, "RECESS_STATE=env:RECESS_SWITCH", "RECESS_SWITCH=on")
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := state.Read(t.Context(), c.Backend); err != nil || len(doc.Data) == 0 {
		t.Errorf("read %q, error %v", doc.Data, err)
	}
	if _, err := load(t, "RECESS_SWITCH=on"); err == nil {
		t.Error("RECESS_SWITCH was taken although no state is kept in it")
	}
}

func TestTheEnvironmentIsLaidOverTheBase(t *testing.T) {
	base := recess.Config{Backend: memstate.New(memstate.Config{}), Poll: time.Minute, Policy: recess.Policy{
		ControlPath: "/maintenance", AllowStaff: true, AllowPaths: []string{"/a"},
		Scopes: map[string][]string{"api": {"/api/**"}, "shop": {"/shop/**"}},
	}}
	c, err := loadOver(t, base, "RECESS_ALLOW_STAFF=off", "RECESS_ALLOW_PATHS=/b", "RECESS_SCOPES=api=/v1/**,eu=host:eu.example.com")
	if err != nil {
		t.Fatal(err)
	}
	want := recess.Policy{
		ControlPath: "/maintenance", AllowPaths: []string{"/b"},
		Scopes: map[string][]string{"api": {"/v1/**"}, "shop": {"/shop/**"}, "eu": {"host:eu.example.com"}},
	}
	if !reflect.DeepEqual(c.Policy, want) || c.Poll != time.Minute || c.Backend != base.Backend {
		t.Errorf("got %+v, want %+v", c, want)
	}
	if len(base.Policy.Scopes) != 2 || base.Policy.Scopes["api"][0] != "/api/**" {
		t.Errorf("the base was changed: %v", base.Policy.Scopes)
	}
}

func TestABaseThatCannotBeUsedIsToldFromTheEnvironment(t *testing.T) {
	base := recess.Config{Policy: recess.Policy{AllowHosts: []string{"a b"}}}
	_, err := loadOver(t, base, "RECESS_STATE=memory:", "RECESS_ALLOW_PATHS=/**", "RECESS_ALLOW_NETWORKS=10.0.0.0/8")
	var bad *config.Error
	if !errors.As(err, &bad) || len(bad.Faults) != 2 || bad.Faults[0].Variable != "" || bad.Faults[1].Variable != "RECESS_ALLOW_PATHS" {
		t.Fatalf("error %v, want one fault in code and one of RECESS_ALLOW_PATHS", err)
	}
	if !strings.Contains(err.Error(), "in code: recess: policy: AllowHosts: ") {
		t.Errorf("the error %v does not say that the code is at fault", err)
	}
}

func TestAForcedModeOpensNoBackend(t *testing.T) {
	c, err := loadOver(t, recess.Config{}, "RECESS_STATE=gopher://example.com", "RECESS_MODE=on")
	if err != nil {
		t.Fatal(err)
	}
	engine, err := recess.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	if s := engine.PublicStatus(); !s.Active {
		t.Errorf("the status is %+v, want active", s)
	}
	if _, err := engine.Control(state.Actor{}).Off(t.Context(), recess.Ending{}); !errors.Is(err, recess.ErrForced) {
		t.Errorf("off: %v, want ErrForced", err)
	}
}

func TestTheStateIsAFileByDefault(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := loadOver(t, recess.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recess.NewController(c.Backend, state.Actor{}, recess.NotForced).On(t.Context(), recess.Opening{}); err != nil {
		t.Fatal(err)
	}
	other, err := state.Open(t.Context(), config.DefaultState)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if doc, err := state.Read(t.Context(), other); err != nil || len(doc.Data) == 0 {
		t.Errorf("recess.json holds %q, error %v", doc.Data, err)
	}
}

func TestFromEnvReadsTheProcess(t *testing.T) {
	t.Setenv("RECESS_STATE", "memory:")
	t.Setenv("RECESS_STATUS_CODE", "429")
	c, err := config.FromEnv(t.Context(), recess.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Backend.Close()
	if c.Policy.Status != 429 {
		t.Errorf("the status is %d, want 429", c.Policy.Status)
	}
}

func TestALongValueIsCutInTheError(t *testing.T) {
	_, err := load(t, "RECESS_MODE="+strings.Repeat("ü", 1000))
	if err == nil || len(err.Error()) > 500 {
		t.Errorf("error %v", err)
	}
}
