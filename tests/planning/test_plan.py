import dataclasses
import importlib.util
import json
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from written_records import write_records

from videobert_jax.config import (
    AnsweringConfig,
    ClassificationConfig,
    Config,
    DataConfig,
    LabelledConfig,
    MeshConfig,
    MixtureConfig,
    ModelConfig,
    PartConfig,
    PrepareConfig,
    PretrainingConfig,
    RecommendationConfig,
    RetrievalConfig,
    TaskConfig,
)
from videobert_jax.data import batching
from videobert_jax.data.records import Record, RecordSource
from videobert_jax.errors import ConfigError
from videobert_jax.planning import plan as planning
from videobert_jax.planning.plan import Plan
from videobert_jax.planning.summary import line, report
from videobert_jax.tasks import make_task

ROOT = pathlib.Path(__file__).parent.parent.parent
PLAN = Plan(
    topology="v5e:2x2",
    chips=4,
    mesh={"data": 4, "fsdp": 1, "tensor": 1},
    batch_size=64,
    sequence_length=512,
    remat="none",
    hbm_bytes_per_chip=2**33,
    hbm_limit_bytes=2**34,
    fits=False,
    model_flops_per_step=1e12,
    compile_seconds=60.0,
)


def test_shapes_are_those_that_the_pipeline_makes(tmp_path: pathlib.Path) -> None:
    data = DataConfig(batch_size=4, sequence_length=64, max_sequences=6)
    task_config = PretrainingConfig(max_predictions=12, chunks_per_row=1)
    config = Config(data=data, task=task_config, prepare=PrepareConfig(branching=4, depth=2, tokenizer_size=100))
    tokens = planning.token_space(config)
    record = Record(
        video_id="video",
        start_clip=0,
        clip_seconds=1.0,
        visual_ids=np.arange(8, dtype=np.int32),
        token_ids=np.arange(10, 20, dtype=np.int32),
        sentence_offsets=np.array([0, 5, 10], np.int32),
        sentence_starts=np.array([0, 4], np.float32),
        sentence_ends=np.array([4, 8], np.float32),
    )
    write_records(tmp_path, "train", [record] * 4)
    task = make_task(config, tokens)
    batch = batching.dataset(RecordSource(tmp_path, "train"), task.row, task.group, data, seed=0)[0]
    assert {name: (x.shape[1:], x.dtype) for name, x in batch.items()} == task.row.shapes


def test_a_vocabulary_is_as_large_as_the_config_makes_it() -> None:
    trained = planning.token_space(Config(prepare=PrepareConfig(branching=12, depth=4, tokenizer_size=4096)))
    assert (trained.text_size, trained.visual_size) == (4096, 20_736)
    assert planning.token_space(Config(prepare=PrepareConfig(tokenizer="bert"))).text_size == 30_522


def test_classes_that_only_data_would_name_are_assumed() -> None:
    sections = {
        "named": (ClassificationConfig(classes="cut;pour"), 2),
        "labels": (ClassificationConfig(multiple=True), planning.CLASSES),
        "answers": (AnsweringConfig(answers=7), 7),
    }
    mixed = planning.with_classes(
        MixtureConfig(parts={name: PartConfig(task=one) for name, (one, _) in sections.items()})
    )
    assert isinstance(mixed, MixtureConfig)
    for name, (section, number) in sections.items():
        alone, part = planning.with_classes(section), mixed.parts[name].task
        assert isinstance(alone, LabelledConfig)
        assert alone == part
        assert len(set(alone.classes.split(";"))) == number
    assert planning.with_classes(RetrievalConfig()) == RetrievalConfig()


def test_more_devices_than_rows_split_the_model() -> None:
    config = Config(data=DataConfig(batch_size=128))
    assert planning.layout(config, 128) == MeshConfig()
    assert planning.layout(config, 256) == MeshConfig(tensor=2)
    asked = dataclasses.replace(config, mesh=MeshConfig(fsdp=16))
    assert planning.layout(asked, 256) == asked.mesh


@pytest.mark.parametrize(
    ("message", "gibibytes"),
    [
        ("the total memory required for HLO temporaries (88.06G) exceeds available HBM (15.75G).", 88.06),
        ("Ran out of memory in memory space hbm. Used 21.17G of 15.75G hbm. Exceeded hbm capacity by 5.42G.", 21.17),
    ],
)
def test_what_the_compiler_refuses_has_a_size(message: str, gibibytes: float) -> None:
    assert planning.refused(message) == int(gibibytes * 2**30)
    assert planning.refused("out of patience") is None


def test_plans_that_fit_are_ranked_by_speed() -> None:
    speeds = [dataclasses.replace(PLAN, fits=True, tokens_per_second=speed) for speed in (1.0, 3.0, 2.0)]
    assert [plan.tokens_per_second for plan in planning.ranked([PLAN, *speeds])] == [3.0, 2.0, 1.0]


