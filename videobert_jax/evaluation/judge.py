"""The judgement at the end of a run: numbers in ``evaluation/zero_shot.json``, a page in ``report/index.html``."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax

from videobert_jax import tokenizer
from videobert_jax.config import Config, HeldOutConfig, ZeroShotConfig
from videobert_jax.data.batching import validation_batches
from videobert_jax.data.prepared import TRAIN, VALIDATION, Lexicon, Prepared
from videobert_jax.data.records import RecordSource
from videobert_jax.data.segments import Segment, find_segments, sentence_segments
from videobert_jax.evaluation import held_out, storyboard, zero_shot
from videobert_jax.evaluation.report.curves import curves
from videobert_jax.evaluation.report.page import Contents, render
from videobert_jax.evaluation.report.terminal import table
from videobert_jax.files import write_text
from videobert_jax.inference.fill import Fillings, fill
from videobert_jax.model.videobert import VideoBert
from videobert_jax.progress import progress
from videobert_jax.tasks import make_task
from videobert_jax.tokenizer import TextTokenizer
from videobert_jax.tokens import TokenSpace
from videobert_jax.training.step import make_eval_step

Thumbnails = Callable[[str], Sequence[bytes]]  # JPEG files of a video, by its id, one for each clip

NO_CAPTIONS = "the held-out videos have no captions; an annotations.json beside the videos gives some"


@dataclasses.dataclass(frozen=True)
class Examinee:
    """A trained model, and the words that it is asked in; `positions` is the longest sequence that it takes."""

    fill: zero_shot.Fill
    tokens: TokenSpace
    words: TextTokenizer
    template: str
    positions: int

    def answer(self, segments: Sequence[Segment]) -> Fillings:
        """What it fills into the template beside each segment."""
        ids = zero_shot.encode_template(self.template, self.words.encode, self.tokens)
        return zero_shot.ask(self.fill, ids, segments, self.tokens, self.positions)

    def answer_blindly(self) -> Fillings:
        """What it fills into the template without video."""
        ids = zero_shot.encode_template(self.template, self.words.encode, self.tokens)
        return zero_shot.language_prior(self.fill, ids, self.tokens)


def judge(
    config: Config,
    lexicon: Lexicon,
    prepared: Prepared,
    params: Any,
    history: Sequence[Mapping[str, Any]],
    thumbnails: Thumbnails,
    result_file: pathlib.Path,
    page_file: pathlib.Path,
) -> dict[str, Any]:
    """Judges trained parameters by the held-out videos, prints a table, and writes the result and the report.

    Args:
      config: of the run.
      lexicon: what the ids of the model mean.
      prepared: folder of prepared data, with its records.
      result_file, page_file: where the result and the report go.
      params: of the model, wholly on this process's devices.
      history: the lines of the run's ``metrics.jsonl``, for its curves.
      thumbnails: shows the held-out videos.

    Returns:
      What ``zero_shot.json`` holds: for each of ``verb_top1 verb_top5 object_top1 object_top5`` the accuracies that
      `zero_shot.score` explains, nulls where the held-out videos have no captions; under ``held_out`` the means over
      held-out batches; and what was asked.
    """
    held_out_section, zero_shot_section = config.evaluators["held_out"], config.evaluators["zero_shot"]
    assert isinstance(held_out_section, HeldOutConfig)
    assert isinstance(zero_shot_section, ZeroShotConfig)
    tokens = lexicon.tokens()
    training, validation = (prepared.source(split) for split in (TRAIN, VALIDATION))
    records = [validation[index] for index in range(len(validation))]
    model = VideoBert(config.model, tokens)
    examinee = Examinee(
        fill=functools.partial(fill, model, params),
        tokens=tokens,
        words=tokenizer.load(lexicon.tokenizer),
        template=zero_shot_section.template,
        positions=config.data.sequence_length,
    )

    videos, known = _videos_and_captions(training)
    segments = find_segments(records)
    result = cloze(examinee, segments, known)

    task = make_task(config, tokens)
    batches = validation_batches(validation, task.row, task.group, config.data, held_out_section.batches)
    eval_step = jax.jit(make_eval_step(task.network, task.objective))
    result["held_out"] = held_out.measure(lambda batch: eval_step(params, batch), batches)
    write_text(result_file, json.dumps(result, indent=2, allow_nan=False) + "\n")
    print(table(result, result["held_out"]))

    shown = segments or sentence_segments(records)
    count = config.report.storyboards
    contents = Contents(
        result=result,
        held_out=result["held_out"],
        facts=_facts(config, tokens, params, videos),
        curves=curves(history),
        readings=_readings(examinee, storyboard.evenly(shown, count), known, thumbnails),
        picturings=_picturings(examinee, shown, count, lexicon),
    )
    write_text(page_file, render(contents))
    print(f"report: {page_file}")
    return result


def cloze(examinee: Examinee, segments: Sequence[Segment], training_captions: Iterable[str]) -> dict[str, Any]:
    """The zero-shot result by the captioned segments; nulls if there are none."""
    if not segments:
        return zero_shot.unanswerable(examinee.template, NO_CAPTIONS)
    unseen = zero_shot.is_unseen(segments, training_captions)
    questions = zero_shot.questions(segments, examinee.words.id_of)
    answers, prior = examinee.answer(segments), examinee.answer_blindly()
    return zero_shot.judge(answers, prior, questions, unseen, examinee.template)


def _readings(
    examinee: Examinee, segments: Sequence[Segment], training_captions: Iterable[str], thumbnails: Thumbnails
) -> list[storyboard.Reading]:
    if not segments:
        return []
    unseen = zero_shot.is_unseen(segments, training_captions)
    return storyboard.read(segments, examinee.answer(segments), unseen, examinee.words, thumbnails)


def _picturings(
    examinee: Examinee, segments: Sequence[Segment], count: int, lexicon: Lexicon
) -> list[storyboard.Picturing]:
    """Of sentences made from captions; where there are none, of what is spoken."""
    sentences = storyboard.sentences_to_picture(examinee.template, segments)
    sentences = sentences or [examinee.words.decode(segment.spoken) for segment in segments]

    chosen = storyboard.evenly(sentences, count)
    return storyboard.picture(examinee.fill, chosen, examinee.words.encode, lexicon.picture, examinee.tokens)


def _videos_and_captions(records: RecordSource) -> tuple[int, set[str]]:
    """The number of videos of a split, and all captions, each once."""
    videos: set[str] = set()
    captions: set[str] = set()
    each = (records[index] for index in range(len(records)))
    for record in progress(each, len(records), "training captions", "record"):
        videos.add(record.video_id)
        captions.update(record.captions)
    return len(videos), captions


def _facts(config: Config, tokens: TokenSpace, params: Any, videos: int) -> dict[str, str]:
    """What the run was, in a few words."""
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    return {
        "model": f"{config.model.num_layers} layers, {config.model.hidden_size} wide",
        "parameters": f"{size / 1e6:,.1f} million",
        "vocabulary": f"{tokens.text_size:,} words, {tokens.visual_size:,} visual words",
        "trained on": f"{videos:,} videos",
        "steps": f"{config.steps:,} of {config.data.batch_size} rows",
        "seed": f"{config.seed}",
    }
