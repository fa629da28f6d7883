//go:build !linux

package cli

// tie does nothing: here nobody tells a command that its parent has died.
func (e *errand) tie() (untie func()) { return func() {} }
