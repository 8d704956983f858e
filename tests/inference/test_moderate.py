"""A trained classifier on files: the classes of a video, verdicts by a policy, and the program that judges many."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tiny_corpus

import videobert_jax
from videobert_jax.config import (
    AnsweringConfig,
    CheckpointConfig,
    ClassificationConfig,
    ClassificationScoresConfig,
    Config,
    ModelConfig,
    PretrainingConfig,
)
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.errors import ConfigError, TranscriptError, UserError
from videobert_jax.evaluation import evaluator
from videobert_jax.inference import classify, verdicts
from videobert_jax.inference.model import Model
from videobert_jax.inference.moderate import fingerprint, moderate, windows_of
from videobert_jax.inference.policy import Policy, Rule, read_policy
from videobert_jax.inference.watch import watch_whole
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.tasks import make_task
from videobert_jax.training import loop
from videobert_jax.training.workdir import Workdir

ROOT = pathlib.Path(__file__).parents[2]
PER_SECOND = {"backbone": "precomputed", "fps": 1.0, "clip_frames": 1}
ANY = {"class": "fire", "threshold": 0.0, "action": "cut"}


@dataclasses.dataclass(frozen=True)
class Run:
    """Videos of thirteen seconds, a workdir of a classifier of windows that has learnt little, and the model."""

    videos: pathlib.Path
    workdir: pathlib.Path
    model: Model


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    videos, workdir = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("runs") / "moderation"
    for number in range(4):
        features = np.random.default_rng(number).normal(0, 5, (13, 8)).astype(np.float32)
        np.save(videos / f"video{number}.npy", features)
        tiny_corpus.write_vtt(videos / f"video{number}.vtt", [(0.2, 5.8, "Now we cut it."), (7.0, 11.6, "We stir it.")])
    (videos / "video3.vtt").write_text("WEBVTT\n")  # nothing is said
    config = tiny_corpus.config(videos, tmp_path_factory.mktemp("cache"), validation_fraction=0.5, **PER_SECOND)
    prepared = Prepared(prepare(config, tiny_corpus.here).folder)
    rows = ["label,youtube_id,time_start,time_end,split"]
    for split in prepared.splits:
        for number, video_id in enumerate(Footage(prepared.source(split)).video_ids):
            rows.append(f"{('fire', 'knife')[number % 2]},{video_id},3,6,{split}")
    table = workdir.with_name("labels.csv")
    table.write_text("\n".join(rows) + "\n")
    config = learning(config, table)
    task = make_task(config, prepared.tokens())
    folder = Workdir(workdir)
    loop.train(config, task, {}, folder, prepared)
    model = videobert_jax.load(workdir)
    evaluator.at_end(model, folder, prepared)
    return Run(videos, workdir, model)


def learning(config: Config, table: pathlib.Path) -> Config:
    return dataclasses.replace(
        config,
        steps=1,
        task=ClassificationConfig(
            labels=str(table), classes="fire;knife", multiple=True, unlabelled=True, window=4.0, labelled_share=0.5
        ),
        data=dataclasses.replace(config.data, batch_size=2, sequence_length=64, max_sequences=4),
        model=ModelConfig(
            num_layers=1,
            hidden_size=16,
            num_heads=2,
            mlp_size=32,
            max_positions=64,
            init_std=0.5,
            dtype="float32",
            visual_rows="random",
        ),
        evaluators={"classification": ClassificationScoresConfig()},
        checkpoint=CheckpointConfig(every=1, metric=""),
    )


def policy(*rules: dict[str, Any], **changes: Any) -> Policy:
    return Policy("policy.json", tuple(Rule(one["class"], one["threshold"], one["action"]) for one in rules), **changes)


def test_classes_are_told_with_the_temperature_of_the_evaluation(run: Run) -> None:
    (segment,) = run.model.watch(run.videos / "video0.npy")
    found = run.model.classify(run.videos / "video0.npy")
    assert found == run.model.classify(segment) == classify.classify(run.model, segment)
    assert {one.name for one in found} == {"fire", "knife"}
    assert found[0].probability > found[1].probability
    temperature = json.loads((run.workdir / "evaluation" / "classification.json").read_text())["calibration"][
        "temperature"
    ]
    assert temperature != 1.0
    logits = classify.logits_of(run.model, [Labelled(segment, segment.spoken, ())])[0]
    expected = dict(zip(("fire", "knife"), 1 / (1 + np.exp(-logits.astype(float) / temperature)), strict=True))
    assert dict(found) == pytest.approx(expected)


def test_a_text_takes_the_place_of_what_is_said(run: Run, tmp_path: pathlib.Path) -> None:
    video = run.videos / "video0.npy"
    tiny_corpus.write_vtt(tmp_path / "other.vtt", [(1.0, 2.0, "We stir it.")])
    said = run.model.classify(video, tmp_path / "other.vtt")
    assert said == run.model.classify(video, text="We stir it.") != run.model.classify(video)
    (segment,) = run.model.watch(video)
    assert run.model.classify(segment, text="") == run.model.classify(dataclasses.replace(segment, spoken=()))
    with pytest.raises(UserError, match=r"transcript is 'a\.vtt', expected none beside a segment"):
        run.model.classify(segment, transcript="a.vtt")


def test_a_video_in_which_nothing_is_said_is_as_one_without_a_transcript(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "video3.npy").write_bytes((run.videos / "video3.npy").read_bytes())
    (beside,), (without,) = (run.model.watch(folder / "video3.npy") for folder in (run.videos, tmp_path))
    assert beside.spoken == without.spoken == ()
    tiny_corpus.write_vtt(tmp_path / "video3.vtt", [(0.0, 1.0, "[Music]")])
    assert run.model.watch(tmp_path / "video3.npy")[0].spoken == ()
    (tmp_path / "video3.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:99.000\nWe stir it.\n")
    with pytest.raises(TranscriptError, match="holds no spoken words; expected WebVTT"):  # there would be some
        run.model.watch(tmp_path / "video3.npy")


@pytest.mark.parametrize("text", [None, "", "  "])
def test_an_empty_question_is_refused(run: Run, text: str | None) -> None:
    section = AnsweringConfig(questions="questions", classes="fire;knife")
    asked = dataclasses.replace(run.model, config=dataclasses.replace(run.model.config, task=section))
    with pytest.raises(UserError, match=f"the question is {text!r}, expected words: pass it as `text`"):
        asked.classify(run.videos / "video0.npy", text=text)


def test_a_model_without_classes_is_refused(run: Run) -> None:
    other = dataclasses.replace(run.model, config=dataclasses.replace(run.model.config, task=PretrainingConfig()))
    with pytest.raises(UserError, match=r"was trained for config\.task\.name='pretraining' and knows no classes"):
        other.classify(run.videos / "video0.npy")
    with pytest.raises(UserError, match=r"config\.task\.name='pretraining', expected classification, such as by"):
        moderate(other, policy(ANY), run.videos / "video0.npy")


def test_windows_overlap_by_half_and_are_judged_one_by_one(run: Run) -> None:
    video = run.videos / "video1.npy"
    record = watch_whole(video, None, run.model.config.prepare, run.model.vocabulary, run.model.words)
    windows = windows_of(record, 4.0)
    assert windows == [(0, 4), (2, 6), (4, 8), (6, 10), (8, 12), (9, 13)]
    assert windows_of(record, 3.0)[:3] == [(0, 3), (1, 4), (2, 5)], "steps are of whole clips"
    with pytest.raises(ConfigError, match=r"windows are of 0\.5 seconds"):
        windows_of(record, 0.5)
    assert windows_of(record, 0.0) == windows_of(record, 99.0) == [(0, 13)]
    segments = [segment for one in windows if (segment := Footage([record]).span("video1", *one))]
    logits = classify.logits_of(run.model, [Labelled(one, one.spoken, ()) for one in segments])
    temperature = classify.calibration_of(run.model).temperature
    found = classify.probabilities(logits, True, temperature)[:, 0]
    middle = float(np.median(found))
    assert found.min() < middle < found.max()
    verdict = moderate(run.model, policy({**ANY, "threshold": middle}), video)
    assert verdict == moderate(run.model, policy({**ANY, "threshold": middle}), record)
    covered = {n for one in verdict.reasons for n in range(int(one.start), int(one.end))}
    above = (range(int(start), int(end)) for (start, end), one in zip(windows, found, strict=True) if one >= middle)
    assert covered == {n for span in above for n in span}
    assert max(one.probability for one in verdict.reasons) == pytest.approx(found.max())


def test_a_threshold_can_be_that_of_the_evaluation(run: Run) -> None:
    chosen = classify.calibration_of(run.model)
    verdict = moderate(run.model, policy({**ANY, "threshold": "recall:1"}), run.videos / "video0.npy")
    assert {one.threshold for one in verdict.reasons} <= {chosen.curves[0][-1, 0]}
    details = json.loads((run.workdir / "evaluation" / "classification.json").read_text())
    assert details["in_sample"] is True, "there is no test split"
    assert details["calibration"]["chosen_on"] == "validation"


def test_another_evaluation_with_other_thresholds_makes_other_verdicts(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = policy({**ANY, "threshold": "validation"})
    before, chosen = fingerprint(run.model, rules), classify.calibration_of(run.model)
    for name, value in (("thresholds", chosen.thresholds + 0.1), ("temperature", chosen.temperature + 0.1)):
        again = dataclasses.replace(chosen, **{name: value})
        monkeypatch.setattr(classify, "calibration_of", lambda model, again=again: again)
        assert fingerprint(run.model, rules) != before


def test_outputs_that_are_not_finite_allow_nothing(run: Run) -> None:
    broken = dataclasses.replace(run.model, params=nudged(run.model.params, np.nan))
    with pytest.raises(UserError, match="outputs for 'video0' are not finite; name the workdir of a sound run"):
        moderate(broken, policy({**ANY, "threshold": 1.0}), run.videos / "video0.npy")


@pytest.fixture
def files(run: Run, tmp_path: pathlib.Path) -> list[pathlib.Path]:
    for number in range(3):
        (tmp_path / f"video{number}.npy").write_bytes((run.videos / f"video{number}.npy").read_bytes())
    return verdicts.find([tmp_path], "precomputed")


def test_only_what_has_changed_is_judged_again(
    run: Run, files: list[pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def counting(model: Model, rules: Policy, video: pathlib.Path) -> Any:
        seen.append(video.name)
        return moderate(model, rules, video)

    def again(*rules: dict[str, Any], videos: list[pathlib.Path] = files, **changes: Any) -> list[str]:
        seen.clear()
        told = verdicts.judge_all(run.model, policy(*rules, **changes), videos, output)
        assert [line["video"] for line in told] == [str(one) for one in videos]
        assert sorted(map(json.dumps, verdicts.read(output))) == sorted(
            map(json.dumps, {**known, **by_video(told)}.values())
        )
        known.update(by_video(told))
        return list(seen)

    monkeypatch.setattr(verdicts, "moderate", counting)
    output, names, known = files[0].with_name("verdicts.jsonl"), [one.name for one in files], dict[str, Any]()
    assert again(ANY, videos=files[:2]) == names[:2]
    with output.open("a") as file:
        file.write('{"video": "video2.npy", "ke')  # killed
    assert again(ANY) == names[2:]
    assert again(ANY) == []
    tiny_corpus.write_vtt(files[1].with_suffix(".vtt"), [(1.0, 2.0, "We stir it.")])
    assert again(ANY) == names[1:2]
    files[0].write_bytes(b"no features")
    assert again(ANY) == names[:1]
    assert "error" in known[str(files[0])]
    assert again(ANY) == names[:1], "an error is no verdict"
    os.utime(files[2], (1, 1))
    assert again(ANY, videos=files[2:]) == names[2:]
    assert again(ANY, videos=files[2:], margin=1.0) == names[2:]
    assert again({**ANY, "action": "blur"}, videos=files[2:]) == names[2:]
    other = dataclasses.replace(run.model, params=nudged(run.model.params))
    verdicts.judge_all(other, policy({**ANY, "action": "blur"}), files[2:], output)
    assert seen == names[2:] * 2, "another checkpoint"


def by_video(lines: list[Any]) -> dict[str, Any]:
    return {line["video"]: line for line in lines}


def nudged(params: Any, by: float = 1.0) -> Any:
    return {**params, "class_head": {**params["class_head"], "bias": params["class_head"]["bias"] + by}}


@pytest.mark.parametrize(
    "content",
    ["no verdicts\n", "no verdicts", '{"video": 1}\n', "[]\n", "\ufffd".encode("utf-16").decode("latin1") + "\n"],
)
def test_another_file_is_no_output(run: Run, files: list[pathlib.Path], content: str) -> None:
    output = files[0].with_name("notes.txt")
    output.write_text(content)
    with pytest.raises(ConfigError, match=r"notes\.txt is no file of verdicts.*; name another with --output"):
        verdicts.judge_all(run.model, policy(ANY), files, output)
    assert output.read_text() == content


def test_videos_are_found_in_folders_once(tmp_path: pathlib.Path) -> None:
    for name in ("b.mp4", "sub/a.MKV", "notes.txt", "c.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = verdicts.find([tmp_path / "b.mp4", tmp_path, tmp_path / "gone.mp4"], "efficientnet_lite0")
    assert found == [tmp_path / "b.mp4", tmp_path / "sub" / "a.MKV", tmp_path / "gone.mp4"]
    assert verdicts.find([tmp_path], "precomputed") == [tmp_path / "c.npy"]
    with pytest.raises(
        ConfigError, match=r"sub holds no videos, expected files that end in \.npy, \.npz; name another"
    ):
        verdicts.find([tmp_path / "sub"], "precomputed")


def test_the_program_judges_all_and_its_exit_code_tells(run: Run, files: list[pathlib.Path]) -> None:
    folder = files[0].parent
    rules, output = folder / "policy.json", folder / "verdicts.jsonl"

    def judge(threshold: float, *more: str) -> tuple[int, str]:
        rules.write_text(json.dumps({"version": 1, "rules": [{**ANY, "threshold": threshold}]}))
        command = [sys.executable, ROOT / "launch" / "moderate.py", f"--workdir={run.workdir}", f"--policy={rules}"]
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    code, _ = judge(1.0, f"--video={files[0]}", f"--output={output}")
    assert code == 0
    assert [line["verdict"] for line in verdicts.read(output)] == ["allow"]
    files[1].write_bytes(b"no features")
    code, told = judge(0.0, f"--video={folder}", f"--output={output}")
    assert code == 1
    assert told.endswith("moderate: 3 videos: 1 could not be judged, 2 cut\n")
    lines = by_video(list(verdicts.read(output)))
    assert [lines[str(one)].get("verdict") for one in files] == ["cut", None, "cut"]
    assert lines[str(files[1])]["error"].endswith("with at least 1 rows: name another file")
    told_here = moderate(run.model, read_policy(rules), files[2]).as_dict()
    mine, theirs = told_here["reasons"][0], lines[str(files[2])]["reasons"][0]
    assert theirs.pop("probability") == pytest.approx(mine.pop("probability"))  # by another process
    assert lines[str(files[2])] == {"key": lines[str(files[2])]["key"], "video": str(files[2])} | told_here
    code, told = judge(0.0, f"--video={files[2]}")
    assert code == 3
    assert json.loads(told.splitlines()[0])["spans"] == [{"action": "cut", "start": 0.0, "end": 13.0}]
