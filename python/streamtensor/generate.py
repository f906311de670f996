"""streamtensor generate: text from a compiled language model."""

import argparse
import json
import os
import sys
import time

import numpy as np

from . import sampling
from .session import Error, Session


def parser():
    p = argparse.ArgumentParser(
        prog="streamtensor generate",
        description="Generate text on the simulated card.")
    p.add_argument("build", metavar="BUILD")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--prompt", metavar="TEXT",
                      help="text to continue (needs a tokenizer in the build)")
    what.add_argument("--tokens", metavar="1,2,3", help="tokens to continue")
    p.add_argument("-n", type=int, default=64, metavar="N",
                   help="tokens to make (default 64)")
    p.add_argument("--device", default="sim", metavar="DEVICE",
                   help="sim (default), interp, hls or rtl")
    p.add_argument("--timing-only", action="store_true",
                   help="cycles of the simulator without values: no text, "
                        "no weights needed")
    p.add_argument("--logits", metavar="FILE",
                   help="write the logits of every token made, [n, vocab]")
    p.add_argument("--trace", metavar="FILE",
                   help="write what every kernel does when, for Perfetto "
                        "(ui.perfetto.dev)")
    p.add_argument("--stop", action="store_true",
                   help="end with the model's end-of-text token")
    sampling.add_options(p)
    p.add_argument("--json", action="store_true",
                   help="print tokens, cycles and times as JSON")
    return p


def load_tokenizer(build):
    path = os.path.join(build, "tokenizer.json")
    if not os.path.exists(path):
        return None
    from tokenizers import Tokenizer
    try:
        return Tokenizer.from_file(path)
    except Exception as e:  # tokenizers raises nothing narrower
        raise Error(f"{path}: error: not a tokenizer: {e}") from None


def given_tokens(text, vocab):
    try:
        ids = [int(t) for t in text.split(",")]
    except ValueError:
        raise Error(f"--tokens {text}: expected numbers separated by "
                    "commas") from None
    for token in ids:
        if not 0 <= token < vocab:
            raise Error(f"token {token} is not in the vocabulary of {vocab} "
                        f"tokens; give numbers from 0 to {vocab - 1}")
    return ids


def prompt_tokens(args, session, tokenizer):
    if args.tokens is not None:
        return given_tokens(args.tokens, session.vocab)
    if tokenizer is None:
        raise Error("the build has no tokenizer; use --tokens")
    try:
        args.prompt.encode()
    except UnicodeEncodeError:
        raise Error("--prompt is not valid UTF-8") from None
    ids = tokenizer.encode(args.prompt).ids
    if session.bos >= 0 and (not ids or ids[0] != session.bos):
        ids = [session.bos] + ids
    return ids


class Printer:
    """Text as it comes: what more tokens cannot change any more."""

    def __init__(self, tokenizer, prompt, quiet):
        self.tokenizer, self.ids, self.quiet = tokenizer, list(prompt), quiet
        self.shown = ""
        self.show()

    def show(self, last=False):
        """All of it at last, also a character that was never finished."""
        if self.quiet or self.tokenizer is None:
            return
        text = self.tokenizer.decode(self.ids)
        if text.startswith(self.shown) and (last or
                                            not text.endswith("\ufffd")):
            print(text[len(self.shown):], end="", flush=True)
            self.shown = text

    def add(self, token):
        self.ids.append(token)
        if self.quiet:
            return
        if self.tokenizer is None:
            print(token, end=" ", flush=True)
        else:
            self.show()


class Progress:
    """On a terminal, while nothing else is printed: how far, and how long."""

    def __init__(self, steps, shown):
        self.steps, self.shown = steps, shown and sys.stderr.isatty()
        self.start = self.said = time.monotonic()

    def tell(self, done):
        t = time.monotonic()
        if not self.shown or t - self.said < 2:
            return
        self.said = t
        left = (t - self.start) / done * (self.steps - done)
        print(f"generate: {done} of {self.steps} steps, about {left:.0f} s "
              "more", file=sys.stderr)


