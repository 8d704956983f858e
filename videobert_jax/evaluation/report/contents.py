"""Gathers what the report shows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax

from videobert_jax.data.prepared import TRAIN, VALIDATION, Prepared
from videobert_jax.data.segments import Segment, evenly_spaced, find_segments, sentence_segments
from videobert_jax.evaluation import use_of_video, zero_shot
from videobert_jax.evaluation.caption_words import CaptionReader, find_reader
from videobert_jax.evaluation.report import readings
from videobert_jax.evaluation.report.curves import curves
from videobert_jax.evaluation.report.page import Contents
from videobert_jax.evaluation.result import Result
from videobert_jax.inference import storyboard
from videobert_jax.inference.fill import ask
from videobert_jax.inference.model import Model


def gather(
    model: Model, prepared: Prepared, results: Mapping[str, Result], history: Sequence[Mapping[str, Any]]
) -> Contents:
    """The contents of a model's report.

    Args:
      model: a trained model.
      prepared: its data; held-out segments are shown.
      results: of the evaluators, by name.
      history: the lines of the run's ``metrics.jsonl``, for its curves.
    """
    training = prepared.source(TRAIN)
    records = [training[index] for index in range(len(training))]
    facts = _facts(model, len({record.video_id for record in records}))
    scores = {name: result.metrics for name, result in results.items() if name != "zero_shot"}
    if "zero_shot" not in results:
        return Contents({}, {}, facts, curves(history), [], [], scores, use_of_video.told(history))
    details = results["zero_shot"].details
    captions = {caption for record in records for caption in record.captions}
    segments, parse, count = _held_out_segments(prepared), find_reader(), model.config.report.storyboards
    return Contents(
        result=details,
        held_out=details["held_out"],
        facts=facts,
        curves=curves(history),
        readings=_readings(model, details["template"], _some(segments, count), captions, prepared, parse),
        picturings=_picturings(model, details["template"], segments, count, parse),
        scores=scores,
        use_of_video=use_of_video.told(history),
    )


def _held_out_segments(prepared: Prepared) -> list[Segment]:
    """Those with captions; in a corpus without any, one for each sentence."""
    records = list(prepared.source(VALIDATION))
    return find_segments(records) or sentence_segments(records)


def _some(items: Sequence[Any], count: int) -> list[Any]:
    return [items[place] for place in evenly_spaced(len(items), count)]


def _readings(
    model: Model,
    template: str,
    segments: Sequence[Segment],
    captions: Iterable[str],
    prepared: Prepared,
    parse: CaptionReader,
) -> list[readings.Reading]:
    if not segments:
        return []
    unseen = zero_shot.is_unseen(segments, captions, parse)
    words = zero_shot.encode_template(template, model.words.encode, model.tokens)
    answers = ask(model.fill_batch, words, segments, model.tokens, model.length)
    return readings.read(segments, answers, unseen, model.words, prepared.thumbnails, parse)


def _picturings(
    model: Model, template: str, segments: Sequence[Segment], count: int, parse: CaptionReader
) -> list[storyboard.Picturing]:
    """For sentences made from captions; where there are none, for what is spoken."""
    sentences = readings.sentences_to_picture(template, segments, parse)
    sentences = sentences or [model.words.decode(segment.spoken) for segment in segments]
    chosen = _some(sentences, count)
    return storyboard.picture(model.fill_batch, chosen, model.words.encode, model.lexicon.picture, model.tokens)


def _facts(model: Model, videos: int) -> dict[str, str]:
    """What the run was, in a few words."""
    config, tokens = model.config, model.tokens
    size = sum(leaf.size for leaf in jax.tree.leaves(model.params))
    return {
        "model": f"{config.model.num_layers} layers, {config.model.hidden_size} wide",
        "parameters": f"{size / 1e6:,.1f} million",
        "vocabulary": f"{tokens.text_size:,} words, {tokens.visual_size:,} visual words",
        "trained on": f"{videos:,} videos",
        "steps": f"{config.steps:,} of {config.data.batch_size} rows",
        "seed": f"{config.seed}",
    }
