"""Missing resources; see parts/resources. Each function returns (what was done, how often, seconds to heal, times not in sync, problem)."""

import fcntl
import os
import resource
import subprocess
import sys
import time

from judge import run as shell
from proxy import LOG, Proxy
from run import Run
from table import number, say, times

HOLD = number("HOLD", 35.0)
ROUNDS = number("ROUNDS", 5)


class Rounds:
    """Counts the rounds of a test."""

    def __init__(self, run):
        self.run, self.healed, self.lost, self.count = run, [], 0, 0

    def settle(self, since=None):
        since = since or time.monotonic()
        self.count += 1
        if self.run.settle() is None:
            self.lost += 1
        else:
            self.healed.append(time.monotonic() - since)
        self.run.cluster.go_on()

    def restart_if_ended(self):
        """Starts the proxy again if it has ended. Returns the problem; None if it runs."""
        proxy = self.run.proxy
        if proxy.is_running():
            return None
        problem = f"the proxy ended with status {proxy.process.poll()}: {proxy.tail()[-200:]}"
        proxy.start()
        return problem

    def result(self, what, problem=None):
        return what, self.count, times(self.healed), self.lost, problem


def wait_for_end(proxy, seconds):
    start = time.monotonic()
    while proxy.is_running() and time.monotonic() - start < seconds:
        time.sleep(0.05)
    return not proxy.is_running()


def replace_proxy(run, proxy):
    """Kills the proxy and starts another one with other options."""
    run.proxy.kill()
    run.proxy = proxy
    proxy.start()


def oom_killer(run):
    rounds = Rounds(run)
    killed = 0
    for _ in range(ROUNDS):
        replace_proxy(run, Proxy(more=["--oom-score-adj=1000"]))
        time.sleep(run.random.uniform(0.3, 2))
        with open("/proc/sysrq-trigger", "w") as trigger:
            trigger.write("f")
        killed += wait_for_end(run.proxy, 10)
        if run.proxy.is_running():
            run.proxy.kill()
        start = time.monotonic()
        run.proxy.start()
        rounds.settle(start)
    replace_proxy(run, Proxy())
    return rounds.result(f"killed by the kernel's OOM killer ({killed} times)", None if killed == ROUNDS else "the OOM killer did not kill the proxy")


