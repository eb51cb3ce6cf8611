# Everything here needs Go alone, but for what "make test" installs.
export CGO_ENABLED = 0

.PHONY: build test check bench kill assets demo clean

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

# Bundle style sheet, script and icons; what comes out is committed.
assets:
	go run ./cmd/assets

# Three schools on this machine.
demo:
	go run ./cmd/chalkring demo

clean:
	rm -rf bin
