# Everything here needs Go alone, but for what "make test" installs.
export CGO_ENABLED = 0

.PHONY: build test check bench kill fuzz assets demo clean

# One static binary in bin/.
build:
	go build -trimpath -ldflags '-s -w' -o bin/chalkring ./cmd/chalkring

# Every check and every test, on both databases, with a browser. As root on
# Debian or Ubuntu it installs PostgreSQL and Chromium where they are missing.
# The last line counts.
test:
	go run ./cmd/suite

# The same without the checks of style, for while you work: make check RUN=Publish
check:
	go run ./cmd/suite -install=false -checks=false -run '$(RUN)'

# The costs that the documentation quotes, as ratios, on both databases.
# make bench POSTS=1000000 reads among a million posts and takes long.
POSTS ?= 100000
bench:
	@mkdir -p bin
	CHALKRING_TEST_BENCH=$(CURDIR)/bin/bench.md CHALKRING_TEST_BENCH_POSTS=$(POSTS) go run ./cmd/suite -checks=false -run TestCosts -timeout 3h ./cmd/chalkring
	@cat bin/bench.md

# A hundred kill -9 under load, on both databases where PostgreSQL is there.
kill:
	CHALKRING_TEST_KILLS=100 go run ./cmd/suite -checks=false -run TestKilledServerLosesNothing -timeout 30m ./cmd/chalkring

# Every parser of foreign bytes against made-up ones, FUZZTIME each, one after
# the other; make fuzz FUZZ=as2 FUZZTIME=1m tries some. What is found stays as
# testdata/fuzz and is a test from then on.
FUZZTIME ?= 10m
FUZZ ?= .
fuzz:
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's|^\./(.*)/[^/]*:func |\1 |' | sort | grep -E '$(FUZZ)' | { \
		failed=0; while read -r dir name; do echo "$$dir $$name"; \
		nice -n 19 go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $(FUZZFLAGS) "./$$dir" || failed=1; done; exit $$failed; }

# Bundle style sheet, script and icons; what comes out is committed.
assets:
	go run ./cmd/assets

# Three schools on this machine.
demo:
	go run ./cmd/chalkring demo

clean:
	rm -rf bin