def memory_limit(run):
    rounds = Rounds(run)
    ended = 0
    for _ in range(ROUNDS):
        with open(f"/proc/{run.proxy.id}/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.prlimit(run.proxy.id, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
        resource.prlimit(run.proxy.id, resource.RLIMIT_DATA, (1 << 20, resource.RLIM_INFINITY))
        # Changes go on, until an allocation fails.
        if wait_for_end(run.proxy, HOLD):
            ended += 1
            start = time.monotonic()
            run.proxy.start()
        else:
            start = time.monotonic()
            resource.prlimit(run.proxy.id, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            resource.prlimit(run.proxy.id, resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        rounds.settle(start)
    # Too little to start.
    for megabytes in (50, 100, 150, 200):
        run.proxy.kill()
        run.proxy.start(before=["prlimit", f"--as={megabytes << 20}"])
        time.sleep(2)
        if run.proxy.is_running():
            run.proxy.kill()
        start = time.monotonic()
        run.proxy.start()
        rounds.settle(start)
    return rounds.result(f"address space at its limit (ended by it {ended} times), and too little for a start")


def descriptors(run):
    rounds = Rounds(run)
    ended = 0
    for round in range(ROUNDS):
        used = len(os.listdir(f"/proc/{run.proxy.id}/fd"))
        resource.prlimit(run.proxy.id, resource.RLIMIT_NOFILE, (max(3, used + round % 3 - 1), 1 << 19))
        if round == 0:
            # Connections that it cannot accept.
            subprocess.run(["curl", "--silent", "--max-time", "5", "http://127.0.0.1:10249/metrics"], stdout=subprocess.DEVNULL)
        # A watch that ends needs another connection.
        run.cluster.api.request("POST", "/_test/interrupt", {"resource": "*", "action": "end"})
        gone = wait_for_end(run.proxy, HOLD)
        ended += gone
        start = time.monotonic()
        if gone:
            run.proxy.start()
        else:
            resource.prlimit(run.proxy.id, resource.RLIMIT_NOFILE, (1 << 16, 1 << 19))
        rounds.settle(start)
    for limit in (8, 12, 16, 24, 32):
        run.proxy.kill()
        run.proxy.start(before=["prlimit", f"--nofile={limit}:{limit}"])
        time.sleep(3)
        if run.proxy.is_running():
            run.proxy.kill()
        start = time.monotonic()
        run.proxy.start()
        rounds.settle(start)
    return rounds.result(f"no free descriptor for {HOLD:.0f} s (ended by it {ended} times), and 8 to 32 for a start")


def full_disk(run):
    rounds = Rounds(run)
    folder = "/run/endurance/full"
    shell(f"mkdir -p {folder}; mount -t tmpfs -o size=256k tmpfs {folder}; mkdir {folder}/state")
    replace_proxy(run, Proxy(log=f"{folder}/log", state=f"{folder}/state"))
    problem = None
    for round in range(ROUNDS):
        shell(f"dd if=/dev/zero of={folder}/fill bs=4k 2>/dev/null; true", check=False)
        if round % 2:
            run.proxy.kill()
            run.proxy.start()
        time.sleep(HOLD / ROUNDS)
        problem = rounds.restart_if_ended() or problem
        rounds.settle()
    shell(f"rm {folder}/fill")
    rounds.settle()
    replace_proxy(run, Proxy())
    shell(f"umount {folder}")
    return rounds.result("file system of log and state directory full, half of them across a restart", problem)


def read_only_state(run):
    rounds = Rounds(run)
    folder = "/run/endurance/read-only"
    shell(f"mkdir -p {folder}; mount -t tmpfs tmpfs {folder}; mkdir {folder}/state; mount -o remount,ro {folder}")
    problem = None
    for _ in range(ROUNDS):
        replace_proxy(run, Proxy(state=f"{folder}/state"))
        start = time.monotonic()
        time.sleep(1)
        rounds.settle(start)
        problem = rounds.restart_if_ended() or problem
    shell(f"umount -l {folder}")
    replace_proxy(run, Proxy())
    return rounds.result("state directory on a read-only file system", problem)


def log_without_reader(run):
    rounds = Rounds(run)
    problem = None
    for round in range(ROUNDS):
        run.proxy.kill()
        reader, writer = os.pipe()
        if round % 2:
            os.close(reader)  # Before the start.
        run.proxy.start(stdout=writer, stderr=writer, more=["-v=4"], close_fds=True)
        os.close(writer)
        if round % 2 == 0:
            time.sleep(1)
            os.close(reader)
        start = time.monotonic()
        time.sleep(2)
        rounds.settle(start)
        problem = rounds.restart_if_ended() or problem
    run.proxy.kill()
    run.proxy.start()
    return rounds.result("the reader of the log's pipe gone, before the start or later", problem)


def blocked_log(run):
    """A log collector that hangs: nobody reads the pipe, which is full after 4 KiB."""
    rounds = Rounds(run)
    run.proxy.kill()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    run.proxy.start(stdout=writer, stderr=writer, more=["-v=4"], close_fds=True)
    os.close(writer)
    problem = None
    for _ in range(ROUNDS):
        time.sleep(2)
        rounds.settle()
    if rounds.lost:
        problem = "a log that nobody reads stalls the proxy"
        os.set_blocking(reader, False)
        start = time.monotonic()
        while time.monotonic() - start < 10:
            try:
                os.read(reader, 1 << 16)
            except BlockingIOError:
                time.sleep(0.02)
    os.close(reader)
    run.proxy.kill()
    run.proxy.start()
    return rounds.result("the log's pipe full, and nobody reads it", problem)


def closed_descriptors(run):
    rounds = Rounds(run)
    problem = None
    for round in range(ROUNDS):
        run.proxy.kill()
        close = ["2>&-", "<&- >&- 2>&-", ">&- 2>&-"][round % 3]
        run.proxy.start(before=["sh", "-c", f'exec "$@" {close}', "sh"], more=["-v=4"], close_fds=True)
        start = time.monotonic()
        time.sleep(2)
        rounds.settle(start)
        problem = rounds.restart_if_ended() or problem
    run.proxy.kill()
    run.proxy.start()
    return rounds.result("started with standard descriptors closed", problem)


def socket_buffers(run):
    rounds = Rounds(run)
    folder, names = "/proc/sys/net/core", "wmem_max rmem_max wmem_default rmem_default"
    node = "nsenter --net=/proc/1/ns/net sh -c"
    before = shell(f"{node} 'cd {folder}; cat {names}'").split()
    # The kernel rejects values below its minimum.
    shell(f"{node} 'cd {folder}; for name in {names}; do for size in $(seq 2048 128 8192); do echo $size >$name && break; done 2>/dev/null; done'")
    for _ in range(ROUNDS):
        run.proxy.kill()
        start = time.monotonic()
        run.proxy.start()
        time.sleep(1)
        rounds.settle(start)
    for name, value in zip(names.split(), before):
        shell(f"{node} 'echo {value} >{folder}/{name}'")
    run.proxy.kill()
    run.proxy.start()
    return rounds.result("socket buffers at the kernel's minimum")


ALL = [oom_killer, memory_limit, descriptors, full_disk, read_only_state, log_without_reader, blocked_log, closed_descriptors, socket_buffers]


def main():
    only = os.environ.get("ONLY", "").split()
    run = Run()
    run.begin()
    first, results = True, []
    for test in ALL:
        if only and test.__name__ not in only:
            continue
        say(test.__name__)
        if not first:
            run.resume()
        first = False
        what, count, healed, lost, problem = test(run)
        # Whatever it was, the proxy has to be as before.
        if run.settle() is None:
            lost += 1
        results.append(run.end(what, count, healed, lost, problem))
    return all(results)


sys.exit(0 if main() else 1)
