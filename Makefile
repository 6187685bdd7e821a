# What a newcomer and CI run. `make test` needs Go alone; see CONTRIBUTING.md.

# The product has no cgo; only the race detector needs a C compiler.
export CGO_ENABLED = 0

# FULL=1 makes tests that take a seed or a number of rounds run long.
ifdef FULL
export MIANMI_TEST_FULL = 1
endif

# Packages with concurrency of their own: the race detector pays here. It leaves
# alone SQLite's own code, C made into Go, which it would make many times slower;
# it sees all that calls it. That package alone: one with instances of generic
# types would lend them to the others, and the detector would miss their locks.
RACE_FLAGS = -race -gcflags=modernc.org/sqlite/lib=-race=false
RACE       = $(shell go list ./... | grep -E '/(store|payment|payer|merchant|terminal|settings|access|channel|api|notice|fleet|agent)(/|$$)' | grep -v /agent/screen)
# Packages run in the order in which they are named, two at a time on two cores:
# those that take long go first, so that none is left for the end alone.
LONGEST    = ./cmd/mianmi ./store ./torture
TIMEOUT   ?= 30m
FUZZTIME  ?= 1m
TOOL       = go tool -modfile=tools/go.mod

.PHONY: all build test check fmt vet lint generated race torture fuzz generate assets tools clean

all: build

build:
	go build -o bin/ ./cmd/...

# Installs what the tests need when it is missing and may be installed.
test: tools
	go test -timeout $(TIMEOUT) $(LONGEST) ./...

tools:
	@for tool in postgres chromium mosquitto node; do scripts/install-tools.sh $$tool || true; done

# The cheap ones first; the tests last, so that their output is what one sees.
check: fmt vet lint generated race

fmt:
	@files=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
	if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi

vet:
	go vet ./...

lint:
	$(TOOL) golangci-lint run --timeout 15m ./...

# go.mod is tidy, and what is generated is what would be generated now.
generated:
	go mod tidy -diff
	@scripts/generated.sh

generate:
	go generate ./...

# Files of others that pages use, from the npm packages that package-lock.json
# pins. Commit what it changes; nothing else needs npm.
assets:
	@scripts/assets.sh

race:
	@scripts/install-tools.sh postgres || true
	@if scripts/install-tools.sh cc; then \
		echo "CGO_ENABLED=1 go test $(RACE_FLAGS) ./store $(RACE)"; \
		CGO_ENABLED=1 go test $(RACE_FLAGS) -timeout $(TIMEOUT) ./store $(RACE); \
	fi

# Long runs: every seed and round that the tests have, then each fuzz target
# for FUZZTIME.
torture:
	MIANMI_TEST_FULL=1 go test -count=1 -timeout 4h ./...
	@$(MAKE) --no-print-directory fuzz

fuzz:
	@scripts/fuzz.sh $(FUZZTIME)

clean:
	rm -rf bin
