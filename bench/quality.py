"""What a build's arithmetic costs: its logits against PyTorch's in float32.

usage: .venv/bin/python bench/quality.py CHECKPOINT BUILD [--text WHAT]
           [--tokens N] [--window N] [--device sim] [--chunks] [--log FILE]

CHECKPOINT is what BUILD was exported from. The text is cut into windows; in
each, the build is given one token a step, so that it tells its logits at every
position, and PyTorch computes the same window in one piece. Printed: perplexity
of both, mean KL divergence (nats) of the build's next-token distribution from
PyTorch's, and how often both have the same most likely token.

Texts: `gpl` (the GPL-3 of Debian's base-files), `help` (the topics of Python's
help()), `self` (what the checkpoint says after BOS, sampled from seed 1), or a
file; several, separated by commas, share the tokens. With --chunks the logits
of the build's chunks are compared with those of its steps as well: they are
the same bits. With --log each window is a line of FILE, and windows that are
there already are not measured again: a long run can be stopped and goes on.
"""

import argparse
import json
import math
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "python"))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from streamtensor import Session, export  # noqa: E402
from streamtensor.generate import load_tokenizer  # noqa: E402

GPL = "/usr/share/common-licenses/GPL-3"


def help_topics():
    from pydoc_data.topics import topics
    return "\n".join(topics[name] for name in sorted(topics))


def sample(model, bos, n, window):
    """`n` tokens in texts of a window, each begun with BOS."""
    generator = torch.Generator().manual_seed(1)
    ids = []
    while len(ids) < n:
        text, past = [bos], None
        while len(text) < window:
            with torch.no_grad():
                out = model(torch.tensor([text[-1:]]), past_key_values=past,
                            use_cache=True)
            past = out.past_key_values
            p = torch.softmax(out.logits[0, -1], -1)
            text.append(int(torch.multinomial(p, 1, generator=generator)))
        ids += text
    return ids[:n]


def tokens_of(what, model, tokenizer, session, n, window):
    if what == "self":
        return sample(model, session.bos, n, window)
    if what == "help":
        text = help_topics()
    else:
        with open(GPL if what == "gpl" else what, encoding="utf-8") as f:
            text = f.read()
    return tokenizer.encode(text, add_special_tokens=False).ids[:n]


def steps(session, ids):
    session.reset()
    return np.stack([session.step([t]).logits for t in ids])


def check_chunks(session, ids, logits):
    """The last logits of every chunk are those of the steps, bit by bit."""
    session.reset()
    for at in range(0, len(ids), session.chunk):
        piece = ids[at:at + session.chunk]
        got = session.step(piece).logits
        if not np.array_equal(got, logits[at + len(piece) - 1]):
            sys.exit(f"chunk at {at}: other logits than in steps of one token")


def measure(model, session, ids, chunks):
    got = steps(session, ids)
    if chunks:
        check_chunks(session, ids, got)
    with torch.no_grad():
        want = model(torch.tensor([ids]), use_cache=False).logits[0]
    p = torch.log_softmax(want.double(), -1)
    q = torch.log_softmax(torch.from_numpy(got).double(), -1)
    at, next_ids = torch.arange(len(ids) - 1), torch.tensor(ids[1:])
    return {"tokens": len(ids), "nll": float(-p[at, next_ids].sum()),
            "nll_build": float(-q[at, next_ids].sum()),
            "kl": float((p.exp() * (p - q)).sum()),
            "same": int((p.argmax(-1) == q.argmax(-1)).sum())}


def show(name, lines):
    tokens = sum(x["tokens"] for x in lines)
    pairs = tokens - len(lines)
    ppl, build = (math.exp(sum(x[k] for x in lines) / pairs)
                  for k in ("nll", "nll_build"))
    print(f"{name:8}{tokens:8d}{ppl:12.3f}{build:12.3f}"
          f"{100 * (build / ppl - 1):+9.2f} %"
          f"{sum(x['kl'] for x in lines) / tokens:10.5f}"
          f"{100 * sum(x['same'] for x in lines) / tokens:9.2f} %", flush=True)


def read_log(path):
    if not path or not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(line) for line in f]


def parse():
    p = argparse.ArgumentParser(
        description="A build's logits against PyTorch's in float32.")
    p.add_argument("checkpoint", metavar="CHECKPOINT")
    p.add_argument("build", metavar="BUILD")
    p.add_argument("--text", default="help,gpl", metavar="WHAT",
                   help="gpl, help, self or a file (default help,gpl)")
    p.add_argument("--tokens", type=int, default=8192, metavar="N",
                   help="of all texts together (default 8192)")
    p.add_argument("--window", type=int, default=512, metavar="N",
                   help="tokens of a window (default 512, at most the context)")
    p.add_argument("--device", default="sim")
    p.add_argument("--chunks", action="store_true",
                   help="compare the logits of chunks with those of steps")
    p.add_argument("--log", metavar="FILE")
    return p.parse_args()


def main():
    args = parse()
    model = export.load_model(args.checkpoint)
    tokenizer = load_tokenizer(args.build)
    texts, log, lines = args.text.split(","), read_log(args.log), {}
    with Session(args.build, args.device) as session:
        window = min(args.window, session.context)
        each = args.tokens // len(texts)
        parts = []
        for what in texts:
            ids = tokens_of(what, model, tokenizer, session, each, window)
            lines[what] = []
            parts += [(what, at, ids[at:at + window])
                      for at in range(0, len(ids) - 1, window)]
        parts.sort(key=lambda part: part[1])  # texts in turns
        for what, at, ids in parts:
            key = {"text": what, "at": at}
            known = [x for x in log if key.items() <= x.items() and
                     x["tokens"] == len(ids)]
            line = known[0] if known else {
                **key, **measure(model, session, ids, args.chunks)}
            lines[what].append(line)
            if args.log and not known:
                with open(args.log, "a") as f:
                    f.write(json.dumps(line) + "\n")
    print(f"{'text':8}{'tokens':>8}{'PyTorch':>12}{'build':>12}{'':11}"
          f"{'mean KL':>10}{'top-1':>11}")
    for what in texts:
        show(what, lines[what])
    if len(texts) > 1:
        show("all", [x for part in lines.values() for x in part])


if __name__ == "__main__":
    main()
