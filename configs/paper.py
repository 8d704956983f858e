"""The recipe of the paper (Sun, Myers, Vondrick, Murphy and Schmid, ICCV 2019), value by value.

    python launch/main.py --config=configs/paper.py --workdir=runs/paper --config.data.videos=DIR \\
        --config.init_from=BERT --config.prepare.tokenizer=BERT --config.prepare.backbone_weights=FILE

The authors trained for about 2 days on 4 Cloud TPUs; `launch/plan.py` estimates the time on others.

The comment on each line begins with the source of the value. We had no access to the paper, only to quotations of it:

    quoted   the paper, as quoted by others
    memory   the paper, from memory: verify it before you rely on it
    BERT     not in the paper; the value of Devlin et al. (2019), on which VideoBERT builds
    unknown  not published; the value is ours
    ours     the paper has no such setting

Two things were never published: the 312,000 YouTube cooking videos (23,186 hours, each under 15 minutes; 120,000 with
recognised English speech), and the model that punctuated the speech, which `speech/sentences.py` replaces.
"""

from ml_collections import ConfigDict

from videobert_jax import config as config_lib


def get_config() -> ConfigDict:
    """The config of the recipe, with all of its values, including defaults."""
    config = config_lib.to_config_dict(config_lib.Config())

    # Visual tokens.
    config.prepare.fps = 20.0  # quoted: 20 frames a second
    config.prepare.clip_frames = 30  # quoted: clips of 30 frames, 1.5 seconds, that do not overlap
    config.prepare.backbone = "s3d"  # quoted: S3D pretrained on Kinetics, averaged before its final classifier
    config.prepare.image_size = 224  # memory
    config.prepare.branching = 12  # quoted: k = 12
    config.prepare.depth = 4  # quoted: d = 4, 20,736 tokens in all

    # Words.
    config.prepare.tokenizer = "bert-large-uncased"  # quoted: BERT's WordPieces; uncased: unknown; set your folder
    config.prepare.max_sentence_words = 24  # unknown: limit for speech without punctuation
    config.prepare.chunk_tokens = 256  # ours: size of a record
    config.prepare.validation_fraction = 0.05  # unknown; YouCook2, used for the evaluation, is separate anyway

    # Sequences.
    config.data.sequence_length = 512  # unknown; the maximum of BERT, packed with several sequences
    config.data.max_sequences = 16  # ours: the paper packs nothing
    config.data.neighbours = 0.0  # unknown; like the next two, and views: no augmentation is mentioned
    config.data.drop_words = 0.0  # unknown
    config.data.drop_clips = 0.0  # unknown
    config.task.max_predictions = 80  # ours: 15 % of 512, and a few more
    config.task.chunks_per_row = 4  # ours
    config.task.text_only = 1.0  # unknown: the paper only says a weighted sum of text, video and both
    config.task.video_only = 1.0  # unknown
    config.task.joint = 2.0  # unknown
    config.task.video_only_tokens = 16  # quoted: 16 tokens for a segment of a video without speech
    config.task.concatenate = 0.5  # quoted: neighbouring sentences are concatenated at random; how often: unknown
    config.task.max_subsampling = 5  # quoted: video tokens are subsampled at a random rate from 1 to 5
    config.task.min_clips = 1  # unknown
    config.task.misaligned = 0.5  # unknown; half of the pairs, as BERT's next sentences
    config.task.misaligned_from = "other_video"  # unknown
    config.task.masking = 0.15  # BERT: 80 % [MASK], 10 % random, 10 % unchanged
    config.task.mask_video = 0.0  # ours: off
    config.task.mask_text = 0.0  # ours: off; see docs/results.md for what it is good for
    config.task.whole_words = False  # unknown; BERT's first release masked WordPieces
    config.task.span = 1.0  # BERT
    config.task.mask_joint = True  # quoted: the figure shows masks, the text mentions only alignment
    config.task.mask_misaligned = False  # unknown

    # The model.
    config.model.num_layers = 24  # quoted: BERT-large
    config.model.hidden_size = 1024  # quoted: BERT-large
    config.model.num_heads = 16  # quoted: BERT-large
    config.model.mlp_size = 4096  # BERT
    config.model.max_positions = 512  # BERT
    config.model.dropout = 0.1  # BERT
    config.model.init_std = 0.02  # BERT; for parameters that its checkpoint lacks: the alignment head
    config.model.norm = "post"  # BERT
    config.model.positions = "learned"  # BERT
    config.model.activation = "gelu"  # BERT
    config.model.gated = False  # BERT
    config.model.use_bias = True  # BERT
    config.init_from = "bert-large-uncased"  # quoted: BERT's released weights; which: unknown; set your folder
    config.model.text_rows = "frozen"  # quoted: the input embeddings are frozen; so is the tied softmax: unknown
    config.model.visual_rows = "frozen"  # quoted: the centroids' features, frozen
    config.model.visual_scale = 1.0  # unknown; the scale of BERT's own rows. The paper uses the features themselves
    config.model.dtype = "bfloat16"  # unknown; the native type of TPUs
    config.model.remat = "dots"  # ours; see configs/base.py
    config.model.unroll = 24  # ours; likewise

    config.model.visual_input = "words"  # quoted: a clip is its visual word
    config.model.feature_noise = 0.0  # ours: off
    config.model.fusion = "joint"  # quoted: one encoder

    # The losses: a weighted sum.
    config.task.weights.text = 1.0  # unknown
    config.task.weights.video = 1.0  # unknown
    config.task.weights.alignment = 1.0  # unknown

    # The optimizer.
    config.steps = 500_000  # quoted: 0.5 million, about 8 epochs
    config.data.batch_size = 128  # quoted; there of sequences, here of rows that pack several
    config.optimizer.name = "adamw"  # quoted: Adam; with weight decay as in BERT
    config.optimizer.learning_rate = 1e-5  # quoted
    config.optimizer.warmup_steps = 0  # quoted: linear decay; no warm-up is mentioned
    config.optimizer.schedule = "linear"  # quoted
    config.optimizer.layer_decay = 1.0  # BERT: all layers alike
    config.optimizer.beta1 = 0.9  # BERT
    config.optimizer.beta2 = 0.999  # BERT
    config.optimizer.epsilon = 1e-6  # BERT
    config.optimizer.weight_decay = 0.01  # BERT; whether VideoBERT decays: unknown
    config.optimizer.clip_norm = 1.0  # BERT; whether VideoBERT clips: unknown

    # Evaluation.
    config.evaluators.zero_shot.template = "now let me show you how to [MASK] the [MASK]."  # quoted
    config.evaluators.zero_shot.verbs = 45  # memory: the commonest of the ground-truth captions
    config.evaluators.zero_shot.objects = 100  # memory: likewise; a filling is any word, right if any caption's
    config.evaluators.zero_shot.nouns = True  # memory: objects are nouns; which tagger found them: unknown
    return config
