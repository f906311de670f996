"""Conversations: what is given again to the device and what is not, and what
is wrong with templates."""

import json
import shutil

import pytest

from streamtensor import Session, chat
from streamtensor import export as exporter
from streamtensor.generate import load_tokenizer

TEMPLATE = ("{{ bos_token }}{% for m in messages %}"
            "{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
            "{% if add_generation_prompt %}assistant:{% endif %}")


@pytest.fixture(scope="module")
def build(stories, work):
    path = work / "chat.build"
    shutil.copytree(stories[2], path)
    (path / "chat.json").write_text(json.dumps(
        {"template": TEMPLATE, "bos_token": "<s>"}))
    return path


def conversation(session, build, **more):
    return chat.Conversation(session, load_tokenizer(str(build)),
                             chat.Template(str(build)), **more)


def say(talk, line, n=12):
    shown = []
    steps, prompt_steps = talk.say(line, n, shown.append)
    assert shown == [s.token for s in steps[prompt_steps - 1:]][:len(shown)]
    return shown, steps


def test_later_turns_are_those_of_the_whole_text(build):
    """Whether the context was continued or begun anew."""
    with Session(str(build)) as s, Session(str(build)) as other:
        talk = conversation(s, build)
        say(talk, "Tell me of a cat.")
        before = [dict(m) for m in talk.messages]
        held = s.position
        got, steps = say(talk, "And a dog?")
        fresh = conversation(other, build)
        fresh.messages = before
        want, all_steps = say(fresh, "And a dog?")
        assert got == want
        assert s.position == other.position
        if s.position > held + len(got):
            assert len(steps) <= len(all_steps)


def test_old_messages_are_forgotten_when_the_context_is_full(build, capsys):
    with Session(str(build)) as s:
        talk = conversation(s, build, system="Be kind.")
        for _ in range(12):
            say(talk, "a long story " * 8, 8)
            assert s.position <= s.context
        assert "forgotten" in capsys.readouterr().err
        assert 2 <= len(talk.messages) < 24
        assert talk.messages[-1]["role"] == "assistant"
        with pytest.raises(chat.Error, match="do not fit the context of"):
            talk.say("word " * 1000, 8, print)
        assert say(talk, "Hello")[0]


def test_the_command(build, command):
    p = command("chat", build, "-n", 5, input="Hello\n\nMore\n")
    assert len(p.stdout.splitlines()) >= 2
    assert p.stderr.count("; card: first after ") == 2
    assert "tokens/s" in p.stderr
    command("chat", build, "-n", 0, status=1, input="")


@pytest.mark.parametrize("text,message", [
    (None, "the build has no chat template"),
    ("{", "not a chat template"), ("{}", "not a chat template"),
    ('{"template": "{% if %}"}', "not a chat template"),
    ('{"template": "{{ raise_exception(\'no system\') }}"}', "no system")])
def test_bad_templates(stories, command, tmp_path, text, message):
    path = tmp_path / "build"
    shutil.copytree(stories[2], path)
    if text is not None:
        (path / "chat.json").write_text(text)
    refused = text and "raise" in text
    p = command("chat", path, input="Hello\n", status=0 if refused else 1)
    assert message in p.stderr


def test_the_exporter_keeps_the_template(stories, tmp_path):
    shutil.copytree(stories[0], tmp_path / "hf")
    assert [n for n, _ in exporter._tokenizer_files(stories[0])] == [
        "tokenizer.json"]
    (tmp_path / "hf" / "chat_template.jinja").write_text(TEMPLATE)
    files = dict(exporter._tokenizer_files(str(tmp_path / "hf")))
    chat_json = json.loads(files["chat.json"])
    assert chat_json["template"] == TEMPLATE
    assert chat_json["bos_token"] == "<s>"
    assert "tokenizer.json" in files
