module github.com/recess-go/recess/core/state/sqlstate

go 1.25.0

require github.com/recess-go/recess/core v0.0.0

replace github.com/recess-go/recess/core => ../..
