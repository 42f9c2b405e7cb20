"""An outage of the API server, and of the directory of manifests; see parts/outage."""

import json
import os
import shutil
import sys
import time

from proxy import Proxy
from run import Run
from table import SHARED, host, number, say, wait_for

OUTAGE = number("OUTAGE", 600.0)
MANIFESTS = "/run/endurance/manifests"


def watch_kernel(run, seconds, problems):
    """The kernel must stay as it is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = run.judge.differences()
        if found and not problems:
            problems.append(f"the kernel changed during the outage: {found}")
        time.sleep(min(5, max(0, end - time.monotonic())))


def outage(run, begin, end, what):
    """`begin` takes the source away, and `end` gives it back after changes."""
    problems = []
    if run.settle() is None:
        problems.append("not in sync before the outage")
    begin()
    watch_kernel(run, OUTAGE / 3, problems)
    run.proxy.kill()
    run.proxy.start()
    watch_kernel(run, OUTAGE / 3, problems)
    # A second restart, as after a crash.
    run.proxy.kill()
    run.proxy.start()
    watch_kernel(run, OUTAGE / 3, problems)
    if not run.proxy.is_running():
        problems.append(f"the proxy ended: {run.proxy.tail()}")
    start = time.monotonic()
    end()
    lost = run.settle() is None
    return run.end(what, 1, f"{time.monotonic() - start:.1f} s", int(lost), "; ".join(problems))


def stop_api(run):
    run.cluster.api.is_offline = True
    host("stop_api")


def start_api(run):
    for _ in range(100):
        run.cluster.change()
    with open(f"{SHARED}/list.json", "w") as file:
        json.dump({"kind": "List", "apiVersion": "v1", "items": list(run.cluster.objects())}, file)
    run.cluster.api.is_offline = False
    host("start_api")


def write_manifests(run):
    shutil.rmtree(f"{MANIFESTS}.new", ignore_errors=True)
    os.makedirs(f"{MANIFESTS}.new")
    for number_, item in enumerate(run.cluster.objects()):
        if item["kind"] != "Namespace":
            with open(f"{MANIFESTS}.new/{number_}.json", "w") as file:
                json.dump(item, file)


def use_manifests(run):
    run.cluster.api.is_offline = True
    write_manifests(run)
    os.rename(f"{MANIFESTS}.new", MANIFESTS)
    run.proxy.kill()
    run.proxy = Proxy(source=f"--manifests={MANIFESTS}")
    run.proxy.start()
    wait_for("the proxy", 60, run.proxy.is_running)


def return_manifests(run):
    for _ in range(100):
        run.cluster.change()
    write_manifests(run)
    os.rename(f"{MANIFESTS}.new", MANIFESTS)


def main():
    run = Run()
    run.begin()
    time.sleep(5)
    results = [outage(run, lambda: stop_api(run), lambda: start_api(run), f"API server gone for {OUTAGE:.0f} s, with two restarts of the proxy")]
    say("manifests")
    run.resume()
    run.cluster.pause()
    use_manifests(run)
    results.append(
        outage(run, lambda: os.rename(MANIFESTS, f"{MANIFESTS}.gone"), lambda: return_manifests(run),
               f"directory of manifests gone for {OUTAGE:.0f} s, with two restarts of the proxy"))
    return all(results)


sys.exit(0 if main() else 1)
