"""streamtensor serve, asked by the openai client and by hand."""

import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import types
import urllib.error
import urllib.request

import openai
import pytest

from conftest import COMMAND
from streamtensor import Session, engine
from streamtensor.generate import load_tokenizer

TEMPLATE = ("{{ bos_token }}{% for m in messages %}"
            "{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
            "{% if add_generation_prompt %}assistant:{% endif %}")
QUEUE = 12


@pytest.fixture(scope="module")
def build(stories, work):
    path = work / "serve.build"
    shutil.copytree(stories[2], path)
    (path / "chat.json").write_text(json.dumps(
        {"template": TEMPLATE, "bos_token": "<s>"}))
    return path


@pytest.fixture(scope="module")
def server(build):
    process = subprocess.Popen(
        [COMMAND, "serve", build, "--port", "0", "--queue", str(QUEUE),
         "--name", "stories"], stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    url, = re.findall(r"serving stories at (http://127.0.0.1:\d+)/v1", line)
    rest = []
    reader = threading.Thread(target=lambda: rest.extend(process.stderr))
    reader.start()
    yield types.SimpleNamespace(url=url, process=process)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    reader.join()
    assert "".join(rest).strip() == "streamtensor: interrupted", rest


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server.url + "/v1", api_key="none",
                       max_retries=0, timeout=300) as c:
        yield c


def complete(client, prompt, n=8, **more):
    return client.completions.create(model="stories", prompt=prompt,
                                     max_tokens=n, **{"temperature": 0,
                                                      **more})


@pytest.fixture(scope="module")
def reference(build):
    """What a session of its own says to a prompt."""
    tokenizer = load_tokenizer(str(build))
    with Session(str(build)) as s:
        def text(prompt, n):
            s.reset()
            ids = [s.bos, *tokenizer.encode(prompt).ids]
            ids = ids[1:] if ids[1] == s.bos else ids
            made = [st.token for st in s.generate(ids, n)][-n:]
            return tokenizer.decode(ids + made)[len(tokenizer.decode(ids)):]
        yield text


def ask(server, path, data=None):
    """Status and JSON, without a client's care."""
    request = urllib.request.Request(server.url + path, data)
    try:
        with urllib.request.urlopen(request, timeout=60) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def test_models_and_health(client, server):
    assert [m.id for m in client.models.list()] == ["stories"]
    assert client.models.retrieve("stories").owned_by == "streamtensor"
    with pytest.raises(openai.NotFoundError, match="there is no model"):
        client.models.retrieve("other")
    assert ask(server, "/health") == (
        200, {"status": "ok", "busy": False, "waiting": 0})


def test_a_completion(client, reference):
    answer = complete(client, "Once upon a time", 12)
    choice, = answer.choices
    assert choice.text == reference("Once upon a time", 12)
    assert choice.finish_reason == "length"
    assert answer.usage.completion_tokens == 12
    assert answer.usage.total_tokens == 12 + answer.usage.prompt_tokens
    ids = complete(client, [1, 403, 407], 3)
    assert ids.usage.prompt_tokens == 3


def test_a_stream(client, reference):
    chunks = list(complete(client, "Once upon", 12, stream=True,
                           stream_options={"include_usage": True}))
    assert len(chunks) > 6
    assert "".join(c.choices[0].text for c in chunks[:-1]) == \
        reference("Once upon", 12)
    assert [c.choices[0].finish_reason for c in chunks[:-1]][-2:] == [
        None, "length"]
    assert chunks[-1].usage.completion_tokens == 12


def test_stop_strings(client, reference):
    whole = reference("Once upon a time", 12)
    stop = whole[9:14]
    for stream in (False, True):
        answer = complete(client, "Once upon a time", 12, stop=["@@", stop],
                          stream=stream)
        chunks = list(answer) if stream else [answer]
        assert "".join(c.choices[0].text for c in chunks) == \
            whole[:whole.find(stop)]
        assert chunks[-1].choices[0].finish_reason == "stop"


def test_sampling(client):
    one, again, other = (complete(client, "The", temperature=1.5, seed=s)
                         for s in (1, 1, 2))
    assert one.choices[0].text == again.choices[0].text
    assert one.choices[0].text != other.choices[0].text
    assert complete(client, "The", temperature=1, extra_body={"top_k": 1}
                    ).choices[0].text == complete(client, "The"
                                                  ).choices[0].text


def test_chat(client):
    def say(**more):
        return client.chat.completions.create(
            model="stories", temperature=0, messages=[
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": [
                    {"type": "text", "text": "Tell me of a cat."}]}], **more)

    answer = say(max_completion_tokens=10)
    assert answer.choices[0].message.role == "assistant"
    text = answer.choices[0].message.content
    assert text and answer.usage.completion_tokens == 10
    chunks = list(say(max_tokens=10, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content for c in chunks) == text


def wait_until_idle(server):
    """Those who closed their streams are noticed when the next token is sent."""
    for _ in range(300):
        health = ask(server, "/health")[1]
        if not health["busy"] and not health["waiting"]:
            return health
        time.sleep(0.1)
    raise AssertionError(f"still at work after 30 s: {health}")


def test_many_at_once(client, reference, server):
    """100 requests from 8 threads: each has its own answer; some leave in the
    middle and some are wrong."""
    prompts = [f"Once {w} upon" for w in ("a", "the", "big", "red", "cat")]
    want = {p: reference(p, 4) for p in prompts}

    def one(i):
        if i in (20, 60):
            with complete(client, prompts[0], 200, stream=True) as stream:
                next(iter(stream))
            return "left"
        if i == 40:
            return ask(server, "/v1/completions", b'{"model": ')[0]
        if i == 80:
            with pytest.raises(openai.BadRequestError,
                               match="do not fit") as e:
                complete(client, prompts[0], 10000)
            return e.value.code
        prompt = prompts[i % len(prompts)]
        return complete(client, prompt, 4).choices[0].text == want[prompt]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(one, range(100)))
    assert results.count(True) == 96 and results[20] == results[60] == "left"
    assert results[40] == 400 and results[80] == "context_length_exceeded"
    idle = {"status": "ok", "busy": False, "waiting": 0}
    assert wait_until_idle(server) == idle


