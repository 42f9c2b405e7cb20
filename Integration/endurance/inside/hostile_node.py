"""A node for the parts `hostile` and `http-clients`: the proxy with manifests, and a small Service whose changes are timed."""
import ctypes, json, os, socket, statistics, struct, subprocess, sys, time

PROXY = os.environ["KUBE_IPVS_PROXY"]
FOLDER = "/run/hostile"
MANIFESTS = FOLDER + "/manifests"


def row(what, times, result, measured, verdict="ok"):
    print("@row", what, times, result, measured, verdict, sep="\t", flush=True)


def run(*command):
    subprocess.run(command, check=True)


def service(name, address, ports, **spec):
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": address, "clusterIPs": [address], "ports": ports, **spec},
    }


def slice_of(service, addresses, ports, number=1):
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-{number}", "namespace": "default", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "ports": ports, "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }


def write(name, *objects):
    """Replaces a file in one step."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)} if len(objects) != 1 else objects[0])
    with open(f"{FOLDER}/{name}.new", "w") as file:
        file.write(text)
    os.rename(f"{FOLDER}/{name}.new", f"{MANIFESTS}/{name}.json")


def remove(name):
    os.unlink(f"{MANIFESTS}/{name}.json")


class Kernel:
    """Reads one virtual server through the socket option of IPVS, which takes microseconds."""

    GET_SERVICE = 1024 + 64 + 64 + 3

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def real_servers(self, address, port, protocol=17):
        """The number of real servers; None if there is no such virtual server."""
        request = struct.pack("=HxxI HxxI 16s IIII", protocol, int.from_bytes(socket.inet_aton(address), sys.byteorder), socket.htons(port), 0, b"", 0, 0, 0, 0)
        request += bytes(104 - len(request))
        # Python's getsockopt cannot pass a request.
        libc = ctypes.CDLL(None)
        buffer = ctypes.create_string_buffer(request, len(request))
        length = ctypes.c_uint32(len(request))
        if libc.getsockopt(self.socket.fileno(), socket.IPPROTO_IP, self.GET_SERVICE, buffer, ctypes.byref(length)) != 0:
            return None
        return struct.unpack_from("=I", buffer.raw, 44)[0]


class Web:
    """A small Service. Each change adds or removes a UDP endpoint, which the proxy deletes at once."""

    ADDRESS, PORT = "10.96.0.10", 53

    def __init__(self, kernel):
        self.kernel, self.count = kernel, 1
        write("web", service("web", self.ADDRESS, [{"name": "dns", "port": self.PORT, "protocol": "UDP"}]))
        self._write()

    def _write(self):
        write("web-slice", slice_of("web", [f"10.244.1.{10 + number}" for number in range(self.count)], [{"name": "dns", "port": 53, "protocol": "UDP"}]))

    def change(self, timeout=60):
        """The milliseconds until the kernel has a change."""
        self.count = 2 if self.count == 1 else 1
        self._write()
        start = time.monotonic()
        while self.kernel.real_servers(self.ADDRESS, self.PORT) != self.count:
            if time.monotonic() - start > timeout:
                return None
            time.sleep(0.001)
        return (time.monotonic() - start) * 1000

    def delays(self, until, pause=0.1):
        """Changes it until a time or an event."""
        delays = []
        while not until():
            delays.append(self.change())
            if delays[-1] is None:
                break
            time.sleep(pause)
        return delays


def report(what, times, delays, limit):
    """A line with the median and the maximum of delays."""
    if None in delays:
        return row(what, times, "a change of another Service was lost", "-", "FAILED: lost")
    longest = max(delays)
    measured = f"delay of another Service's change: median {statistics.median(delays):.0f} ms, max {longest:.0f} ms of {len(delays)}"
    row(what, times, "nothing lost", measured, "ok" if longest < limit else f"FAILED: more than {limit} ms")


class Background:
    """A function in a process of its own, with less of the processor than the proxy: in a cluster it would run on another machine."""

    def __init__(self, action):
        sys.stdout.flush()
        self.process = os.fork()
        if self.process == 0:
            status = 1
            try:
                os.nice(10)
                action()
                status = 0
            finally:
                os._exit(status)
        self.status = None

    def is_running(self):
        if self.status is None:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if ended:
                self.status = status
        return self.status is None


class Proxy:
    def __init__(self, *flags):
        filters = ["--packet-filter=nftables"] if os.environ.get("FILTER") == "nftables" else ["--packet-filter=iptables", "--iptables-backend=legacy"]
        self.log = open(FOLDER + "/log", "w")
        self.process = subprocess.Popen(
            [PROXY, "run", "--manifests=" + MANIFESTS, "--hostname-override=node1", "--cluster-cidr=10.128.0.0/9", "--ipvs-min-sync-period=0s",
             "--state-directory=" + FOLDER + "/state", *filters, *flags], stdout=self.log, stderr=self.log)

    def lines(self):
        with open(FOLDER + "/log", errors="backslashreplace") as file:
            return file.read().splitlines()

    def wait_for(self, text, count=1, timeout=300):
        end = time.monotonic() + timeout
        while sum(text in line for line in self.lines()) < count:
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"the proxy did not log {text}: " + "\n".join(self.lines()[-5:]))
            time.sleep(0.05)

    def in_sync(self):
        return sum('"Kernel state in sync"' in line for line in self.lines())

    def memory(self, field="VmRSS"):
        """In MiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) // 1024 for line in file if line.startswith(field + ":"))

    def reset_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def start(*flags):
    os.makedirs(MANIFESTS)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "node", "type", "dummy")
    run("ip", "address", "add", "10.99.0.2/24", "dev", "node")
    run("ip", "link", "set", "node", "up")
    kernel = Kernel()
    web = Web(kernel)
    proxy = Proxy(*flags)
    proxy.wait_for('"Kernel state in sync"')
    if web.change() is None:
        sys.exit("no change reaches the kernel")
    return kernel, web, proxy
