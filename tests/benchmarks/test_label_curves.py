"""Tables of labels with fewer training videos."""

import csv
import io

from benchmarks import curves

ROWS = [("stir" if number % 10 else "fry", f"v{number:03d}", "training") for number in range(100)]
ROWS += [("chop", "rare", "training"), ("fry", "held", "testing"), ("stir", "held2", "validation")]
TEXT = "label,youtube_id,time_start,time_end,split\n" + "".join(f"{a},{b},0.0,1.0,{c}\n" for a, b, c in ROWS)


def videos(share: float, seed: int = 0) -> dict[str, set[str]]:
    text, count = curves.reduced(TEXT, share, seed)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["youtube_id"] for row in rows if row["split"] != "training"} == {"held", "held2"}
    kept = {row["youtube_id"] for row in rows if row["split"] == "training"}
    assert len(kept) == count
    return {
        name: {row["youtube_id"] for row in rows if row["label"] == name} & kept for name in ("stir", "fry", "chop")
    }


def test_every_class_keeps_a_video() -> None:
    for seed in range(5):
        kept = videos(0.01, seed)
        assert all(kept.values())
        assert sum(map(len, kept.values())) <= 1 + 3  # one drawn, and one of each class that it is not of


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    one, ten, all_of = (set().union(*videos(share).values()) for share in (0.01, 0.1, 1.0))
    assert one <= ten <= all_of
    assert len(all_of) == 101
    assert 10 <= len(ten) <= 12


def test_the_seed_draws_the_videos() -> None:
    assert videos(0.1, 0) != videos(0.1, 1)
    assert videos(0.1, 1) == videos(0.1, 1)


def test_everything_is_the_table_itself() -> None:
    assert curves.reduced(TEXT, 1.0, 0)[0] == TEXT
