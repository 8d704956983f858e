"""The main job: from raw video and transcripts to a pretrained VideoBERT, evaluated zero-shot.

    python launch/main.py --config=configs/base.py

The size is the config's argument, `--config=configs/base.py:small`:

| size | layers x width | intended for |
|---|---|---|
| tiny (default) | 2 x 128 | a laptop: under 15 minutes on two CPU cores, including rendering and preparing the corpus |
| small | 6 x 384 | a workstation, or one accelerator |
| base | 12 x 768 | BERT-base on one host of accelerators |
| large | 24 x 1024 | BERT-large, as in the paper, on a pod slice |

The suffix `-modern`, as in `configs/base.py:small-modern`, replaces BERT's layers by those of later encoders: pre-norm,
rotary positions, GeGLU and no biases, with about the same number of parameters.

By default the run renders the kitchen corpus and trains on it. `--config.data.videos=DIR` uses your own videos with
transcripts beside them; docs/your_own_videos.md lists the formats and other places for transcripts.
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
    """The config of `kind`, a size with an optional suffix. Raises ValueError if there is no such kind."""
    size, _, layers = kind.partition("-")
    if size not in SIZES or layers not in LAYERS:
        raise ValueError(f"{kind!r} is not one of {', '.join(SIZES)}, nor one of these followed by -modern")
    config = config_lib.to_config_dict(config_lib.Config())

    # Short clips of small frames, for a small corpus and small machines.
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
    config.task.mask_video = 0.1  # neighbours predict such short clips so well that the model would ignore the words
    config.task.min_clips = 4  # about as many as a sentence spans; a single one has too little information

    config.task.weights.video = 0.1  # visual words are mostly unpredictable: at 1.0 their loss dominates the text's

    config.model.update(SIZES[size])
    config.model.update(LAYERS[layers])
    if config.model.gated:  # GeGLU has three kernels instead of two
        config.model.mlp_size = round(config.model.mlp_size * 2 / 3 / 64) * 64
    config.model.max_positions = 256
    config.model.init_std = round(config.model.hidden_size**-0.5, 3)

    if size == "tiny":
        config.data.batch_size = 16
        config.model.dtype = "float32"  # float32 and unrolled layers are faster on a CPU
        config.model.unroll = 2
        config.model.dropout = 0.0  # each sentence is seen only about ten times
        config.steps = 1600
        config.optimizer.learning_rate = 2e-3
        config.optimizer.warmup_steps = 60
        config.checkpoint.every = 400
        config.evaluators.held_out.every = 400
        config.evaluators.use_of_video.every = 400
    else:
        # The backward pass reads the matrix products of each layer and recomputes the rest, which is faster on a TPU.
        # Unrolled layers need not copy their results into stacked arrays, but take longer to compile.
        config.model.remat = "dots"
        config.model.unroll = config.model.num_layers
        config.model.activation = "gelu_tanh"  # within 0.0005 of "gelu", and faster on all hardware
        config.steps = 20_000
        config.optimizer.learning_rate = {"small": 5e-4, "base": 1e-4, "large": 5e-5}[size]
        config.optimizer.warmup_steps = 1000
    return config
