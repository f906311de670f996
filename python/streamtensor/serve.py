"""streamtensor serve: a build behind the HTTP interface that clients of OpenAI
speak (doc/serve.md)."""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import sys
import time
import uuid

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from .chat import Template
from .engine import Engine, Full, Request, Text
from .generate import load_tokenizer
from .sampling import Sampler
from .session import Error, Session

MOST_BYTES = 4 << 20  # of a request
MOST_STOPS = 4
COMPLETION_TOKENS = 16  # where none are asked for, as the interface has it


def parser():
    p = argparse.ArgumentParser(
        prog="streamtensor serve",
        description="Answer HTTP requests as OpenAI's interface has them: "
                    "/v1/completions, /v1/chat/completions, /v1/models, "
                    "/health. One request at a time is on the card.")
    p.add_argument("build", metavar="BUILD")
    p.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                   help="where to listen (default 127.0.0.1: only programs of "
                        "this machine)")
    p.add_argument("--port", type=int, default=8000, metavar="N",
                   help="default 8000; 0: any that is free")
    p.add_argument("--queue", type=int, default=64, metavar="N",
                   help="requests that may wait (default 64); more are "
                        "refused")
    p.add_argument("--name", metavar="MODEL",
                   help="the model's name (default: that of the directory)")
    p.add_argument("--device", default="sim", metavar="DEVICE",
                   help="sim (default), interp, hls or rtl")
    return p


class Bad(Exception):
    """A request that is refused: status, message, the parameter, a code."""

    def __init__(self, message, param=None, code=None, status=400):
        super().__init__(message)
        self.param, self.code, self.status = param, code, status


def error(message, status=400, param=None, code=None):
    kind = "invalid_request_error" if status < 500 else "server_error"
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"error": {"message": message, "type": kind,
                                   "param": param, "code": code}}, status,
                        headers)


# ---- parameters -------------------------------------------------------------

NUMBER, WHOLE = (int, float), (int,)

# What has one meaning only, which is the default.
FIXED = {"n": 1, "best_of": 1, "echo": False, "logprobs": False,
         "presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {},
         "suffix": "", "tools": [], "tool_choice": "none", "functions": [],
         "response_format": {"type": "text"}}
IGNORED = {"user", "metadata", "store"}
COMMON = {"model", "max_tokens", "temperature", "top_p", "top_k", "seed",
          "stop", "stream", "stream_options"}


def take(body, key, kinds, default):
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, kinds) or isinstance(value, bool) != (
            kinds == (bool,)):
        names = " or ".join(k.__name__ for k in kinds)
        raise Bad(f"'{key}' must be {names}, not {json.dumps(value)[:40]}",
                  key)
    return value


def check_names(body, more):
    for key, value in body.items():
        if key in COMMON | IGNORED | more or value is None:
            continue
        if key not in FIXED:
            raise Bad(f"'{key}' is not known here", key)
        if value != FIXED[key]:
            raise Bad(f"'{key}' can only be {json.dumps(FIXED[key])} here",
                      key)


def stop_strings(body):
    stops = body.get("stop")
    stops = [stops] if isinstance(stops, str) else stops or []
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(
            isinstance(s, str) and s for s in stops):
        raise Bad(f"'stop' must be a string or up to {MOST_STOPS} of them",
                  "stop")
    return stops


def sampler_of(body):
    try:
        return Sampler(take(body, "temperature", NUMBER, 1.0),
                       take(body, "top_k", WHOLE, 0),
                       take(body, "top_p", NUMBER, 1.0),
                       take(body, "seed", WHOLE, None))
    except Error as e:
        raise Bad(str(e)) from None


async def read_body(request):
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > MOST_BYTES:
            raise Bad(f"a request has at most {MOST_BYTES} bytes", status=413)
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise Bad(f"the request is not JSON: {e}") from None
    if not isinstance(body, dict):
        raise Bad("the request must be a JSON object")
    return body


# ---- the interface ----------------------------------------------------------


