# The commands for developers and CI. `make demo` and `make test` install the packages they need (apt) and print them.

SWIFT ?= swift
BUNDLE = .build/debug/kube-ipvs-proxyPackageTests.xctest
SWIFT_SOURCES = Package.swift Sources Tests Integration

.PHONY: all build release release-check packages format lint unit layout check rules golden integration flows flows-compare flows-routes load kernels release-tools test demo bench bench-targets endurance endurance-smoke fuzz fuzz-corpora sanitize clean
.PHONY: image man completions install deploy-check

all: build

packages:
	@Integration/kernel/packages

build: packages
	$(SWIFT) build

# The program as it is shipped: one file, which depends only on libnl and glibc.
release: packages
	$(SWIFT) build --configuration release --static-swift-stdlib --product kube-ipvs-proxy
	$(SWIFT) build --configuration release --static-swift-stdlib --product traffic

# The same build in a directory outside the clone, for CI: the optimizer can fail where the debug build succeeds. Built dependencies are reused.
RELEASE_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kube-ipvs-proxy/release

release-check: packages
	$(SWIFT) build --configuration release --static-swift-stdlib --product kube-ipvs-proxy --scratch-path $(RELEASE_CACHE)

# The test tools that must be as fast as the program.
release-tools: release
	$(SWIFT) build --configuration release --static-swift-stdlib --product apiserver

format:
	$(SWIFT) format --in-place --recursive $(SWIFT_SOURCES)

lint:
	$(SWIFT) format lint --strict --recursive $(SWIFT_SOURCES)

unit:
	$(SWIFT) build --build-tests
	Integration/failures-last $(SWIFT) test --skip-build --skip IntegrationTests

# Checks the sizes and offsets of the kernel's structures on every supported architecture.
# clang is part of the Swift toolchain. The headers <asm/…> of this machine serve for both: they have no layout of their own.
layout:
	for architecture in x86_64 aarch64; do \
	    clang --target=$$architecture-unknown-linux-gnu -std=c11 -Wall -Werror -fsyntax-only \
	        -idirafter /usr/include/$$(uname -m)-linux-gnu Integration/kernel/layout.c || exit; done

check: packages lint layout unit

# Rules and ipsets on the kernel of this machine, in separate namespaces: the nf_tables backend of iptables, and netlink of another kernel. With the
# capabilities of the DaemonSet's container only.
AS_POD = Integration/deploy/as-pod NET_ADMIN,NET_RAW /run/xtables.lock
rules: packages
	$(SWIFT) build --build-tests
	Integration/failures-last Integration/kernel/isolate $(AS_POD) env KUBE_IPVS_ISOLATED=1 $(BUNDLE) --testing-library swift-testing --filter RoundTripTests

# Compares the kernel state of kube-proxy 1.36 with this program's, scenario by scenario: from manifests, from an API server, and on a node that kube-proxy served before.
golden: packages
	$(SWIFT) build --build-tests
	Integration/golden/all

# Real traffic on a kernel with IPVS.
integration: packages
	$(SWIFT) build --build-tests
	Integration/failures-last Integration/scenarios

# Real traffic between two nodes, their pods and an external client.
flows: packages
	$(SWIFT) build --build-tests
	Integration/flows

# The same with both packet filters, side by side.
flows-compare: packages
	$(SWIFT) build --build-tests
	Integration/kernel/build 6.12
	Integration/kernel/build 6.12-nftables
	Integration/flows --compare 6.12

# The same with local routes instead of addresses of kube-ipvs0.
flows-routes: packages
	$(SWIFT) build --build-tests
	KUBE_IPVS_SERVICE_ADDRESSES=route Integration/flows

# The API server of a large cluster: 5,000 Services, 50,000 endpoints, 200 changes a second for a minute.
load: release-tools
	$(SWIFT) build --build-tests
	Integration/load

# All tests on several kernels, which it builds if they are missing, in one table; two hours and more on two processors. KERNELS selects columns.
KERNELS ?=
kernels: release-tools
	$(SWIFT) build --build-tests
	Integration/kernels $(KERNELS)

# Checks deploy/ with the tools that read it: install, systemd unit, alerts, manual page, completions, image.
deploy-check: packages
	$(SWIFT) build --build-tests
	Integration/deploy/check

# Fuzzes everything that parses bytes from elsewhere, FUZZ_SECONDS each; prints a table. TARGETS selects some. The first build takes some minutes; its directory
# keeps the dependencies.
FUZZ_SECONDS ?= 60
TARGETS ?=
fuzz: packages
	Integration/fuzz/run --seconds $(FUZZ_SECONDS) $(TARGETS)

# The same, and adds what was found to the corpora of the repository.
fuzz-corpora: packages
	Integration/fuzz/run --seconds $(FUZZ_SECONDS) --keep $(TARGETS)