def test_a_sweep_doubles_the_batch_until_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """On four devices that hold 16 rows each, or 32 with full recomputation; the run keeps its number of tokens."""

    def pretend(config: Config, topology: str) -> Plan:
        rows = config.data.batch_size // 4
        assert config.steps * config.data.batch_size == 6400
        fits = rows <= (32 if config.model.remat == "full" else 16)
        mesh = dataclasses.asdict(config.mesh)
        return dataclasses.replace(PLAN, fits=fits, batch_size=4 * rows, mesh=mesh, remat=config.model.remat)

    monkeypatch.setattr(planning, "make_plan", pretend)

    def slice_of(topology: str, config: Config) -> tuple[None, SimpleNamespace]:
        if config.mesh.fsdp > 4:
            raise ConfigError("not on this torus")
        return None, SimpleNamespace(size=4)

    monkeypatch.setattr(planning, "slice_of", slice_of)
    plans = list(planning.sweep(Config(steps=100, data=DataConfig(batch_size=64)), "v5e:2x2"))
    tried = [(plan.batch_size, plan.fits) for plan in plans if plan.remat == "full" and plan.mesh["fsdp"] == 4]
    assert tried == [(32, True), (64, True), (128, True), (256, False)]
    assert {plan.mesh["fsdp"] for plan in plans} == {1, 4}
    assert max(plan.batch_size for plan in plans if plan.remat == "none" and plan.fits) == 64


def test_what_does_not_fit_says_what_to_do() -> None:
    assert line(PLAN).endswith("does not fit")
    assert report(PLAN).splitlines()[-1].startswith("does not fit: try a smaller batch, --config.model.remat=full")


def test_a_plan_has_the_flags_of_its_run() -> None:
    plan = dataclasses.replace(PLAN, batch_size=128, remat="dots", mesh={"data": 128, "fsdp": 1, "tensor": 2})
    mesh = "--config.mesh.data=128 --config.mesh.fsdp=1 --config.mesh.tensor=2"
    assert f"as: --config.data.batch_size=128 --config.model.remat=dots {mesh}\n" in report(plan)


def test_a_plan_warns_of_kernels_without_flops() -> None:
    known = {"estimated_step_seconds": 1.0, "tokens_per_second": 2.0, "estimated_mfu": 0.5, "hours_for_run": 1.0}
    assert line(dataclasses.replace(PLAN, silent_kernels=0, **known)).endswith("1.0 h")
    assert line(dataclasses.replace(PLAN, silent_kernels=3, **known)).endswith(
        "too optimistic: 3 kernels declare no FLOPs"
    )


@pytest.mark.needs("libtpu")
def test_a_batch_that_does_not_divide_is_refused_before_compiling() -> None:
    with pytest.raises(ConfigError, match="a batch of 6 rows does not divide over data x fsdp = 4"):
        planning.make_plan(Config(data=DataConfig(batch_size=6)), "v5e:2x2")


@pytest.mark.needs("libtpu")
def test_an_unknown_slice_names_the_known_chips() -> None:
    with pytest.raises(ConfigError, match=r"no slice 'v9:2x2' .*expected KIND:SHAPE, such as v5e:16x16 .*v6e, tpu7x"):
        planning.make_plan(Config(), "v9:2x2")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is not None, reason="the TPU compiler is installed")
def test_without_the_compiler_the_command_says_what_to_install(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, ROOT / "launch" / "plan.py", f"--config={ROOT / 'configs' / 'paper.py'}"]
    end = subprocess.run([*command, "--topology=v5e:2x2", f"--output={tmp_path}"], capture_output=True, text=True)
    assert end.returncode == 2
    assert "plan needs the TPU compiler: pip install -e '.[plan]'" in end.stderr
    assert "Traceback" not in end.stderr


TINY = Config(
    steps=3600,
    data=DataConfig(batch_size=32, sequence_length=128, max_sequences=4),
    task=PretrainingConfig(max_predictions=20),
    model=ModelConfig(num_layers=2, hidden_size=128, num_heads=2, mlp_size=256, max_positions=128, dropout=0.0),
    prepare=PrepareConfig(branching=4, depth=2, tokenizer_size=1000),
)


@pytest.mark.needs("libtpu")
@pytest.mark.slow
def test_a_tiny_run_on_four_chips() -> None:
    """The real step with the real compiler: two iterations of each scan, gradients summed over all chips."""
    plan = planning.make_plan(TINY, "v5e:2x2")
    assert plan.fits
    assert plan.estimated_step_seconds
    assert plan.collectives
    assert plan.mesh == {"data": 4, "fsdp": 1, "tensor": 1}
    assert plan.hours_for_run == pytest.approx(plan.estimated_step_seconds)
    assert 0 < plan.model_flops_per_step / (plan.estimated_step_seconds * 4 * 197e12) == plan.estimated_mfu < 1
    # Every gradient is summed once, in bfloat16 or float32; the embedding table is most of them.
    parameters = 1280 * 128 + 2 * (4 * 128**2 + 2 * 128 * 256) + 2 * 128**2
    assert 2 * parameters < plan.collectives["all-reduce"].bytes < 5 * parameters
    json.dumps(dataclasses.asdict(plan))


PARTS: dict[str, TaskConfig] = {
    "classification": ClassificationConfig(),
    "labels": ClassificationConfig(multiple=True),
    "answering": AnsweringConfig(),
    "retrieval": RetrievalConfig(),
    "recommendation": RecommendationConfig(),
}
MIXED = MixtureConfig(parts={name: PartConfig(task=one) for name, one in PARTS.items()})


@pytest.mark.needs("libtpu")
@pytest.mark.slow
@pytest.mark.parametrize("task", [MIXED, *PARTS.values()], ids=["mixture", *PARTS])
@pytest.mark.parametrize("mesh", [MeshConfig(), MeshConfig(data=1, fsdp=2, tensor=2)], ids=["data", "split"])
def test_every_task_has_a_plan_without_data(task: TaskConfig, mesh: MeshConfig) -> None:
    plan = planning.make_plan(dataclasses.replace(TINY, task=task, mesh=mesh), "v5e:2x2")
    assert plan.fits
    assert plan.estimated_mfu
    assert 0 < plan.estimated_mfu < 1
    assert not plan.silent_kernels
