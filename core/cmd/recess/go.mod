module github.com/recess-go/recess/core/cmd/recess

go 1.25.0

require (
	github.com/alecthomas/kong v1.17.0
	github.com/recess-go/recess/core v0.0.0
)

require (
	github.com/fsnotify/fsnotify v1.10.1 // indirect
	github.com/gaissmai/bart v0.30.0 // indirect
	github.com/gofrs/flock v0.13.1 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/recess-go/recess/core => ../..