# The unit tests, and the rules on the kernel of this machine, with the address sanitizer and with the thread sanitizer.
sanitize: packages
	Integration/sanitize/run

test: check rules golden integration flows endurance-smoke deploy-check

# Uses the debug build, which takes half the time of the release build and is shared with the tests.
demo: packages
	$(SWIFT) build --product kube-ipvs-proxy
	$(SWIFT) build --product traffic
	@Integration/kernel/run --timeout 300 -- Integration/demo

bench: release-tools
	Integration/bench/decode
	Integration/kernel/run --memory 6G --timeout 3000 -- Integration/bench/run
	Integration/kernel/build 6.12
	Integration/kernel/run --kernel 6.12 --memory 6G --timeout 3000 -- Integration/bench/filters

# Measures against the targets, in an hour. PARTS selects some: floor change idle memory addresses path connections start reading burst state.
PARTS ?=
bench-targets: release-tools
	$(SWIFT) build --build-tests
	$(SWIFT) build --configuration release --static-swift-stdlib --product bench-state
	Integration/kernel/build 6.12
	Integration/bench/all $(PARTS)

# Kills, signals, missing resources, outages, changes by other tools, and a soak, under traffic. Prints one table, and fails if anything was lost. PARTS selects parts,
# ENDURANCE_OUTPUT keeps the lines of the table in a file, and WRITE=--write puts the table into docs/reliability.md.
ENDURANCE_OUTPUT ?=
WRITE ?=
endurance: release-tools
	ENDURANCE_OUTPUT=$(ENDURANCE_OUTPUT) Integration/endurance/all $(WRITE) $(PARTS)

# Some kills, for CI, with the debug build, as the tests use it.
endurance-smoke: packages
	$(SWIFT) build --build-tests
	KUBE_IPVS_PROXY=$(CURDIR)/.build/debug/kube-ipvs-proxy TRAFFIC=$(CURDIR)/.build/debug/traffic APISERVER=$(CURDIR)/.build/debug/apiserver \
	    KILLS=10 SERVICES=30 Integration/endurance/parts/kill

# The program to install and to put into an image; default: the release build.
BINARY ?=
PROGRAM = $(or $(BINARY),.build/release/kube-ipvs-proxy)
# VARIANT=nftables builds the image without iptables, for hosts where the packet filter is nftables; its tag ends with -nftables.
VARIANT ?=
IMAGE ?= .build/image/kube-ipvs-proxy$(addprefix -,$(VARIANT)).tar

# An image archive for `ctr -n k8s.io images import`, podman or docker, from Debian packages, without a registry.
image: $(if $(BINARY),,release)
	deploy/image/build --binary $(PROGRAM) --output $(IMAGE) $(addprefix --variant=,$(VARIANT))

GENERATED = .build/deploy/generated

man:
	@mkdir -p $(GENERATED)
	deploy/man/mdoc $(PROGRAM) >$(GENERATED)/kube-ipvs-proxy.8

completions:
	@mkdir -p $(GENERATED)
	for shell in bash zsh fish; do $(PROGRAM) --generate-completion-script $$shell >$(GENERATED)/completion.$$shell || exit; done

DESTDIR ?=
PREFIX ?= /usr/local
SHARE = $(DESTDIR)$(PREFIX)/share
INSTALL = install -D --mode

# Builds nothing: run `make release` first, or set BINARY=PATH.
install: man completions
	$(INSTALL) 755 --strip $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/kube-ipvs-proxy
	sed 's:/usr/bin/:$(PREFIX)/bin/:' deploy/systemd/kube-ipvs-proxy.service >$(GENERATED)/kube-ipvs-proxy.service
	$(INSTALL) 644 $(GENERATED)/kube-ipvs-proxy.service $(DESTDIR)$(PREFIX)/lib/systemd/system/kube-ipvs-proxy.service
	$(INSTALL) 644 $(GENERATED)/kube-ipvs-proxy.8 $(SHARE)/man/man8/kube-ipvs-proxy.8
	$(INSTALL) 644 $(GENERATED)/completion.bash $(SHARE)/bash-completion/completions/kube-ipvs-proxy
	$(INSTALL) 644 $(GENERATED)/completion.zsh $(SHARE)/zsh/site-functions/_kube-ipvs-proxy
	$(INSTALL) 644 $(GENERATED)/completion.fish $(SHARE)/fish/vendor_completions.d/kube-ipvs-proxy.fish
	$(INSTALL) 644 deploy/systemd/kube-ipvs-proxy.default $(SHARE)/doc/kube-ipvs-proxy/examples/kube-ipvs-proxy.default
	$(INSTALL) 644 deploy/systemd/config.conf $(SHARE)/doc/kube-ipvs-proxy/examples/config.conf

clean:
	$(SWIFT) package clean
