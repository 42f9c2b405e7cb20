"""The part `hostile` inside the kernel."""
import os, sys, time

from hostile_node import *

PORTS, ENDPOINTS, ROUNDS, LIMIT = (int(os.environ.get(name) or value) for name, value in [("PORTS", 2000), ("ENDPOINTS", 30), ("ROUNDS", 5), ("LIMIT", 300)])
LARGE = "10.96.1.0"


def ports(count, **more):
    return [{"name": f"p{number}", "port": 1 + number, "protocol": "TCP", **more} for number in range(count)]


def large_slice(generation, count=None):
    addresses = [f"10.{200 + generation % 50}.0.{1 + number}" for number in range(count or ENDPOINTS)]
    return slice_of("large", addresses, ports(PORTS))


def during(action):
    """The delays of the small Service's changes while a function runs in another process."""
    background = Background(action)
    delays = web.delays(lambda: not background.is_running())
    if background.status != 0 and None not in delays:
        sys.exit(f"{action.__name__} failed")
    return delays


def wait_for_real_servers(count, port=1, timeout=120, address=LARGE):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if kernel.real_servers(address, port, 6) == count:
            return True
        time.sleep(0.05)
    return False


def rewritten():
    """The Service of the issue: thousands of ports with dozens of endpoints, rewritten every 12 s."""
    end = time.monotonic() + 10
    report("no other Service changes", 1, web.delays(lambda: time.monotonic() > end), LIMIT)
    large = f"a Service of {PORTS} ports with {ENDPOINTS} endpoints"

    def create():
        write("large", service("large", LARGE, ports(PORTS)), large_slice(0))
        wait_for_real_servers(ENDPOINTS, PORTS)

    report(large + " is created", 1, during(create), LIMIT)

    def rewrite():
        for generation in range(1, ROUNDS + 1):
            start = time.monotonic()
            write("large", service("large", LARGE, ports(PORTS)), large_slice(generation))
            time.sleep(max(0, start + 12 - time.monotonic()))

    report(large + " is rewritten every 12 s", ROUNDS, during(rewrite), LIMIT)

    def delete():
        remove("large")
        wait_for_real_servers(None, PORTS)

    report(large + " is deleted", 1, during(delete), LIMIT)


def many_ports():
    def act():
        write("many", service("many", "10.96.1.1", ports(10_000)), slice_of("many", ["10.210.0.1", "10.210.0.2"], ports(10_000)))
        wait_for_real_servers(2, 10_000, address="10.96.1.1")
        time.sleep(2)
        remove("many")
        wait_for_real_servers(None, 10_000, address="10.96.1.1")

    memory("a Service of 10,000 ports with 2 endpoints comes and goes", act)


def memory(what, act, refused=False):
    """A line with the delays of others, and the proxy's memory before and at its peak."""
    proxy.reset_peak()
    before, start = proxy.memory(), time.monotonic()
    delays = during(act)
    seconds = time.monotonic() - start
    if None in delays:
        return row(what, 1, "a change of another Service was lost", "-", "FAILED: lost")
    result = "refused with the reason, others unaffected" if refused else "nothing lost"
    is_refused = any("the Service would have more than" in line for line in proxy.lines())
    verdict = "ok" if is_refused or not refused else "FAILED: not refused"
    if max(delays) >= LIMIT:
        verdict = f"FAILED: more than {LIMIT} ms"
    row(what, 1, result, f"{seconds:.0f} s; delay of others: max {max(delays):.0f} ms; memory: {before} MiB, peak {proxy.memory('VmHWM')} MiB", verdict)


def million_endpoints():
    def act():
        write("million", service("million", "10.96.1.2", ports(1)))
        for block in range(100):
            write(f"million-{block}", *(
                slice_of("million", [f"10.{128 + block // 2}.{(block % 2) * 100 + part * 10 + number // 100}.{1 + number % 100}" for number in range(1000)],
                    ports(1), block * 10 + part) for part in range(10)))
        proxy.wait_for("would have more than")
        time.sleep(3)
        for block in range(100):
            remove(f"million-{block}")
        remove("million")
        time.sleep(3)

    memory("a million endpoints in 1,000 slices of a Service come and go", act, refused=True)


def source_ranges():
    def act():
        ranges = [f"10.{number // 200 % 200}.{number % 200}.0/{16 + number % 9}" for number in range(5000)]
        spec = service("ranges", "10.96.1.3", ports(8), type="LoadBalancer", loadBalancerSourceRanges=ranges)
        write("ranges", {**spec, "status": {"loadBalancer": {"ingress": [{"ip": "198.18.0.1"}]}}}, slice_of("ranges", ["10.210.0.1"], ports(8)))
        wait_for_real_servers(1, 8, address="198.18.0.1")
        time.sleep(2)
        remove("ranges")
        wait_for_real_servers(None, 8, address="198.18.0.1")

    memory("8 ports with 5,000 overlapping source ranges come and go", act)


def absurd():
    """Services that are refused or served in part."""
    def act():
        big = "x" * (200 << 10)
        for number in range(20):
            write("absurd", *(
                [service(f"same-{copy}", "10.96.1.4", ports(50)) for copy in range(20)]
                + [service("taken", Web.ADDRESS, [{"name": "dns", "port": Web.PORT, "protocol": "UDP"}])]
                + [service("node", "10.96.1.5", ports(1), externalIPs=["10.99.0.2", "127.0.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255"])]
                + [{**service(f"annotated-{number}", "10.96.1.6", ports(1)), "metadata": {
                    "name": f"annotated-{number}", "namespace": "default", "annotations": {"kube-ipvs-proxy.io/weights": big, "kube-ipvs-proxy.io/scheduler": big}}}]
                + [service("n" * 63, "10.96.1.7", ports(1))]))
            time.sleep(0.5)
        remove("absurd")
        time.sleep(1)

    memory("conflicting, reserved and oversized values, rewritten 20 times", act)


kernel, web, proxy = start()
for test in [rewritten, many_ports, source_ranges, absurd, million_endpoints]:
    if test.__name__ in os.environ.get("ONLY", test.__name__).split():
        test()
for line in proxy.lines():
    if '"Synced"' in line and 'milliseconds="' in line and int(line.split(' milliseconds="')[1].split('"')[0]) > 200:
        print(line)
proxy.stop()
