package overlap

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if adapter := os.Getenv(adapterVariable); adapter != "" {
		os.Exit(instance(adapter))
	}
	if os.Getenv(migrationVariable) != "" {
		os.Exit(migrating())
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		// What a cycle takes is waited more than worked: the backends take one side by side, however few processors there are.
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
