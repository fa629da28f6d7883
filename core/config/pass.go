package config

import "github.com/recess-go/recess/core/pass"

// PassRing reads the keys of an environment, lines of NAME=value, by which bypass passes are signed: RECESS_PASS_KEYS and
// RECESS_PASS_AUDIENCE, for programs that make passes without an engine, as the command line does. It is nil if there are
// none. The error is an [*Error], and shows nothing of a key.
func PassRing(environ []string) (*pass.Ring, error) {
	values, _ := read(environ, "")
	keys, isSet := values[passKeysVariable]
	if !isSet {
		return nil, nil
	}
	var d draft
	for i := range settings {
		s := &settings[i]
		if value, ok := values[s.Name]; ok && (s.Name == passKeysVariable || s.Name == passAudienceVariable) {
			if err := s.set(&d, value); err != nil {
				return nil, &Error{Faults: []Fault{s.fault(value, err)}}
			}
		}
	}
	ring, err := pass.NewRing(d.Policy.PassKeys, d.Policy.PassAudience)
	if err != nil {
		return nil, &Error{Faults: []Fault{{Variable: passKeysVariable, Err: inVariables(err, keys)}}}
	}
	return ring, nil
}