def summary(session, steps, prompt_steps):
    ms = [s.cycles / session.clock_mhz / 1e3 for s in steps]
    made = steps[prompt_steps:]
    result = {
        "tokens": [s.token for s in steps[prompt_steps - 1:]],
        "cycles": [s.cycles for s in steps],
        "clock_mhz": session.clock_mhz,
        "ms_per_token": None, "ttft_ms": None,
        "hbm_bytes": [s.bytes for s in steps], "hbm_share": None,
    }
    if steps[0].cycles >= 0:
        result["ttft_ms"] = sum(ms[:prompt_steps])
        decode = made or steps[-1:]
        seconds = sum(s.cycles for s in decode) / session.clock_mhz / 1e6
        result["ms_per_token"] = 1e3 * seconds / len(decode)
        if session.memory_peak > 0 and steps[0].bytes >= 0:
            result["hbm_share"] = (sum(s.bytes for s in decode) / seconds /
                                   session.memory_peak)
    return result


def print_summary(result, wall, steps):
    def row(what, value, rest):
        print(f"  {what:22} {value:>12} {rest}", file=sys.stderr)

    print(file=sys.stderr)
    ms = result["ms_per_token"]
    if ms is not None:
        cycles = ms * 1e3 * result["clock_mhz"]
        row("cycles a token", f"{cycles:.0f}", "")
        row("time a token", f"{ms:.3f}",
            f"ms ({1e3 / ms:.0f} tokens/s at {result['clock_mhz']:g} MHz)")
        row("first token after", f"{result['ttft_ms']:.3f}", "ms")
        if result["hbm_share"] is not None:
            row("memory bandwidth used", f"{100 * result['hbm_share']:.1f}",
                "%")
    row("simulation", f"{steps / wall:.1f}", "steps/s on this machine")


def save_logits(path, steps):
    """Through a temporary file beside it: the old content or all of the new."""
    from safetensors.numpy import save
    data = save({"logits": np.stack([s.logits for s in steps])})
    temporary = f"{path}.tmp-{os.getpid()}"
    try:
        with open(temporary, "wb") as f:
            f.write(data)
        os.replace(temporary, path)
    except OSError as e:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise Error(f"{path}: error: cannot write: {e.strerror}") from None


def check_length(prompt, n, context):
    if n < 1:
        raise Error("-n must be at least 1")
    if len(prompt) + n - 1 > context:
        raise Error(f"{len(prompt)} tokens of prompt and {n} more do not fit "
                    f"the context of {context}; lower -n or export with a "
                    "larger --ctx")


def generate(args):
    """The table of results, and what to print of this machine's speed."""
    sampler = sampling.from_options(args)
    tokenizer = load_tokenizer(args.build)
    device = "timing" if args.timing_only else args.device
    with Session(args.build, device) as session:
        if session.chunk < 1:
            raise Error(f"{args.build}: error: the build is not a language "
                        "model; use streamtensor run")
        prompt = prompt_tokens(args, session, tokenizer)
        check_length(prompt, args.n, session.context)
        quiet = args.json or args.timing_only
        printer = Printer(tokenizer, prompt, quiet)
        prompt_steps = -(-len(prompt) // session.chunk)
        progress = Progress(prompt_steps + args.n - 1, quiet)
        steps = []
        start = time.monotonic()
        for step in session.generate(prompt, args.n,
                                     session.eos if args.stop else None,
                                     sampler=sampler):
            steps.append(step)
            if len(steps) >= prompt_steps:
                printer.add(step.token)
            progress.tell(len(steps))
        wall = time.monotonic() - start
        printer.show(last=True)
        if not quiet:
            print(flush=True)
        if args.trace:
            session.trace(args.trace)
        if args.logits:
            save_logits(args.logits, steps[prompt_steps - 1:])
        result = summary(session, steps, prompt_steps)
        if args.timing_only:
            result["tokens"] = []
        return result, wall, len(steps)


def main(argv):
    args = parser().parse_args(argv)
    try:
        result, wall, steps = generate(args)
    except Error as e:
        e.show()
        return 1
    if args.json:
        print(json.dumps(result))
    else:
        print_summary(result, wall, steps)
    return 0
