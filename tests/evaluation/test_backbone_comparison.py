"""The comparison of backbones, on features whose content is known, and once as a user runs it."""

import os
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from tiny_corpus import write_video, write_vtt

from videobert_jax import backbones
from videobert_jax.backbones import VideoBackbone
from videobert_jax.errors import ConfigError, PrepareError
from videobert_jax.evaluation import backbone_comparison as comparison
from videobert_jax.evaluation.spoken_words import frequent_words, said_around
from videobert_jax.speech.transcripts import Word

ROOT = pathlib.Path(__file__).parent.parent.parent
SECONDS = 10.0  # longer than what counts as around
CLIPS = 8
WORDS = ("knife", "pan", "onion", "bowl", "salt", "egg")


@pytest.fixture
def videos(tmp_path):
    """Nine videos; around each clip one of the words is said, and `now` around all."""
    for video in range(9):
        cues = [(clip * SECONDS + 4, clip * SECONDS + 6, f"Now the {word_of(video, clip)}.") for clip in range(CLIPS)]
        write_vtt(tmp_path / f"{video}.vtt", cues)
        (tmp_path / f"{video}.mp4").touch()
    return tmp_path


def word_of(video, clip):
    return WORDS[(video * 5 + clip * 7) % len(WORDS)]


@pytest.fixture
def backbone(monkeypatch, tmp_path):
    """Registers a network of no importance, and its weights; returns how the user names it."""
    network = VideoBackbone(
        name="tiny",
        image_size=8,
        feature_size=3,
        min_frames=32,
        multiple=1,
        checkpoint="weights.npy",
        load=np.load,
        apply=lambda params, clips: clips.astype(jnp.float32).mean(axis=(1, 2, 3)) * params[None],
    )
    monkeypatch.setitem(backbones.REGISTRY, "tiny", network)
    path = tmp_path / "weights.npy"
    np.save(path, np.array([1, 2, 3], np.float32))
    return f"tiny:{path}"


def run(monkeypatch, videos, backbone, features, most_clips=CLIPS):
    """Compares three backbones whose features for (label, video, clip) are given; None: an unusable video."""

    def measured(config, video):
        found = features(config.image_size, video)
        return (
            "is broken" if found is None else comparison.Measured(found.astype(np.float16), seconds=config.image_size)
        )

    def share_out(work, paths, workers):
        assert workers == 1, "they would disturb each other"
        assert work.args[1] == most_clips
        return [(path, measured(work.args[0], int(pathlib.Path(path).stem))) for path in paths]

    monkeypatch.setattr(comparison, "share_out", share_out)
    name, _, weights = backbone.partition(":")
    chosen = comparison.candidates(",".join(f"{name}@{size}:{weights}" for size in (8, 16, 24)), SECONDS)
    return comparison.compare(chosen, comparison.sample(videos, 9), SECONDS, most_clips, (len(WORDS), 1))


def shown(size, video):
    """What is said, in 8 columns and more; of another backbone, mixed with noise; of the third, noise."""
    rng = np.random.default_rng(video)
    told = np.eye(8)[[WORDS.index(word_of(video, clip)) for clip in range(CLIPS)]]
    return told * {8: 1, 16: 0.5, 24: 0}[size] + rng.normal(0, {8: 0.01, 16: 0.4, 24: 1}[size], (CLIPS, 8))


def test_what_features_tell_is_scored_between_chance_and_one(monkeypatch, videos, backbone):
    result = run(monkeypatch, videos, backbone, shown)
    all_of_it, some, none = result.rows
    assert (set(result.words), result.learned, result.judged) == (set(WORDS), 6 * CLIPS, 3 * CLIPS)
    assert all_of_it.features == pytest.approx(1)
    assert all_of_it.words == pytest.approx(1), "a visual word for each"
    assert 0.95 > some.features > none.features
    assert some.words != some.features, "words are judged by themselves"
    assert none.features < result.chance + 0.15
    assert result.chance < 0.35
    assert [row.seconds for row in result.rows] == [size * 3600 / (CLIPS * SECONDS) for size in (8, 16, 24)]
    assert [row.width for row in result.rows] == [8, 8, 8]


def test_the_table_says_how_much_is_kept():
    rows = (comparison.Row("a", 200, 5, 0.6, 0.4), comparison.Row("b:w", 300, 6, 0.1, 0.3))
    result = comparison.Comparison(rows, 0.2, ("egg",), 10, 5, {"x": "is broken"})
    *_, first, second, chance, dropped = comparison.lines(result, "a machine")
    assert first == "| a | 200 | 1.00 | 5 | 0.600 | 0.400 | 50% |"
    assert second == "| b:w | 300 | 1.50 | 6 | 0.100 | 0.300 | - |"
    assert chance == "| chance | | | | 0.200 | 0.200 | |"
    assert dropped == "left out: x: is broken"


def test_a_video_that_one_backbone_cannot_use_is_left_out_for_all(monkeypatch, videos, backbone):
    (videos / "1.vtt").write_text("no subtitles")
    broken = run(
        monkeypatch, videos, backbone, lambda size, video: None if (size, video) == (16, 2) else shown(size, video)
    )
    assert broken.learned + broken.judged == 7 * CLIPS
    assert broken.dropped == {"1": broken.dropped["1"], "2": "is broken"}
    assert "the transcript cannot be used" in broken.dropped["1"]
    with pytest.raises(PrepareError, match=r"2 videos can be used, expected at least 3; .*: is broken"):
        run(monkeypatch, videos, backbone, lambda size, video: None if video > 2 else shown(size, video))


