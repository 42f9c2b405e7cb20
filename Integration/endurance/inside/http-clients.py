"""The part `http-clients` inside the kernel."""
import os, resource, socket, threading, time

from hostile_node import *

CONNECTIONS, LIMIT = int(os.environ.get("CONNECTIONS") or 10_000), int(os.environ.get("LIMIT") or 300)
SOCKET = FOLDER + "/state/status.sock"
SERVERS = [("healthz", ("127.0.0.1", 10256), "/healthz"), ("metrics", ("127.0.0.1", 10249), "/metrics"), ("health check node port", ("10.99.0.2", 32000), "/")]
# Connections that the servers keep: 128 for each of healthz, metrics and the socket, 512 for all health check node ports.
KEPT = 128 * 3 + 512


def connect(address, source=None):
    if isinstance(address, str):
        client = socket.socket(socket.AF_UNIX)
    else:
        client = socket.socket()
        if source:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((source, 0))
    client.settimeout(10)
    client.connect(address)
    return client


def get(address, path, source="127.0.0.9"):
    """The status of an answer to a client of another address; None without one."""
    try:
        with connect(address, source if address[0].startswith("127.") else None) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = client.recv(100)
            return int(answer.split()[1]) if answer else None
    except (OSError, ValueError, IndexError):
        return None


def kept_open(address, first, count):
    clients = []
    for _ in range(count):
        try:
            client = connect(address)
            client.sendall(first)
            clients.append(client)
        except OSError:
            pass
    return clients


def attack(what, count, act):
    """A line about an attack on each server: what other clients and the small Service noticed, and the most that the proxy used."""
    for name, address, path in SERVERS:
        before = proxy.memory()
        proxy.reset_peak()
        stop, answers, most = threading.Event(), [], [proxy.descriptors()]

        def others():
            while not stop.is_set():
                begin = time.monotonic()
                answers.append((get(address, path), time.monotonic() - begin))
                most.append(proxy.descriptors())
                time.sleep(0.2)

        def attacking():
            clients = act(address)
            time.sleep(1)
            for client in clients:
                client.close()

        other, attacker = threading.Thread(target=others), Background(attacking)
        other.start()
        delays = web.delays(lambda: not attacker.is_running())
        stop.set()
        other.join()
        bad = [status for status, _ in answers if status not in (200, 503)]
        peak = proxy.memory("VmHWM")
        if None in delays:
            verdict = "FAILED: a change was lost"
        elif bad or not answers:
            verdict = f"FAILED: {len(bad)} of {len(answers)} other clients got no answer"
        elif max(most) > KEPT + 200:
            verdict = f"FAILED: {max(most)} descriptors"
        elif peak > before + 100:
            verdict = f"FAILED: {peak - before} MiB more"
        elif max(delays) >= LIMIT:
            verdict = f"FAILED: more than {LIMIT} ms"
        else:
            verdict = "ok"
        row(f"{name}: {what}", count, f"{len(answers)} other clients answered within {max(seconds for _, seconds in answers) * 1000:.0f} ms",
            f"delay of a change: max {max(delay or 0 for delay in delays):.0f} ms; most descriptors {max(most)}; memory {before} MiB, peak {peak} MiB", verdict)


def unread(address):
    clients = kept_open(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50, 200)
    return clients


def oversized(address):
    for request in [b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
                    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100_000,
                    b"\x16\x03\x01" + bytes(10_000)] * 40:
        try:
            with connect(address) as client:
                client.sendall(request)
                client.recv(100)
        except OSError:
            pass
    return []


def slow(address):
    clients = kept_open(address, b"GET / HTTP/1.1\r\n", 600)
    for _ in range(20):
        for client in clients:
            try:
                client.send(b"X: y\r\n")
            except OSError:
                pass
        time.sleep(0.2)
    return clients


def socket_permission():
    """The status socket is root's alone."""
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            connect(SOCKET)
            os._exit(1)
        except OSError:
            os._exit(0)
    refused = os.waitpid(child, 0)[1] == 0
    row("the status socket: a client that is not root", 1, "refused" if refused else "accepted", "-", "ok" if refused else "FAILED: accepted")


resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS + 1000, CONNECTIONS + 1000))
kernel, web, proxy = start()
write("local", {**service("local", "10.96.0.20", [{"name": "h", "port": 80, "protocol": "TCP", "nodePort": 30080}], type="LoadBalancer",
    externalTrafficPolicy="Local", healthCheckNodePort=32000), "status": {"loadBalancer": {"ingress": [{"ip": "198.18.0.2"}]}}})
end = time.monotonic() + 60
while any(get(address, path) not in (200, 503) for _, address, path in SERVERS) and time.monotonic() < end:
    time.sleep(0.2)
attack("connections that send nothing", CONNECTIONS, lambda address: kept_open(address, b"", CONNECTIONS))
attack("connections that send half a head", 2000, lambda address: kept_open(address, b"GET / HT", 2000))
attack("heads that never end", 600, slow)
attack("clients that pipeline 50 requests and do not read", 200, unread)
attack("oversized paths, fields and bodies", 200, oversized)
socket_permission()
proxy.stop()
