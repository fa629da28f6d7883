module github.com/recess-go/recess/core

go 1.25.0

require (
	github.com/fsnotify/fsnotify v1.10.1
	github.com/gaissmai/bart v0.30.0
	github.com/gofrs/flock v0.13.1
)

require golang.org/x/sys v0.47.0 // indirect
