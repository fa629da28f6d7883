package report

import "github.com/recess-go/recess/core/internal/schema"

// What is shown is of the schema that the admin API has too.
type (
	Status     = schema.Status
	Window     = schema.Window
	Repeat     = schema.Repeat
	Actor      = schema.Actor
	History    = schema.History
	Entry      = schema.Entry
	Change     = schema.Change
	Instance   = schema.Instance
	Pass       = schema.Pass
	Passes     = schema.Passes
	Issued     = schema.Issued
	Revocation = schema.Revocation
)

var (
	StatusOf    = schema.StatusOf
	ChangeOf    = schema.ChangeOf
	WindowOf    = schema.WindowOf
	Windows     = schema.Windows
	InstancesOf = schema.InstancesOf
	PassOf      = schema.PassOf
	PassesOf    = schema.PassesOf
	RevokedOf   = schema.RevokedOf
	Place       = schema.Place
	Clean       = schema.Clean
	CleanLines  = schema.CleanLines
	WriteJSON   = schema.WriteJSON
)