def test_a_full_queue(client, server):
    """The one that runs, those that wait, and one too many."""
    streams = []
    try:
        while True:
            streams.append(complete(client, "Once", 400, stream=True))
    except openai.InternalServerError as e:
        assert e.status_code == 503 and e.code == "queue_full"
        assert e.response.headers["retry-after"] == "1"
    assert len(streams) in (QUEUE, QUEUE + 1)
    for s in streams:
        s.close()
    wait_until_idle(server)
    assert complete(client, "Once", 2).usage.completion_tokens == 2


def test_an_asker_that_leaves(server, client):
    """Without a stream: the work ends."""
    body = json.dumps({"model": "stories", "prompt": "Once", "max_tokens": 480,
                       "temperature": 0}).encode()
    host, port = server.url.removeprefix("http://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port))) as s:
            s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            time.sleep(0.2)
    assert complete(client, "Once", 2).usage.completion_tokens == 2
    assert ask(server, "/health")[1]["waiting"] == 0


@pytest.mark.parametrize("body,param", [
    ({"prompt": ""}, None), ({"prompt": []}, "prompt"),
    ({"prompt": ["a", "b"]}, "prompt"), ({"prompt": [-1]}, "prompt"),
    ({"prompt": [100000]}, "prompt"), ({}, "prompt"),
    ({"max_tokens": 0}, "max_tokens"), ({"max_tokens": "x"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"), ({"temperature": -1}, None),
    ({"temperature": "hot"}, "temperature"), ({"top_p": 2}, None),
    ({"n": 2}, "n"), ({"logprobs": 3}, "logprobs"), ({"stop": [""]}, "stop"),
    ({"stop": ["a"] * 5}, "stop"), ({"stream": 1}, "stream"),
    ({"what": 1}, "what"), ({"stream_options": {"include_usage": True}},
                            "stream_options"), ([], None)], ids=str)
def test_bad_requests(server, body, param):
    if isinstance(body, dict):
        body = {"model": "stories", **({} if "prompt" in body or not body else
                                       {"prompt": "Once"}), **body}
    status, answer = ask(server, "/v1/completions", json.dumps(body).encode())
    if body and body.get("prompt") == "":  # begins with the first token
        assert status == 200
        return
    assert status == 400 and answer["error"]["message"]
    assert answer["error"]["type"] == "invalid_request_error"
    assert answer["error"]["param"] == param


@pytest.mark.parametrize("messages", [
    None, [], ["a"], [{"role": "user"}], [{"content": "a"}],
    [{"role": "user", "content": [{"type": "image_url"}]}]], ids=str)
def test_bad_messages(server, messages):
    body = json.dumps({"model": "stories", "messages": messages}).encode()
    status, answer = ask(server, "/v1/chat/completions", body)
    assert status == 400 and answer["error"]["param"] == "messages"


def test_other_places(server):
    assert ask(server, "/v1/nothing")[0] == 404
    status, answer = ask(server, "/v1/completions")
    assert status == 405 and "Method Not Allowed" in answer["error"]["message"]
    status, answer = ask(server, "/v1/completions", b" " * (5 << 20))
    assert status == 413


@pytest.mark.parametrize("change,args,message", [
    (None, ["--queue", "0"], "--queue must be at least 1"),
    (None, ["--port", "99999"], "--port is from 0 to 65535"),
    ("tokenizer.json", [], "the build has no tokenizer"),
    (None, ["--device", "what"], "there is no device 'what'")])
def test_does_not_start(build, tmp_path, command, change, args, message):
    path = tmp_path / "b"
    shutil.copytree(build, path)
    if change:
        os.remove(path / change)
    p = command("serve", path, "--port", "0", *args, status=1)
    assert message in p.stderr


def test_the_port_is_taken(build, command):
    with socket.create_server(("127.0.0.1", 0)) as s:
        p = command("serve", build, "--port", s.getsockname()[1], status=1)
    assert "cannot listen on 127.0.0.1" in p.stderr


class Letters:
    """A tokenizer of bytes."""

    def decode(self, ids):
        return bytes(ids).decode(errors="replace")


@pytest.mark.parametrize("stops,text,want", [
    ((), "abc", ["a", "b", "c"]), ((), "a\u00e4b", ["a", "", "\u00e4", "b"]),
    (("bd",), "abcd", ["a", "", "bc", "d"]), (("bc",), "abcd", ["a", ""]),
    (("aab",), "aaab", ["", "", "a", ""]), (("x", "cd"), "abcd",
                                          ["a", "b", "", ""])])
def test_text_that_is_certain(stops, text, want):
    t = engine.Text(Letters(), b"prompt", stops)
    got = []
    for byte in text.encode():
        got.append(t.add(byte))
        if t.stopped:
            break
    else:
        assert "".join(got) + t.rest() == text
    assert got[:len(want)] == want[:len(got)]
    assert t.stopped == any(s in text for s in stops)
