package report

import "github.com/recess-go/recess/core/internal/schema"

// What is shown is of the schema that the admin API has too.
type (
	Status   = schema.Status
	Window   = schema.Window
	Repeat   = schema.Repeat
	Actor    = schema.Actor
	Entry    = schema.Entry
	Change   = schema.Change
	Instance = schema.Instance
)

var (
	StatusOf    = schema.StatusOf
	ChangeOf    = schema.ChangeOf
	WindowOf    = schema.WindowOf
	Windows     = schema.Windows
	InstancesOf = schema.InstancesOf
	Place       = schema.Place
	Clean       = schema.Clean
	CleanLines  = schema.CleanLines
	WriteJSON   = schema.WriteJSON
)