class Server:
    """A build, its tokenizer and template, and who asks for answers."""

    def __init__(self, build, name, device, places):
        self.tokenizer = load_tokenizer(build)
        if self.tokenizer is None:
            raise Error(f"{build}: error: the build has no tokenizer; export "
                        "the model with its tokenizer.json")
        self.template = Template(build) if os.path.exists(
            os.path.join(build, "chat.json")) else None
        self.session = Session(build, device)
        if self.session.chunk < 1:
            raise Error(f"{build}: error: the build is not a language model")
        self.name, self.created = name, int(time.time())
        self.engine = Engine(self.session, places)

    def app(self):
        routes = [Route("/health", self.health),
                  Route("/v1/models", self.models),
                  Route("/v1/models/{name:path}", self.model),
                  Route("/v1/completions", self.completions,
                        methods=["POST"]),
                  Route("/v1/chat/completions", self.chat, methods=["POST"])]
        return Starlette(routes=routes, exception_handlers={
            Bad: lambda _, e: error(str(e), e.status, e.param, e.code),
            Full: lambda _, e: error(str(e), 503, code="queue_full"),
            HTTPException: lambda r, e: error(
                f"{r.method} {r.url.path}: {e.detail}", e.status_code),
            Exception: lambda _, e: error(f"{type(e).__name__}: {e}", 500)})

    async def health(self, _):
        return JSONResponse({"status": "ok", "busy": self.engine.busy,
                             "waiting": self.engine.waiting})

    def _card(self):
        return {"id": self.name, "object": "model", "created": self.created,
                "owned_by": "streamtensor"}

    async def models(self, _):
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def model(self, request):
        self._check_model(request.path_params["name"])
        return JSONResponse(self._card())

    def _check_model(self, name):
        if name != self.name:
            raise Bad(f"there is no model {json.dumps(name)}; there is "
                      f"'{self.name}'", "model", "model_not_found", 404)

    # ---- what is asked for

    def _prompt(self, body):
        prompt = body.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1 and not isinstance(
                prompt[0], int):
            prompt = prompt[0]
        if isinstance(prompt, str):
            ids = self.tokenizer.encode(prompt).ids
            if self.session.bos >= 0 and ids[:1] != [self.session.bos]:
                ids = [self.session.bos, *ids]
        elif isinstance(prompt, list) and all(
                isinstance(t, int) and 0 <= t < self.session.vocab
                for t in prompt):
            ids = prompt
        else:
            raise Bad("'prompt' must be one string, or tokens from 0 to "
                      f"{self.session.vocab - 1}", "prompt")
        if not ids:
            raise Bad("'prompt' has no tokens", "prompt")
        return ids

    def _messages(self, body):
        if self.template is None:
            raise Bad("the model has no chat template; use /v1/completions")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Bad("'messages' must be a list of messages", "messages")
        try:
            text = self.template.text([message(m) for m in messages])
        except Error as e:
            raise Bad(str(e), "messages") from None
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def _request(self, body, ids, before, key, n):
        room = self.session.context - len(ids) + 1
        n = take(body, key, WHOLE, room if n is None else n)
        if n < 1:
            raise Bad(f"'{key}' must be at least 1", key)
        if n > room:
            raise Bad(f"the model's context has {self.session.context} tokens;"
                      f" {len(ids)} of the prompt and {n} more do not fit",
                      key, "context_length_exceeded")
        text = Text(self.tokenizer, before, stop_strings(body))
        request = Request(ids, n, sampler_of(body), text)
        self.engine.submit(request)
        return request

    async def completions(self, request):
        body = await read_body(request)
        self._check_model(body.get("model"))
        check_names(body, {"prompt"})
        ids = self._prompt(body)
        form = Form("cmpl", "text_completion", "text_completion", self.name,
                    len(ids), lambda text, whole, first: {"text": text})
        return await self._answer(request, body, form, lambda: self._request(
            body, ids, ids, "max_tokens", COMPLETION_TOKENS))

    async def chat(self, request):
        body = await read_body(request)
        self._check_model(body.get("model"))
        check_names(body, {"messages", "max_completion_tokens"})
        ids = self._messages(body)
        key = "max_completion_tokens" if body.get(
            "max_completion_tokens") is not None else "max_tokens"

        def content(text, whole, first):
            role = {"role": "assistant"} if whole or first else {}
            return {"message" if whole else "delta": {**role, "content": text}}

        form = Form("chatcmpl", "chat.completion", "chat.completion.chunk",
                    self.name, len(ids), content)
        return await self._answer(request, body, form, lambda: self._request(
            body, ids, [], key, None))

    async def _answer(self, request, body, form, submit):
        stream = take(body, "stream", (bool,), False)
        options = take(body, "stream_options", (dict,), {})
        if options and not stream:
            raise Bad("'stream_options' goes with 'stream'", "stream_options")
        asked = submit()
        if stream:
            return StreamingResponse(
                form.events(asked, bool(options.get("include_usage"))),
                media_type="text/event-stream",
                headers={"Cache-Control": "no-cache"})
        return await form.whole(asked, request)


