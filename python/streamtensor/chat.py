"""streamtensor chat: a conversation with a compiled chat model."""

import argparse
import json
import os
import sys
import time

from . import sampling
from .generate import Printer, load_tokenizer
from .session import Error, Session


def parser():
    p = argparse.ArgumentParser(
        prog="streamtensor chat",
        description="Talk with a chat model on the simulated card. A line is "
                    "what you say; the end of the input ends it.")
    p.add_argument("build", metavar="BUILD")
    p.add_argument("-n", type=int, default=256, metavar="N",
                   help="longest answer in tokens (default 256)")
    p.add_argument("--system", metavar="TEXT",
                   help="instructions for the model")
    p.add_argument("--device", default="sim", metavar="DEVICE",
                   help="sim (default), interp or hls")
    sampling.add_options(p)
    return p


class Template:
    """The text of a conversation as the checkpoint's chat template has it."""

    def __init__(self, build):
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        self.path = os.path.join(build, "chat.json")
        if not os.path.exists(self.path):
            raise Error(f"{build}: error: the build has no chat template: its "
                        "checkpoint had none, or was exported without its "
                        "tokenizer; use streamtensor generate")
        self.refused = TemplateError
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols"])
        environment.globals["raise_exception"] = self.refuse
        environment.globals["strftime_now"] = time.strftime
        environment.filters["tojson"] = json.dumps
        try:
            with open(self.path, encoding="utf-8") as f:
                given = json.load(f)
            self.template = environment.from_string(given.pop("template"))
            self.tokens = dict(given)
        except (ValueError, KeyError, AttributeError, TemplateError) as e:
            raise Error(f"{self.path}: error: not a chat template: {e}"
                        ) from None

    def refuse(self, message):
        raise self.refused(message)

    def text(self, messages):
        """Up to where the model's answer begins."""
        try:
            return self.template.render(
                messages=messages, add_generation_prompt=True, **self.tokens)
        except (self.refused, TypeError) as e:
            raise Error(f"{self.path}: error: the template refuses the "
                        f"conversation: {e}") from None


class Conversation:
    """Messages, and how much of their text the device's context holds."""

    def __init__(self, session, tokenizer, template, system=None,
                 sampler=None):
        self.sampler = sampler
        self.session, self.tokenizer = session, tokenizer
        self.template = template
        self.first = [{"role": "system", "content": system}] if system else []
        self.messages = []
        self.held = ""

    def _ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def _prompt(self, n):
        """Tokens to give: what follows the text that is held. If the text
        begins otherwise, or the context has no room for n tokens more, the
        context starts anew, without the oldest messages that do not fit. Also
        whether any were forgotten."""
        forgotten = False
        while True:
            text = self.template.text(self.first + self.messages)
            if not text.startswith(self.held):
                self.held = ""
            ids = self._ids(text[len(self.held):])
            room = self.session.context - len(ids) - (
                self.session.position if self.held else 0)
            if room >= n - 1 or room >= 0 and len(self.messages) == 1:
                break
            self.held = ""
            if len(self.messages) == 1:
                self.messages.clear()
                raise Error(f"{len(ids)} tokens do not fit the context of "
                            f"{self.session.context}; say less at once")
            del self.messages[:2]
            forgotten = True
        if not self.held:
            self.session.reset()
        self.held = text
        return ids, forgotten

    def say(self, line, n, show):
        """The steps of the answer, and of those how many took in the prompt;
        `show` gets each token."""
        self.messages.append({"role": "user", "content": line})
        ids, forgotten = self._prompt(n)
        if forgotten:
            print("(the oldest messages are forgotten)", file=sys.stderr)
        room = self.session.context - self.session.position - len(ids) + 1
        prompt_steps = -(-len(ids) // self.session.chunk)
        steps, answer = [], []
        for step in self.session.generate(ids, min(n, room),
                                          self.session.eos,
                                          sampler=self.sampler):
            steps.append(step)
            if len(steps) < prompt_steps or step.token in self.session.eos:
                continue
            answer.append(step.token)
            show(step.token)
        text = self.tokenizer.decode(answer, skip_special_tokens=False)
        self.messages.append({"role": "assistant", "content": text})
        ended = steps[-1].token in self.session.eos
        # the last token made is not in the context; an end of text is
        # written by the template
        self.held += text if ended else self.tokenizer.decode(
            answer[:-1], skip_special_tokens=False)
        return steps, prompt_steps


def tell_times(session, steps, prompt_steps, wall):
    """What the card takes, and this machine."""
    tokens = len(steps) - prompt_steps + 1
    text = f"{tokens} tokens"
    if steps[0].cycles >= 0:
        ms = [s.cycles / session.clock_mhz / 1e3 for s in steps]
        decode = ms[prompt_steps:]
        text += f"; card: first after {sum(ms[:prompt_steps]):.2f} ms"
        if decode:
            text += f", then {1e3 * len(decode) / sum(decode):.0f} tokens/s"
        text += f", {sum(ms):.2f} ms in all"
    print(f"[{text}; this machine: {wall:.1f} s]", file=sys.stderr,
          flush=True)


def lines():
    """What the user says; the prompt is for people only."""
    people = sys.stdin.isatty()
    while True:
        if people:
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def chat(args):
    if args.n < 1:
        raise Error("-n must be at least 1")
    sampler = sampling.from_options(args)
    template = Template(args.build)
    tokenizer = load_tokenizer(args.build)
    if tokenizer is None:
        raise Error(f"{args.build}: error: the build has no tokenizer")
    with Session(args.build, args.device) as session:
        if session.chunk < 1:
            raise Error(f"{args.build}: error: the build is not a language "
                        "model; use streamtensor run")
        talk = Conversation(session, tokenizer, template, args.system,
                            sampler)
        for line in lines():
            printer = Printer(tokenizer, [], False)
            start = time.monotonic()
            try:
                steps, prompt_steps = talk.say(line, args.n, printer.add)
            except Error as e:
                print(f"error: {e}", file=sys.stderr)
                continue
            printer.show(last=True)
            print(flush=True)
            tell_times(session, steps, prompt_steps,
                       time.monotonic() - start)


def main(argv):
    args = parser().parse_args(argv)
    try:
        chat(args)
    except Error as e:
        e.show()
        return 1
    return 0
