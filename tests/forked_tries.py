"""Try something with many inputs, each in a process of its own, made by forking."""

from __future__ import annotations

import json
import subprocess
import sys

_LOOP = """
import json, os, signal, sys, traceback
from audiosearch.errors import AudiosearchError

{program}

outcomes = {{}}
for item in json.load(sys.stdin):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            use(item)
            os._exit(0)
        except AudiosearchError:
            os._exit(1)
        except BaseException:
            traceback.print_exc()
            os._exit(2)
    outcomes[item] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(outcomes))
"""


def outcomes(program: str, items: list[str]) -> dict[str, str]:
    """Call the function `use`, which a program defines, with each item.

    Returns "used", or "refused" for audiosearch's own errors. Anything else fails the test.
    """
    result = subprocess.run(
        [sys.executable, "-c", _LOOP.format(program=program)],
        input=json.dumps(items),
        text=True,
        capture_output=True,
        check=False,
    )
    statuses = json.loads(result.stdout.splitlines()[-1])
    bad = {item: status for item, status in statuses.items() if status not in (0, 1)}
    assert not bad, f"{bad}\n{result.stderr[-20_000:]}"
    return {item: "refused" if status else "used" for item, status in statuses.items()}
