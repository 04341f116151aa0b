# The two commands are `make demo` and `make test`; the rest are their parts.
# Every target installs what it needs (scripts/ensure.sh) and says so.

CARGO_FLAGS ?= --locked
HANDFAST := target/release/handfast

.PHONY: help demo test bench soak pages binary test-pages test-rust test-browser lint docs

help: ## What there is to make
	@grep -E '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 40

demo: ## Build everything and open the evening on this machine
	@scripts/ensure.sh demo
	@$(MAKE) --no-print-directory pages binary
	@$(HANDFAST) demo $(DEMO_FLAGS)

test: ## Every test, the browser ones included
	@scripts/test.sh

test-pages test-rust test-browser: test-%: ## One part of the tests alone
	@scripts/test.sh $*

bench: binary ## The benches, with their parts
	@$(HANDFAST) bench recognition
	@$(HANDFAST) bench hover
	@$(HANDFAST) bench hover --vault split --strict
	@$(HANDFAST) bench vault
	@$(HANDFAST) bench redeem
	@$(HANDFAST) bench lane
	@$(HANDFAST) bench charge
	@$(HANDFAST) bench log
	@cargo bench $(CARGO_FLAGS) -p handfast-palm-eval

soak: ## The long versions of the tests: hours
	@cargo test $(CARGO_FLAGS) --release -p handfast-vault --lib -- --ignored --nocapture node::
	@cargo test $(CARGO_FLAGS) --release -p handfast-mpc -- --ignored
	@HANDFAST_PARTITIONS=20000 cargo test $(CARGO_FLAGS) --release -p handfast-boxoffice --test evening -- \
	  --nocapture lose_and_double_nothing
	@HANDFAST_CRASH_SEEDS=10000 cargo test $(CARGO_FLAGS) --release -p handfast-till --test till -- \
	  --nocapture the_money_is_right

lint: ## What CI checks besides the tests
	@scripts/lint.sh

pages: web/dist/.built ## The pages, built
web/dist/.built: web/node_modules/.installed $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)
	@echo "==> building the pages"
	@cd web && npm run --silent build
	@touch $@

web/node_modules/.installed: web/package-lock.json
	@scripts/ensure.sh demo
	@echo "==> installing the pages' packages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

binary: pages ## The release binary, pages inside
	@echo "==> building the binary (first time: several minutes; later: seconds)"
	@cargo build $(CARGO_FLAGS) --release --bin handfast

docs: ## Write the generated documents again
	@cargo build $(CARGO_FLAGS) --quiet --bin handfast
	@target/debug/handfast openapi > docs/openapi.json
	@target/debug/handfast routes > docs/routes.md
