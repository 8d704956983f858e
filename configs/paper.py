"""The recipe of the paper: Sun, Myers, Vondrick, Murphy and Schmid, ICCV 2019, number by number.

    python launch/main.py --config=configs/paper.py --workdir=runs/paper --config.data.videos=DIR \\
        --config.prepare.tokenizer=FOLDER --config.prepare.backbone_weights=FILE

Made for 4 Cloud TPUs, on which the authors took about 2 days; `launch/plan.py` tells what it takes on others.

Each line names its source: the section of the paper; "BERT", where VideoBERT takes over what Devlin et al. (2019) did;
or "unknown", where nothing published tells, and the value is ours. What cannot be had is named too: the 312,000 cooking
videos of YouTube (23,186 hours, each under 15 minutes; 120,000 with English speech recognised) were not published, nor
was the model that punctuated the speech. Its place is taken by `prepare/sentences.py`.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib


def get_config() -> ConfigDict:
    """Every value is set here, even where it is the default, so that the recipe can be read in one place."""
    config = config_lib.to_config_dict(config_lib.Config())

    # Visual tokens: section 4.2.
    config.prepare.fps = 20.0  # "20 fps"
    config.prepare.clip_frames = 30  # "30-frame (1.5 second) non-overlapping windows"
    config.prepare.backbone = "s3d"  # pretrained on Kinetics, features before the final linear classifier, averaged
    config.prepare.image_size = 224  # unknown; S3D was trained at 224
    config.prepare.branching = 12  # "k = 12"
    config.prepare.depth = 4  # "d = 4", 20,736 tokens in all

    # Words: section 4.2.
    config.prepare.tokenizer = "bert-large-uncased"  # BERT's WordPiece vocabulary; uncased: unknown; name your folder
    config.prepare.max_sentence_words = 24  # unknown: where speech that no mark ends is cut
    config.prepare.chunk_tokens = 256  # ours: how much of a video a record holds
    config.prepare.validation_fraction = 0.05  # unknown; YouCook2, which the model is judged on, is apart anyway

    # Sequences: sections 3.2 and 4.2.
    config.data.sequence_length = 512  # unknown; the longest that BERT has positions for, filled with several sequences
    config.data.max_sequences = 16  # ours: the paper packs nothing
    config.data.max_predictions = 80  # ours: 15 % of 512, and some
    config.data.chunks_per_row = 4  # ours
    config.data.text_only = 1.0  # unknown: the mix of text, video and both; "a weighted sum" is all that is said
    config.data.video_only = 1.0  # unknown
    config.data.joint = 2.0  # unknown
    config.data.video_only_tokens = 16  # 4.2: "16 tokens" for a segment of a video without speech
    config.data.concatenate = 0.5  # 3.2: "randomly concatenate neighboring sentences"; how often: unknown
    config.data.max_subsampling = 5  # 3.2: "randomly pick a subsampling rate of 1 to 5 steps"
    config.data.min_clips = 1  # unknown
    config.data.misaligned = 0.5  # unknown; BERT: half of the pairs
    config.data.misaligned_from = "other_video"  # unknown
    config.data.masking = 0.15  # BERT; 80 % [MASK], 10 % random, 10 % as they were
    config.data.mask_video = 0.0  # nothing of the kind is said
    config.data.mask_joint = True  # unknown: figure 3 shows masks, section 3.3 speaks of alignment alone
    config.data.mask_misaligned = False  # unknown

    # The model: section 4.3. BERT-large, "24 layers, 1024 hidden units, 16 heads".
    config.model.num_layers = 24
    config.model.hidden_size = 1024
    config.model.num_heads = 16
    config.model.mlp_size = 4096  # BERT
    config.model.max_positions = 512  # BERT
    config.model.dropout = 0.1  # BERT
    config.model.init_std = 0.02  # BERT
    config.model.visual_rows = "frozen"  # "initialize with visual centroids ... and freeze"
    config.model.visual_scale = 4.0  # unknown
    config.model.dtype = "bfloat16"  # unknown; what a TPU multiplies in

    # The losses: section 3.3, "a weighted sum".
    config.objective.text = 1.0  # unknown
    config.objective.video = 1.0  # unknown
    config.objective.alignment = 1.0  # unknown

    # The optimizer: section 4.3.
    config.steps = 500_000  # "0.5 million iterations, or 8 epochs"
    config.data.batch_size = 128  # "a total batch size of 128"; of sequences there, of rows that hold several here
    config.optimizer.learning_rate = 1e-5  # "Adam", "an initial learning rate of 1e-5"
    config.optimizer.warmup_steps = 0  # "linear decay learning rate schedule" and no word of a warm-up
    config.optimizer.beta1 = 0.9  # BERT
    config.optimizer.beta2 = 0.999  # BERT
    config.optimizer.epsilon = 1e-6  # BERT
    config.optimizer.weight_decay = 0.01  # BERT; whether VideoBERT decays: unknown
    config.optimizer.clip_norm = 1.0  # BERT; whether VideoBERT clips: unknown

    # The question: section 4.4.
    config.evaluation.template = "now let me show you how to [MASK] the [MASK]."  # verbatim
    return config
