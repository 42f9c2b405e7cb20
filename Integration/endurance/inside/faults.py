"""Faults at netlink, at the programs of iptables and at the API server; see parts/faults."""

import collections
import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request

import judge
from run import Run
from table import SHARED, host, keep, number, row, say, times, wait_for

FOLDER = "/run/endurance/faults"
HERE = os.path.dirname(os.path.abspath(__file__))
SYNC_PERIOD = 10
# A chain without connections that need it, in IPv6.
FLUSHED = "KUBE-LOAD-BALANCER"


def touch(path):
    with open(path, "a"):
        pass


def remove(path):
    if os.path.exists(path):
        os.remove(path)


def get(port, path):
    """(status, text) of one of the proxy's HTTP servers; (0, "") without an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def total(metrics, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(name) and not line.startswith("#"))


class API:
    """Misbehaviours of the API server: see `apiserver serve --help`. Not among them is a watch that hangs: nobody can tell it from one without changes
    until it times out, after minutes."""

    def __init__(self, api, random):
        self.api, self.random, self.count = api, random, collections.Counter()

    def post(self, path, **command):
        self.api.request("POST", f"/_test/{path}", command)

    def resource(self):
        return self.random.choice(["services", "endpointslices", "nodes"])

    def fault(self, call):
        fault = self.random.choice(["cut", "status", "errorEvent", "empty", "garbage", "slow"])
        values = {}
        if fault == "cut":
            values["afterBytes"] = self.random.randrange(400)
        elif fault in ("status", "errorEvent"):
            code, reason = self.random.choice([(410, "Expired"), (429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout")])
            values.update(code=code, reason=reason)
            if code in (429, 503):
                values["retryAfter"] = 1
        elif fault == "slow":
            values["milliseconds"] = self.random.randrange(3000)
        self.post("faults", call=call, resource=self.resource(), fault=fault, count=1, **values)
        return f"{call} {fault}"

    def interrupt(self):
        action = self.random.choice(["end", "cut", "half", "garbage", "text", "bookmark", "deleted"])
        values = {}
        if action == "text":
            values["text"] = self.random.choice(['{"type":"ADDED","object":{"kind":"Service","metadata":{"name":5}}}\n', "{}\n", "\n\n", '{"type":"BOOKMARK"'])
        if action == "bookmark":
            values["offset"] = self.random.choice([-1000, -1, 0])
        if action == "deleted":
            values.update(namespace="endurance", name="never-existed")
        self.post("interrupt", resource=self.resource(), action=action, **values)
        return f"watch {action}"

    def misbehave(self):
        kind = self.random.randrange(8)
        if kind == 0:
            self.post("compact")
            what = "history lost"
        elif kind == 1:
            self.post("settings", streamingLists=self.random.choice(["supported", "invalid", "errorEvent"]))
            what = "streaming lists"
        elif kind < 4 and self.pending() < 2:
            what = self.fault(self.random.choice(["watch", "watch", "list"]))
        else:
            what = self.interrupt()
        self.count[what] += 1
        if os.environ.get("VERBOSE"): say(f"API: {what}")

    def pending(self):
        """The number of faults that wait for a request."""
        return json.loads(self.api.request("GET", "/_test/state"))["faults"]

    def behave(self):
        """Ends all misbehaviour, also that which waits for the next requests."""
        # Lists without streaming, and watches from versions that are lost: each kind of request is made.
        self.post("settings", streamingLists="invalid")

        def is_over():
            self.post("compact")
            self.post("interrupt", resource="*", action="end")
            return not self.pending()

        wait_for("the faults of the API server", 180, is_over, 2)
        self.post("settings", streamingLists="supported")


class Steady:
    """What belongs to the Service that never changes, and must always be there."""

    def __init__(self, run):
        self.judge = run.judge
        service = run.cluster.services["steady"]
        everything = run.cluster.services
        run.cluster.services = {"steady": service}
        self.expected = run.judge.expected()
        run.cluster.services = everything
        self.samples = 0

    def missing(self):
        """What a reading lacks, and the one that follows at once too: programs that read may fail on a busy machine."""
        self.samples += 1
        found = self.differences()
        return found and self.differences()

    def differences(self):
        actual = self.judge.read()
        found = []
        for name, want in self.expected.items():
            # A restore may move a jump: rules are compared as a set here.
            missing = sorted(line for line in set(want) - set(actual[name]) if name != "rules" or f"-A {FLUSHED} " not in line)
            # A service address is either on the device or has a route, which is there for an address too.
            if name == "addresses":
                missing = [address for address in missing if address not in actual["local routes"]]
            if missing:
                found.append(f"{name}: {missing[:3]}")
        return found


def usage(process):
    """(CPU seconds, megabytes of memory)"""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{process}/status") as file:
        memory = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), memory / 1024


class Faults:
    def __init__(self):
        self.run = Run(services=30, rate=10.0, more=(
            f"--ipvs-sync-period={SYNC_PERIOD}s", "--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249"))
        self.run.limit = number("LIMIT", 90.0)
        self.seconds = number("SECONDS_EACH", 25.0)
        self.kinds, self.verbs = collections.Counter(), collections.Counter()
        self.healed, self.reported, self.problems, self.failed_seeds = [], [], [], []
        self.samples, self.most_memory, self.most_cpu = 0, 0, 0
        os.makedirs(f"{FOLDER}/programs", exist_ok=True)
        for family in ("iptables", "ip6tables"):
            for backend in ("", "-legacy", "-nft"):
                for kind in ("", "-save", "-restore"):
                    link = f"{FOLDER}/programs/{family}{backend}{kind}"
                    name = f"{family}{backend}{kind}"
                    if not os.path.lexists(link) and subprocess.run(["which", name], stdout=subprocess.DEVNULL).returncode == 0:
                        os.symlink(f"{HERE}/../faulty-program", link)

    def environment(self, seed):
        rate = os.environ.get("FAULT_RATE") or str([30, 100, 300][seed % 3])
        values = {
            "LD_PRELOAD": os.environ["FAULTS_LIBRARY"], "FAULT_SEED": seed, "FAULT_RATE": rate, "FAULT_ONLY": os.environ.get("FAULT_ONLY", ""),
            "FAULT_UNTIL": f"{FOLDER}/until", "FAULT_GENTLE": f"{FOLDER}/gentle", "FAULT_LOG": f"{FOLDER}/log", "FAULT_CALLS": f"{FOLDER}/calls",
            "FAULT_PROGRAM_RATE": os.environ.get("FAULT_RATE") or "400", "PATH": f"{FOLDER}/programs:{os.environ['PATH']}",
        }
        return ["env"] + [f"{name}={value}" for name, value in values.items()]

    def perform(self, seed):
        """Returns what was wrong."""
        run, problems = self.run, []
        for name in ("until", "log", "calls"):
            remove(f"{FOLDER}/{name}")
        # Half of the seeds have faults in the start too.
        touch(f"{FOLDER}/{'until' if seed % 2 else 'gentle'}")
        touch(f"{FOLDER}/log")
        steady, api = Steady(run), API(run.cluster.api, random.Random(seed))
        log = run.proxy.log_size()
        begin = time.monotonic()
        run.cluster.go_on()
        run.proxy.start(before=self.environment(seed))
        try:
            wait_for("the first sync with faults", 240, lambda: get(10256, "/healthz")[0] == 200 or not run.proxy.is_running(), 0.5)
        except TimeoutError as error:
            problems.append(f"{error}: {get(10256, '/healthz')[1]}")
        started = time.monotonic() - begin
        remove(f"{FOLDER}/gentle")
        remove(f"{FOLDER}/until")
        misbehaviour = 0
        end = time.monotonic() + self.seconds
        while time.monotonic() < end and run.proxy.is_running():
            with run.cluster.lock:
                for _ in range(3):
                    api.misbehave()
                    misbehaviour += 1
            if not judge.IS_NFTABLES and misbehaviour % 9 == 0:
                # As another tool does: without it, rules would be restored at the start only.
                judge.run(f"ip6tables-{judge.BACKEND} -w 10 -t nat -F {FLUSHED}", check=False)
            missing = steady.missing()
            if missing:
                problems.append("removed although nothing changed it: " + "; ".join(missing))
                break
        metrics = get(10249, "/metrics")[1]
        errors, operations = total(metrics, "kube_ipvs_proxy_errors_total"), total(metrics, "kube_ipvs_proxy_operations_total")
        if not run.proxy.is_running():
            return [f"the proxy ended with status {run.proxy.process.poll()}: {run.proxy.tail()}"]
        cpu, memory = usage(run.proxy.id)
        elapsed = time.monotonic() - begin
        touch(f"{FOLDER}/until")
        with run.cluster.lock:
            api.behave()
        healed = run.settle()
        lines = open(f"{FOLDER}/log").read().splitlines()
        with open(f"{SHARED}/faults-{seed}", "w") as copy:
            copy.write("\n".join(lines) + "\n")
        for line in lines:
            words = line.split()
            self.verbs[words[1]] += 1
            self.kinds[words[2]] += 1
        for what, count in api.count.items():
            self.kinds["API: " + what] += count
        self.samples += steady.samples
        if healed is None:
            problems.append(f"{self.run.limit:.0f} s after the last fault: " + "; ".join(run.judge.last))
            say("API server: " + run.cluster.api.request("GET", "/_test/state").decode() + run.proxy.tail())
        else:
            self.healed.append(healed)
        try:
            self.reported.append(wait_for("reports that all is well", self.run.limit, self.is_well, 0.5))
        except TimeoutError as error:
            problems.append(f"{error}: {self.report()}")
        text = run.proxy.read_log(log).decode(errors="replace")
        if lines and not errors:
            problems.append("no failure is in the metrics")
        if lines and "failed" not in text.lower():
            problems.append("no failure is in the log")
        if not operations:
            problems.append("nothing was programmed while faults lasted")
        if cpu > elapsed * 0.5:
            problems.append(f"{cpu:.0f} s of CPU time in {elapsed:.0f} s")
        if memory > 300:
            problems.append(f"{memory:.0f} MB of memory")
        self.most_cpu, self.most_memory = max(self.most_cpu, 100 * cpu / elapsed), max(self.most_memory, memory)
        status = run.proxy.stop(60)
        if status != 0:
            problems.append(f"SIGTERM ended it with status {status}")
        healed_text = "-" if healed is None else f"{healed:.1f} s"
        say(f"seed {seed}: first sync after {started:.1f} s, {len(lines)} faults, {misbehaviour} of the API, {errors:.0f} errors, {operations:.0f} operations, "
            f"in sync after {healed_text}; {problems or 'ok'}")
        return problems

    def report(self):
        command = f"{os.environ['KUBE_IPVS_PROXY']} status check --state-directory /run/endurance/state 2>&1"
        return get(10256, "/healthz"), judge.run(command, check=False)[:1000]

    def is_well(self):
        """Whether health and status report no failure, and the proxy's own comparison finds no difference."""
        proxy = f"{os.environ['KUBE_IPVS_PROXY']} status"
        state = "--state-directory /run/endurance/state"
        if get(10256, "/healthz")[0] != 200:
            return False
        try:
            report = json.loads(judge.run(f"{proxy} -o json {state}", check=False))
        except ValueError:
            return False
        if report.get("failing") or not report.get("inSync", True):
            return False
        return subprocess.run(["sh", "-c", f"{proxy} check {state}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def known_seeds(self):
        with open(f"{HERE}/../seeds") as file:
            words = [line.split() for line in file if line.strip() and not line.startswith("#")]
        return [int(seed) for name, seed, *_ in words if name in ("any", os.environ["FILTER"])]

    def perform_all(self):
        run = self.run
        given = os.environ.get("SEEDS")
        seeds = [int(seed) for seed in given.split()] if given else self.known_seeds() + [
            run.random.randrange(1, 1_000_000) for _ in range(number("RUNS", 4))]
        run.begin()
        run.cluster.pause()
        run.proxy.stop()
        for seed in seeds:
            try:
                problems = self.perform(seed)
            except Exception as error:  # noqa: BLE001 - one seed must not end the others.
                problems = [f"{type(error).__name__}: {error}"]
            if problems:
                self.failed_seeds.append(seed)
                self.problems += [f"seed {seed}: {problem}" for problem in problems]
                say(f"seed {seed} FAILED: {problems}")
            if not run.proxy.is_running():
                continue
            run.proxy.kill()
        say("verbs: " + ", ".join(f"{name} {count}" for name, count in sorted(self.verbs.items())))
        say("faults: " + ", ".join(f"{name} {count}" for name, count in sorted(self.kinds.items())))
        events = run.cluster.api.request("GET", "/_test/events").decode()
        say("Events: " + ", ".join(f"{reason} {events.count(reason)}" for reason in ("SyncFailed", "SyncRecovered")))
        say(f"most CPU time {self.most_cpu:.0f} % of one processor, most memory {self.most_memory:.0f} MB, {self.samples} readings of what must stay")
        # The proxy must run for the rest of the traffic: nothing depends on it.
        problem = "; ".join(self.problems)[:280] if self.problems else None
        what = f"faults at netlink ({len(self.verbs)} kinds of requests), iptables, API server: {len(seeds)} seeds"
        return run.end(what, sum(self.kinds.values()), times(self.healed), len(self.failed_seeds), problem)


sys.exit(0 if Faults().perform_all() else 1)
