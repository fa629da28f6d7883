package servers

import "testing"

func TestAServerCanBeKilledFrozenWipedAndStartedAgain(t *testing.T) {
	s := Redis(t)
	s.Freeze(t)
	s.Thaw(t)
	s.Kill(t)
	s.Start(t)
	s.Kill(t)
	s.Wipe(t)
	s.Start(t)
}
