# The tasks of this repository, one line each; anything with logic is in xtask.
NETNS := --features kernel/netns,testkit/netns,cli/netns
# A user is root in a namespace alone, where /run/xtables.lock cannot be opened.
ifneq ($(shell id -u),0)
AS_ROOT := --config "target.'cfg(unix)'.runner='unshare -rn'"
export XTABLES_LOCKFILE := /dev/null
endif
export PATH := $(PATH):/usr/sbin:/sbin:$(HOME)/.cargo/bin
.NOTPARALLEL:
.PHONY: help demo test truth plain fuzz bench netns browser cases tidy lint ci setup

help: ## Lists these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 9
demo: ## Plays the story on the real kernel and leaves nothing behind
	@sh xtask/setup.sh demo && cargo run --release -p cli -- demo
test: setup lint tidy ## Runs every check and every test
	cargo test --workspace --no-fail-fast $(NETNS) $(AS_ROOT)
truth: setup ## Compares many answers with what real packets did
	cargo run --release $(AS_ROOT) -p testkit --bin truth -- --pairs 100000
plain: ## Compares 10,000 random rulesets with a slow evaluator of its own
	PLAIN_HOSTS=10000 cargo test --release -p testkit --test plain -- --nocapture
fuzz: setup ## Looks half an hour for inputs that break a reader
	cargo xtask fuzz
bench: setup ## Measures berth beside the programs it can be compared with
	cargo run --release -p xtask -- bench
netns: setup ## Runs the tests that need network namespaces
	cargo test -p kernel -p testkit -p cli $(NETNS) $(AS_ROOT)
browser: ## Opens every view of the page in a real browser; pictures in target/page
	@sh xtask/setup.sh browser && cargo test -p cli --features browser --test page browser
cases: ## Runs the cases; with UPDATE_CASES=1 rewrites their stories
	cargo test -p testkit --test cases
tidy: ## Checks the laws a machine can check
	cargo xtask tidy
lint: ## Checks format and lints
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && cargo clippy --workspace --all-targets $(NETNS) -- -D warnings
ci: ## Runs what CI runs
	.ci/run
setup: ## Installs what the tests need and this machine lacks
	@sh xtask/setup.sh test
