# Everything a contributor runs. `make help` lists the targets.

# The modules are what the workspace says; no list is kept by hand.
MODULES  = $(shell go list -m -f '{{.Dir}}')
TOOLS   := $(CURDIR)/.tools
LINT     = $(TOOLS)/golangci-lint
LINT_VERSION := v2.15.0
RACE    ?=
FUZZTIME ?= 3s
FRAMEWORK ?= gin
ADDR    ?= 127.0.0.1:8080
FLIPS   ?= 1000

.PHONY: help demo fleet test check format lint vet tidy standalone fuzz bench-propagation bench-fleet

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the example shop: make demo [FRAMEWORK=gin|echo|chi|fiber] [ADDR=host:port]
	@.ci/demo "$(FRAMEWORK)" "$(ADDR)"

fleet: ## migrate under load: three shops behind nginx, and the proof that nobody was failed
	@cd examples && go run ./fleet

test: ## run all tests of all modules; install the servers and shells they drive if that is possible
	@.ci/needs
	@.ci/each 'go test $(RACE) -timeout 30m ./...' $(MODULES)

check: format lint vet tidy standalone ## all that must hold before a commit lands
	@$(MAKE) --no-print-directory test RACE=-race
	@$(MAKE) --no-print-directory fuzz
	@echo "make check: everything holds"

format: $(LINT) ## refuse code that is not gofumpt-ed
	@.ci/each '$(LINT) fmt --diff' $(MODULES)

lint: $(LINT) ## run the linters of .golangci.yml
	@.ci/each '$(LINT) run ./...' $(MODULES)

vet: ## go vet, in the workspace
	@.ci/each 'go vet ./...' $(MODULES)

tidy: ## refuse a go.mod or go.sum that go mod tidy would change
	@.ci/each 'GOWORK=off go mod tidy -diff' $(MODULES)

standalone: ## build and vet each module without the workspace, as its users do
	@.ci/each 'GOWORK=off go build ./... && GOWORK=off go vet ./...' $(MODULES)

fuzz: ## run every fuzz target for FUZZTIME (the differential ones for at least 12s)
	@.ci/fuzz $(FUZZTIME) $(MODULES)

bench-propagation: ## how long a change takes to reach 8 engines on each backend, beside the bare client
	@.ci/needs
	@cd core/internal/integration && go test -run '^$$' -bench Propagation -benchtime $(FLIPS)x -timeout 30m ./propagation

bench-fleet: ## simulate 1,000 instances on Redis and PostgreSQL: idle cost, a change, a reconnect storm
	@.ci/needs
	@cd core/internal/integration && go test -run '^$$' -bench Fleet -benchtime 1x -timeout 30m ./fleet

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION) (once; some minutes)"
	@GOBIN=$(TOOLS) GOFLAGS= GOWORK=off go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
