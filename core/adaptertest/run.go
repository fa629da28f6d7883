package adaptertest

import "testing"

// Run runs the whole suite on one framework.
func Run(t *testing.T, f Framework) {
	for _, topic := range []struct {
		name  string
		tests []test
	}{
		{"state", stateTests},
		{"marker", markerTests},
		{"scope", scopeTests},
		{"user", userTests},
		{"rule", ruleTests},
		{"network", networkTests},
		{"redirect", redirectTests},
		{"callback", callbackTests},
		{"answer", answerTests},
		{"method", methodTests},
		{"routing", routingTests},
		{"wire", wireTests},
		{"spelling", spellingTests},
		{"counting", countingTests},
		{"hold", holdTests},
		{"stream", streamTests},
		{"name", nameTests},
		{"pass", passTests},
		{"panel", panelTests},
		{"attack", attackTests},
		{"disclosure", disclosureTests},
	} {
		t.Run(topic.name, func(t *testing.T) {
			for _, test := range topic.tests {
				t.Run(test.name, func(t *testing.T) { test.run(t, f) })
			}
		})
	}
}

// test is one statement about every framework.
type test struct {
	name string
	run  func(*testing.T, Framework)
}