def test_backbones_are_compared_on_the_clips_that_all_saw(monkeypatch, videos, backbone):
    result = run(monkeypatch, videos, backbone, lambda size, video: shown(size, video)[: CLIPS - (size == 16)])
    assert result.learned + result.judged == 9 * (CLIPS - 1)


def test_too_little_speech_is_refused(monkeypatch, videos, backbone):
    for path in videos.glob("*.vtt"):
        write_vtt(path, [(0, 1, f"only{path.stem}")])
    with pytest.raises(
        PrepareError, match="no word is said around 5 to 25% of the 72 clips; raise --num_videos or --cl"
    ):
        run(monkeypatch, videos, backbone, shown)


def test_videos_are_drawn_with_their_transcripts_alike_every_time(videos):
    (videos / "silent.mp4").touch()
    drawn = [source.video_id for source in comparison.sample(videos, 5)]
    assert drawn == [source.video_id for source in comparison.sample(videos, 5)]
    assert len(set(drawn)) == 5
    assert drawn != sorted(drawn), "not the first ones"
    assert {source.video_id for source in comparison.sample(videos, 99)} == set("012345678")
    for path in videos.glob("[2-9].vtt"):
        path.unlink()
    with pytest.raises(PrepareError, match="holds 2 videos with a transcript, expected at least 3"):
        comparison.sample(videos, 5)
    with pytest.raises(ConfigError, match=r"--videos is .*none, not a folder"):
        comparison.sample(videos / "none", 5)


def test_every_backbone_gets_as_many_and_as_large_frames_as_suit_it(backbone):
    chosen = comparison.candidates(f"efficientnet_lite0,efficientnet_lite0@99,{backbone}", 1.5)
    configs = [candidate.config for candidate in chosen]
    assert [(config.clip_frames, config.image_size) for config in configs] == [(30, 224), (30, 99), (32, 8)]
    assert [config.clip_frames / config.fps for config in configs] == pytest.approx([1.5] * 3)
    assert configs[2].backbone_weights == backbone.partition(":")[2]
    for text, message in [
        ("", "--backbones is '', expected NAME"),
        ("a b", "--backbones holds 'a b', expected NAME"),
        ("nothing", "--backbones holds 'nothing', where weights follow a colon: backbone 'nothing' is not known"),
        ("tiny", "--backbones holds 'tiny', where weights follow a colon: .* is '', not a file"),
        ("efficientnet_lite0:x", "efficientnet_lite0 has its own weights"),
        ("precomputed", "--backbones holds precomputed, which sees no video"),
    ]:
        with pytest.raises(ConfigError, match=message):
            comparison.candidates(text, 1.5)


def test_a_video_is_measured_as_prepare_computes_it(monkeypatch, tmp_path, backbone):
    monkeypatch.setattr(comparison, "use_one_core", lambda: None)
    (candidate,) = comparison.candidates(backbone, 1.0)
    path = tmp_path / "video.mp4"
    write_video(path, 4.5, seed=0, side=16)
    found = comparison.measure(candidate.config, 3, str(path))
    assert (found.features.shape, found.features.dtype) == ((3, 3), np.float16)
    assert found.seconds > 0
    assert len(comparison.measure(candidate.config, 9, str(path)).features) == 4
    path.write_text("no video")
    assert "not decodable" in comparison.measure(candidate.config, 3, str(path))


def test_a_word_is_said_around_the_clips_within_two_seconds():
    words = [Word("Now,", 0.5, 0.6, 0), Word("...", 1, 2, 0), Word("PAN", 13.0, 13.2, 1)]
    assert said_around(words, 6, 2.0) == [{"now"}, {"now"}, set(), set(), set(), {"pan"}]
    assert said_around(words, 8, 2.0)[5:] == [{"pan"}, {"pan"}, {"pan"}]
    assert said_around([], 2, 1.0) == [set(), set()]


def test_words_that_are_rare_or_everywhere_are_not_asked_for():
    def video(**clips):
        return [{word for word, count in clips.items() if clip < count} for clip in range(40)]

    learned, judged = video(a=5, b=10, c=11, d=4, e=7, f=7), video(a=3, b=39, c=9, d=9, e=9, f=2)
    assert frequent_words([learned], [judged]) == ("b", "e", "a")
    assert frequent_words([learned], [video(b=40, e=9)]) == ("e",)


@pytest.mark.slow
def test_the_command_prints_the_table(tmp_path):
    for video in range(3):
        write_video(tmp_path / f"{video}.mp4", 30, seed=video, side=32)
        write_vtt(tmp_path / f"{video}.vtt", [(3 * video, 3 * video + 1, "knife"), (20, 21, "the pan")])
    command = [sys.executable, str(ROOT / "launch" / "compare_backbones.py"), f"--videos={tmp_path}"]
    command += ["--backbones=efficientnet_lite0@32", "--clip_seconds=1", "--branching=2"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "which of 3 words are said around a clip (" in done.stdout
    assert done.stdout.count("| efficientnet_lite0@32 | ") == 1
    assert "efficientnet_lite0@32: 3/3" in done.stderr
