module github.com/recess-go/recess/adapters/chi

go 1.25.0

require github.com/recess-go/recess/core v0.0.0

require (
	github.com/gaissmai/bart v0.30.0 // indirect
	github.com/go-chi/chi/v5 v5.5.0
)

replace github.com/recess-go/recess/core => ../../core
