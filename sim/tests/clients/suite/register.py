"""Reads `cases.txt`, the register of what every client has to show."""

import dataclasses
import pathlib
import re

FILE = pathlib.Path(__file__).parent.parent / "cases.txt"


@dataclasses.dataclass
class Case:
    name: str
    # Clients that cannot take part, each with its reason.
    excused: dict[str, str]


def read(clients):
    """All cases in order. A line that is none, and an excuse for a client that there is not, are errors."""
    cases = []
    for number, line in enumerate(FILE.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if excuse := re.fullmatch(r"  ([a-z-]+): (.+)", line):
            client, reason = excuse.groups()
            if client not in clients or not cases:
                raise SystemExit(f"{FILE}:{number}: there is no client {client}")
            cases[-1].excused[client] = reason
        elif case := re.fullmatch(r"([a-z-]+)  \S.*", line):
            cases.append(Case(case[1], {}))
        else:
            raise SystemExit(f"{FILE}:{number}: neither a case nor an excuse")
    return cases
