"""What is expected of whom: expect.tsv, and how an outcome is held against it.

A row is `consumer<TAB>case<TAB>verdict<TAB>words`. Consumer and case (MODEL/CASE)
are globs; the first row that fits decides. A verdict of `same` must be: anything
else is a failure of `make interop`. The others are what these versions are known
to do; words must stand in the note, so that a refusal for another reason is seen.
A pair that no row fits is a failure too.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

VERDICTS = ("same", "wrong", "refused", "no-op")


@dataclass(frozen=True)
class Row:
    consumer: str
    case: str
    verdict: str
    words: str


def rows(path=Path(__file__).with_name("expect.tsv")):
    out = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = (line.split("\t") + [""])[:4]
        if len(cells) != 4 or cells[2] not in VERDICTS:
            raise SystemExit(f"{path.name}:{number}: {line!r}: want consumer, case, one of {', '.join(VERDICTS)}, words")
        if cells[2] in ("refused", "wrong") and not cells[3]:
            raise SystemExit(f"{path.name}:{number}: {cells[2]} needs words that the note has")
        out.append(Row(*cells))
    return out


def expected(table, consumer, key):
    for row in table:
        if fnmatchcase(consumer, row.consumer) and fnmatchcase(key, row.case):
            return row
    return None


def unused(table, pairs):
    """Rows that no pair of a whole run met: an old row would hide a new outcome later."""
    met = {id(expected(table, c, k)) for c, k in pairs}
    return [r for r in table if id(r) not in met]


def fault(row, outcome):
    """What is wrong with an outcome, '' where it is as expected."""
    if row is None:
        return f"{outcome['verdict']}, and no row of expect.tsv tells what is right"
    if outcome["verdict"] != row.verdict:
        return f"{outcome['verdict']}, expected {row.verdict}"
    if row.words.lower() not in outcome["note"].lower():
        return f"{outcome['verdict']} as expected, but the note has no {row.words!r}"
    return ""
