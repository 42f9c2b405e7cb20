"""Signals other than SIGKILL; see parts/signals."""

import collections
import signal
import sys
import time

from run import Run
from table import number, say, times


def terminate(run):
    healed, lost, statuses = [], 0, collections.Counter()
    count = number("TERMS", 50)
    for _ in range(count):
        run.cluster.go_on()
        time.sleep(run.random.uniform(0, 1.2))
        if run.random.random() < 0.3:  # In a start.
            run.proxy.stop()
            run.proxy.start()
            time.sleep(run.random.uniform(0, 0.7))
        statuses[run.proxy.stop(60)] += 1
        start = time.monotonic()
        run.proxy.start()
        time.sleep(run.random.uniform(0, 0.5))
        if run.settle() is None:
            lost += 1
        else:
            healed.append(time.monotonic() - start)
    say(f"exit statuses after SIGTERM: {dict(statuses)}")
    return run.end("SIGTERM", count, times(healed), lost)


def stop(run):
    healed, lost = [], 0
    count, seconds = number("STOPS", 4), number("STOP_SECONDS", 60.0)
    for round in range(count):
        run.cluster.go_on()
        time.sleep(run.random.uniform(0, 2))
        run.proxy.signal(signal.SIGSTOP)
        time.sleep(seconds / 2)
        if round % 2:
            run.cluster.api.request("POST", "/_test/interrupt", {"resource": "*", "action": "cut"})
            time.sleep(1)
            run.cluster.api.request("POST", "/_test/compact", {})
        time.sleep(seconds / 2)
        start = time.monotonic()
        run.proxy.signal(signal.SIGCONT)
        if run.settle() is None:
            lost += 1
        else:
            healed.append(time.monotonic() - start)
    return run.end(f"SIGSTOP for {seconds:.0f} s, then SIGCONT; in half of them the watches were closed and the history lost", count, times(healed), lost)


def stop_and_kill(run):
    healed, lost = [], 0
    count = number("STOP_KILLS", 20)
    for round in range(count):
        run.cluster.go_on()
        time.sleep(run.random.uniform(0, 1.2))
        if round % 2:
            run.proxy.kill()
            run.proxy.start()
            time.sleep(run.random.uniform(0, 0.7))
        run.proxy.signal(signal.SIGSTOP)
        time.sleep(run.random.uniform(0, 2))
        run.proxy.kill()
        start = time.monotonic()
        run.proxy.start()
        if run.settle() is None:
            lost += 1
        else:
            healed.append(time.monotonic() - start)
    return run.end("SIGSTOP, then SIGKILL; half of them in a start", count, times(healed), lost)


def main():
    run = Run()
    run.begin()
    results = [terminate(run)]
    for part in (stop, stop_and_kill):
        run.resume()
        results.append(part(run))
    return all(results)


sys.exit(0 if main() else 1)
