"""Lines for the other half of a part: rows of the table, and commands that it runs outside the kernel."""

import os
import sys
import time

SHARED = os.environ["ENDURANCE_SHARED"]
_commands = 0


def say(text):
    print(text, flush=True)


def row(what, count, result, measured, problem=None):
    """A row of the table; `problem` is a short text if something was lost."""
    fields = [str(field).replace("\t", " ").replace("\n", " ") for field in (what, count, result, measured)]
    fields = [field or "-" for field in fields]
    say("@row\t" + "\t".join(fields) + "\t" + (f"FAILED: {problem}".replace("\n", " ")[:300] if problem else "ok"))


def host(*words):
    """Runs a command of common.sh outside the kernel, and waits for its end."""
    global _commands
    _commands += 1
    say(f"@host {_commands} " + " ".join(str(word) for word in words))
    wait_for(f"the command {words[0]}", 600, lambda: os.path.exists(f"{SHARED}/done.{_commands}"))


def read(path):
    """The text of a file; empty if it does not exist, for example because the kernel object that it describes was removed."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def wait_for(what, seconds, condition, pause=0.05):
    """Returns how long it took, in seconds."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)
    return time.monotonic() - start


def number(name, standard):
    """A number from the environment."""
    return type(standard)(os.environ.get(name) or standard)


def middle(values):
    return sorted(values)[len(values) // 2] if values else 0.0


def times(values):
    """`median 1.2 s, at most 3.4 s`"""
    return f"median {middle(values):.1f} s, at most {max(values):.1f} s" if values else "-"


def keep(path, name):
    """Keeps the end of a file for the other half, in case of a failure."""
    try:
        with open(path, "rb") as source:
            source.seek(max(0, os.path.getsize(path) - 2_000_000))
            text = source.read()
        with open(f"{SHARED}/{name}", "wb") as target:
            target.write(text)
    except OSError as error:
        print(f"cannot keep {path}: {error}", file=sys.stderr)
