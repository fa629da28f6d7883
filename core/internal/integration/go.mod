module github.com/recess-go/recess/core/internal/integration

go 1.26.0

require (
	github.com/recess-go/recess/core v0.0.0
	github.com/recess-go/recess/core/cmd/recess v0.0.0
	github.com/rogpeppe/go-internal v1.16.0
	go.uber.org/goleak v1.3.0
	pgregory.net/rapid v1.3.0
)

require (
	github.com/alecthomas/kong v1.17.0 // indirect
	github.com/fsnotify/fsnotify v1.10.1 // indirect
	github.com/gaissmai/bart v0.30.0 // indirect
	github.com/gofrs/flock v0.13.1 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/tools v0.26.0 // indirect
)

replace (
	github.com/recess-go/recess/core => ../..
	github.com/recess-go/recess/core/cmd/recess => ../../cmd/recess
)
