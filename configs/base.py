"""The main job: from raw video and transcripts to a pretrained VideoBERT, judged by zero-shot answers.

    python launch/main.py --config=configs/base.py

The size is the config's argument, `--config=configs/base.py:small`:

| size | layers x width | made for |
|---|---|---|
| tiny (default) | 2 x 128 | a laptop: two CPU cores, under 15 minutes with the corpus made and prepared |
| small | 6 x 384 | a workstation, or one accelerator |
| base | 12 x 768 | BERT-base on one host of accelerators |
| large | 24 x 1024 | BERT-large, as in the paper, on a pod slice |

With `-modern` behind it, `configs/base.py:small-modern`, the layers are not BERT's but those of later encoders:
normalised before each branch, with rotary positions, GeGLU and no biases, and about as many parameters.

With no videos named, the kitchen corpus is rendered, cached and trained on; `--config.data.videos=DIR` takes a folder
of your own videos with transcripts beside them; docs/your_own_videos.md tells which formats, and where else these may
lie.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib

SIZES = {
    "tiny": {"num_layers": 2, "hidden_size": 128, "num_heads": 2, "mlp_size": 512},
    "small": {"num_layers": 6, "hidden_size": 384, "num_heads": 6, "mlp_size": 1536},
    "base": {"num_layers": 12, "hidden_size": 768, "num_heads": 12, "mlp_size": 3072},
    "large": {"num_layers": 24, "hidden_size": 1024, "num_heads": 16, "mlp_size": 4096},
}


LAYERS = {
    "": {},
    "modern": {"norm": "pre", "positions": "rotary", "gated": True, "activation": "gelu_tanh", "use_bias": False},
}


def get_config(kind: str = "tiny") -> ConfigDict:
    """Every value can be overridden: `--config.optimizer.learning_rate=3e-4`."""
    size, _, layers = kind.partition("-")
    if size not in SIZES or layers not in LAYERS:
        raise ValueError(f"{kind!r} is not one of {', '.join(SIZES)}, nor one of these with -modern behind it")
    config = config_lib.to_config_dict(config_lib.Config())

    # Clips of one second of small pictures: the corpus is small, and so are the machines this has to run on.
    config.prepare.fps = 10.0
    config.prepare.clip_frames = 10
    config.prepare.branching = 12
    config.prepare.depth = 3

    config.data.sequence_length = 256
    config.task.max_predictions = 48
    config.data.max_sequences = 32
    config.task.text_only = 0.5
    config.task.video_only = 0.5
    config.task.joint = 4.0
    config.task.misaligned = 0.3
    config.task.concatenate = 0.2
    config.task.mask_video = 0.1  # neighbours tell so much of so short a clip that words would never be pictured
    config.task.min_clips = 4  # a sentence spans about as many; one alone tells too little to learn from

    config.task.weights.video = 0.1  # most of a visual word is chance; unweighted, its loss drowns that of the words

    config.model.update(SIZES[size])
    config.model.update(LAYERS[layers])
    if config.model.gated:  # three kernels for two
        config.model.mlp_size = round(config.model.mlp_size * 2 / 3 / 64) * 64
    config.model.max_positions = 256
    config.model.init_std = round(config.model.hidden_size**-0.5, 3)

    if size == "tiny":
        config.data.batch_size = 16
        config.model.dtype = "float32"  # faster than bfloat16 on a CPU, as unrolled layers are
        config.model.unroll = 2
        config.model.dropout = 0.0  # it sees each sentence about ten times only
        config.steps = 1600
        config.optimizer.learning_rate = 2e-3
        config.optimizer.warmup_steps = 60
        config.checkpoint.every = 400
        config.evaluators.held_out.every = 400
    else:
        # Of each layer the backward pass reads the products and computes the rest again: on a TPU memory is slower.
        # Layers one after the other, not in a loop, let their results lie where they are; it takes longer to compile.
        config.model.remat = "dots"
        config.model.unroll = config.model.num_layers
        config.model.activation = "gelu_tanh"  # within 0.0005 of "gelu", and cheaper everywhere
        config.steps = 20_000
        config.optimizer.learning_rate = {"small": 5e-4, "base": 1e-4, "large": 5e-5}[size]
        config.optimizer.warmup_steps = 1000
    return config
