"""The shapes of docs/performance.md, and what a training step on them costs."""

SHAPES = {
    "gpt2": dict(hidden=768, ffn=3072, layers=12, heads=12, groups=12, vocab=50304, seq=1024, batch=1, llama=False),
    "llama110m": dict(hidden=768, ffn=2048, layers=12, heads=12, groups=4, vocab=32000, seq=1024, batch=2, llama=True),
    "tiny": dict(hidden=256, ffn=688, layers=4, heads=4, groups=4, vocab=4096, seq=256, batch=8, llama=True),
}


def shape_of(options):
    """The shape that the options name, at their micro-batch size and sequence length where they give any."""
    shape = dict(SHAPES[options.shape])
    shape["batch"] = options.micro_batch_size or shape["batch"]
    shape["seq"] = options.seq_length or shape["seq"]
    return shape


def add_shape_options(parser):
    parser.add_argument("--shape", choices=sorted(SHAPES), required=True)
    parser.add_argument("--micro-batch-size", type=int, help="samples; the shape's own if not given")
    parser.add_argument("--seq-length", type=int, help="tokens of a sample; the shape's own if not given")


def step_flops(shape):
    """6 x parameters of matrix products x tokens, and causal attention."""
    h, head = shape["hidden"], shape["hidden"] // shape["heads"]
    attention = h * (h + 2 * shape["groups"] * head) + h * h
    mlp = (3 if shape["llama"] else 2) * h * shape["ffn"]
    parameters = shape["layers"] * (attention + mlp) + h * shape["vocab"]
    tokens = shape["batch"] * shape["seq"]
    return 6 * parameters * tokens + 6 * shape["layers"] * shape["batch"] * h * shape["seq"] ** 2
