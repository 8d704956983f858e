"""The quarantine: every input that is left out has an entry with a reason."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """A quarantined item (a file or a part of one), the stage that rejected it, and the reason."""

    item: str
    stage: str
    reason: str


def summary(counts: Mapping[str, int], problems: Sequence[Problem], shown: int = 10) -> str:
    """Returns a printable summary: the counts, and the first `shown` problems of each stage."""
    lines = [f"  {name}: {count:,}" for name, count in counts.items()]
    by_stage: dict[str, list[Problem]] = collections.defaultdict(list)
    for problem in problems:
        by_stage[problem.stage].append(problem)
    for stage, found in by_stage.items():
        lines.append(f"  quarantined at {stage}: {len(found):,}")
        lines += [f"    {problem.item}: {problem.reason}" for problem in found[:shown]]
        lines += [f"    ... and {len(found) - shown:,} more in report.json"] if len(found) > shown else []
    return "\n".join(lines)
