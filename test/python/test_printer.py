"""Text as it comes: spaces and characters of many tokens."""

import pytest
from tokenizers import Tokenizer, decoders, models

from streamtensor.generate import Printer

BOS, EOS, ONCE, A, BYTE = 1, 2, 3, 4, 5
EURO = [BYTE + b for b in "\u20ac".encode()]


@pytest.fixture(scope="module")
def tokenizer():
    """As sentencepiece makes them: words begin with their space, what is no
    word is spelt in bytes."""
    vocab = {"<unk>": 0, "<s>": BOS, "</s>": EOS, "\u2581Once": ONCE,
             "\u2581a": A}
    vocab.update({f"<0x{b:02X}>": BYTE + b for b in range(256)})
    t = Tokenizer(models.BPE(vocab=vocab, merges=[], byte_fallback=True,
                             unk_token="<unk>"))
    t.add_special_tokens(["<s>", "</s>"])
    t.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "), decoders.ByteFallback(),
        decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return t


@pytest.mark.parametrize("prompt, made, pieces", [
    ([BOS], [ONCE, A], ["", "Once", " a", ""]),
    ([BOS, ONCE], [A, EOS, ONCE], ["Once", " a", "", " Once", ""]),
    ([BOS, ONCE], EURO + [A], ["Once", "", "", "\u20ac", " a", ""]),
    ([BOS, ONCE] + EURO[:1], EURO[1:], ["", "", "Once\u20ac", ""]),
    ([BOS], [BYTE + 255, A], ["", "", "\ufffd a", ""]),
    ([BOS, ONCE], EURO[:2], ["Once", "", "", "\ufffd\ufffd"]),
], ids=["spaces", "specials", "bytes", "cut-prompt", "no-character", "cut"])
def test_pieces(tokenizer, capsys, prompt, made, pieces):
    printer = Printer(tokenizer, prompt, False)
    shown = [capsys.readouterr().out]
    for token in made:
        printer.add(token)
        shown.append(capsys.readouterr().out)
    printer.show(last=True)
    shown.append(capsys.readouterr().out)
    assert shown == pieces


def test_tokens_without_tokenizer(capsys):
    printer = Printer(None, [BOS], False)
    printer.add(ONCE)
    printer.add(A)
    printer.show(last=True)
    assert capsys.readouterr().out.split() == [str(ONCE), str(A)]


def test_quiet(tokenizer, capsys):
    printer = Printer(tokenizer, [BOS], True)
    printer.add(ONCE)
    printer.show(last=True)
    assert capsys.readouterr().out == ""
