"""Summaries of shards: counts, repairs and problems."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from videobert_jax.data.records import Record
from videobert_jax.formats.annotations import Caption
from videobert_jax.formats.problems import Problem
from videobert_jax.prepare.narrations import Narration


@dataclasses.dataclass
class ShardSummary:
    """The counts of a shard's content, the number of each repair to transcripts, and the problems."""

    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    repairs: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def add(self, video: Record, narration: Narration, captions: Sequence[Caption]) -> None:
        """Adds the record of a whole video, and problems for captions and sentences that begin after its last clip."""
        self.counts["clips"] += len(video.visual_ids)
        self.counts["sentences"] += len(video.sentence_starts)
        self.counts["text tokens"] += len(video.token_ids)
        self.counts["captions"] += len(video.captions)
        self.repairs.update(narration.repairs)
        if narration.problem:
            self.problems.append(Problem(video.video_id, "transcripts", narration.problem))
        for caption in captions[len(video.captions) :]:
            item = f"{video.video_id}, {caption.text!r}"
            self.problems.append(Problem(item, "alignment", "begins after the last clip"))
        end = len(video.visual_ids) * video.step + (video.clip_seconds - video.step)
        if late := sum(sentence.start >= end for sentence in narration.sentences):
            reason = f"{late} of {len(narration.sentences)} sentences begin after the last clip"
            self.problems.append(Problem(video.video_id, "alignment", reason))

    def as_dict(self) -> dict[str, Any]:
        """Returns it as a JSON object."""
        problems = [dataclasses.asdict(problem) for problem in self.problems]
        return {"counts": self.counts, "repairs": self.repairs, "problems": problems}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "ShardSummary":
        """The inverse of `as_dict`."""
        problems = [Problem(**problem) for problem in fields["problems"]]
        return cls(collections.Counter(fields["counts"]), collections.Counter(fields["repairs"]), problems)