def message(m):
    """A message whose content is text."""
    content = m.get("content") if isinstance(m, dict) else None
    if isinstance(content, list) and all(
            isinstance(c, dict) and c.get("type") == "text" and
            isinstance(c.get("text"), str) for c in content):
        content = "".join(c["text"] for c in content)
    if not isinstance(content, str) or not isinstance(m.get("role"), str):
        raise Bad("a message has a 'role' and a 'content' of text", "messages")
    return {**m, "content": content}


class Form:
    """How answers are written: one of the two interfaces."""

    def __init__(self, prefix, whole, chunk, model, prompt_tokens, content):
        self.kind = {True: whole, False: chunk}
        self.content, self.prompt_tokens = content, prompt_tokens
        self.head = {"id": f"{prefix}-{uuid.uuid4().hex}", "object": None,
                     "created": int(time.time()), "model": model}

    def _usage(self, tokens):
        return {"prompt_tokens": self.prompt_tokens,
                "completion_tokens": tokens,
                "total_tokens": self.prompt_tokens + tokens}

    def _body(self, text, reason, whole, first=False):
        return {**self.head, "object": self.kind[whole], "choices": [
            {"index": 0, **self.content(text, whole, first),
             "logprobs": None, "finish_reason": reason}]}

    async def whole(self, asked, request):
        """All at once; ends the work when the asker goes."""
        async def collect():
            text = ""
            async for piece in asked.pieces():
                text += piece.text
            return text, piece

        async def gone():
            while (await request.receive())["type"] != "http.disconnect":
                pass

        work, leave = (asyncio.ensure_future(f()) for f in (collect, gone))
        try:
            await asyncio.wait({work, leave},
                               return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return JSONResponse({}, 499)  # to nobody
            text, last = work.result()
        finally:
            asked.cancel()
            work.cancel()
            leave.cancel()
        return JSONResponse({**self._body(text, last.reason, True),
                             "usage": self._usage(last.tokens)})

    async def events(self, asked, usage):
        """As server-sent events."""
        def event(body):
            return f"data: {json.dumps(body)}\n\n"

        first = True
        async with contextlib.aclosing(asked.pieces()) as pieces:
            try:
                async for piece in pieces:
                    if piece.text or first or piece.reason:
                        yield event(self._body(piece.text, piece.reason,
                                               False, first))
                    first = False
            except Error as e:
                yield event({"error": {"message": str(e),
                                       "type": "server_error"}})
                return
        if usage:
            yield event({**self.head, "object": self.kind[False],
                         "choices": [], "usage": self._usage(piece.tokens)})
        yield "data: [DONE]\n\n"


# ---- the command ------------------------------------------------------------


def listen(host, port):
    if not 0 <= port < 65536:
        raise Error("--port is from 0 to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as e:
        raise Error(f"cannot listen on {host} port {port}: {e.strerror}; give "
                    "another --port or --host") from None


def serve(args):
    if args.queue < 1:
        raise Error("--queue must be at least 1")
    place = listen(args.host, args.port)
    with place:
        name = args.name or os.path.basename(os.path.abspath(
            args.build)).removesuffix(".build")
        server = Server(args.build, name, args.device, args.queue)
        host, port = place.getsockname()[:2]
        at = f"[{host}]" if ":" in host else host
        print(f"serving {name} at http://{at}:{port}/v1", file=sys.stderr,
              flush=True)
        config = uvicorn.Config(server.app(), log_level="warning",
                                timeout_graceful_shutdown=2, lifespan="off")
        try:
            asyncio.run(uvicorn.Server(config).serve(sockets=[place]))
        finally:
            server.engine.close()
            server.session.close()


def main(argv):
    args = parser().parse_args(argv)
    try:
        serve(args)
    except Error as e:
        e.show()
        return 1
    return 0
