# The same commands for people and for CI. `make demo` and `make test` install what they need (apt) and say so.

SWIFT ?= swift
BUNDLE = .build/debug/kube-ipvs-proxyPackageTests.xctest
SWIFT_SOURCES = Package.swift Sources Tests Integration

.PHONY: all build release packages format lint unit check rules golden integration flows load release-tools test demo bench clean

all: build

packages:
	@Integration/kernel/packages

build: packages
	$(SWIFT) build

# The program as it is shipped: one file, but for libnl and glibc.
release: packages
	$(SWIFT) build --configuration release --static-swift-stdlib --product kube-ipvs-proxy
	$(SWIFT) build --configuration release --static-swift-stdlib --product traffic

# What of the tests has to be as fast as the program.
release-tools: release
	$(SWIFT) build --configuration release --static-swift-stdlib --product apiserver

format:
	$(SWIFT) format --in-place --recursive $(SWIFT_SOURCES)

lint:
	$(SWIFT) format lint --strict --recursive $(SWIFT_SOURCES)

unit:
	$(SWIFT) build --build-tests
	Integration/failures-last $(SWIFT) test --skip-build --skip IntegrationTests

check: packages lint unit

# Rules and sets on this machine's own kernel, in namespaces of their own: the nf_tables side of iptables, and another kernel's netlink.
rules: packages
	$(SWIFT) build --build-tests
	Integration/failures-last Integration/kernel/isolate env KUBE_IPVS_ISOLATED=1 $(BUNDLE) --testing-library swift-testing --filter RoundTripTests

# What kube-proxy 1.36 leaves in a kernel, scenario by scenario, against what we leave: from manifests, from an API server, and where it was in service before.
golden: build
	Integration/golden/all

# Real traffic on a kernel with IPVS.
integration: packages
	$(SWIFT) build --build-tests
	Integration/failures-last Integration/scenarios

# Real traffic between two nodes, their pods and a client outside.
flows: packages
	$(SWIFT) build --build-tests
	Integration/flows

# A large cluster's API server: 5,000 Services, 50,000 endpoints, 200 changes a second for a minute.
load: release-tools
	$(SWIFT) build --build-tests
	Integration/load

test: check rules golden integration

# The debug build: it takes half the time of the release build, and shares what it compiles with the tests.
demo: packages
	$(SWIFT) build --product kube-ipvs-proxy
	$(SWIFT) build --product traffic
	@Integration/kernel/run --timeout 300 -- Integration/demo

bench: release-tools
	Integration/bench/decode
	Integration/kernel/run --memory 6G --timeout 3000 -- Integration/bench/run

clean:
	$(SWIFT) package clean
