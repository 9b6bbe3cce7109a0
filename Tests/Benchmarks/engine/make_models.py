"""Makes the benchmark's model, a cross-encoder of MiniLM-L6's shape with random weights, as a Hugging
Face folder and in each form that a peer is fastest with.

    make_models.py FOLDER
"""

import pathlib
import sys

import onnx
import torch
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer

WORDS = 30_517
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def main(folder):
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(SPECIAL) + WORDS, hidden_size=384, num_hidden_layers=6,
        num_attention_heads=12, intermediate_size=1536, num_labels=1,
        architectures=["BertForSequenceClassification"])
    model = transformers.BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # The initialisation leaves logits near zero, which would compare nothing.
            if name.endswith("weight") and parameter.dim() == 2 and "embeddings" not in name:
                parameter.mul_(2)
    hf = folder / "hf"
    model.save_pretrained(hf)
    (hf / "vocab.txt").write_text("\n".join(SPECIAL + [f"w{i}" for i in range(WORDS)]) + "\n")
    (hf / "tokenizer_config.json").write_text('{"do_lower_case": true}')

    ids = torch.ones(2, 16, dtype=torch.long)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    plain = folder / "plain.onnx"
    axes = {name: {0: "batch", 1: "tokens"} for name in names}
    model.config.return_dict = False

    class Positional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(
                input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]

    with torch.no_grad():
        torch.onnx.export(
            Positional().eval(), (ids, ids, torch.zeros_like(ids)), str(plain), input_names=names,
            output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False)
    fused = folder / "fused.onnx"
    optimizer.optimize_model(
        str(plain), model_type="bert", num_heads=12, hidden_size=384
    ).save_model_to_file(str(fused))
    for source in (plain, fused):
        for per_channel in (False, True):
            target = folder / f"{source.stem}-int8{'-channel' if per_channel else ''}.onnx"
            quantize_dynamic(
                onnx.load(source), target, weight_type=QuantType.QInt8, per_channel=per_channel,
                # Fused operators hide the types of what they give.
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


if __name__ == "__main__":
    path = pathlib.Path(sys.argv[1])
    path.mkdir(parents=True, exist_ok=True)
    main(path)
