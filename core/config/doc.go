// Package config reads the configuration of an engine from environment variables, RECESS_*.
//
//	c, err := config.FromEnv(ctx, recess.Config{Policy: recess.Policy{ControlPath: "/maintenance"}})
//	if err != nil {
//		return err // one error that names every variable that cannot be used
//	}
//	defer c.Backend.Close()
//	engine, err := recess.New(ctx, c)
//
// [Variables] lists them all; docs/configuration.md is made from it. What is a Go callback has no variable and comes
// with the base configuration, which the environment is laid over.
//
// # Values
//
// Blanks around a value do not matter, and an empty value counts as unset. Of a variable that is given twice the last
// counts, as in [os/exec.Cmd]. A list is separated by commas, or, if its value holds a line break, by line breaks
// alone: a single entry that holds a comma ends with a line break. RECESS_ALLOW_HEADERS has one entry a line, always.
// Switches are true, yes, on and 1, or false, no, off and 0, in any case. Durations are seconds (3600) or Go's (1h30m).
//
// # What is refused
//
// A value that cannot be used, a variable that does not exist (a typing error must not open a site), and a policy
// that disarms itself: everything that [recess.New] would refuse is refused here, under the variable's name. Secrets
// never stand in an error: neither the values of RECESS_ALLOW_HEADERS, RECESS_ADMIN_TOKENS and RECESS_PASS_KEYS nor the user,
// password and query of RECESS_STATE.
//
// Beyond the variables of the design there are RECESS_ALLOW_HEADERS, RECESS_CONTENT_SECURITY_POLICY, RECESS_GRACE,
// RECESS_HOLD_BYTES, RECESS_HOLD_REQUESTS, RECESS_NAME_REQUESTS, RECESS_PASS_AUDIENCE, RECESS_READINESS, RECESS_REPORT_ONLY and
// RECESS_UNSAFE, so that every setting that is not code can be set from outside.
package config
