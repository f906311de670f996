"""One device, many askers: requests wait in a bounded queue and run one after
another in a thread that owns the session."""

import asyncio
import collections
import threading
from typing import AsyncIterator, NamedTuple, Optional, Sequence

from .errors import Error
from .sampling import Sampler
from .session import Session


class Full(Error):
    """The queue has no place."""


class Piece(NamedTuple):
    """Of an answer: text that is certain, tokens so far, and at the end why:
    "stop" (a token that ends texts, or a stop string) or "length"."""

    text: str
    tokens: int
    reason: Optional[str]


class Text:
    """Text of tokens as they come, as far as nothing can change it any more:
    up to an unfinished character, or to what may become a stop string."""

    def __init__(self, tokenizer, before: Sequence[int],
                 stops: Sequence[str] = ()):
        self._tokenizer, self._stops = tokenizer, stops
        self._ids = list(before)
        self._begin = len(tokenizer.decode(self._ids))
        self._sent = 0
        self.stopped = False

    def add(self, token: int) -> str:
        """What is certain now and was not before."""
        self._ids.append(token)
        return self._advance(False)

    def rest(self) -> str:
        """What is left when no more tokens come."""
        return "" if self.stopped else self._advance(True)

    def _advance(self, last):
        text = self._tokenizer.decode(self._ids)[self._begin:]
        end = len(text)
        found = [at for at in map(text.find, self._stops) if at >= 0]
        if found:
            self.stopped, end = True, min(found)
        elif not last:
            end = len(text.rstrip("\ufffd"))
            end -= max((self._begun(text[:end], s) for s in self._stops),
                       default=0)
        new = text[self._sent:end]
        self._sent = max(self._sent, end)
        return new

    @staticmethod
    def _begun(text, stop):
        """Characters at the end that begin the stop string."""
        for n in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:n]):
                return n
        return 0


class Request:
    """An answer that is asked for; its pieces come in the asker's loop."""

    def __init__(self, prompt: Sequence[int], n: int, sampler: Sampler,
                 text: Text):
        self.prompt, self.n = prompt, n
        self.sampler, self.text = sampler, text
        self._cancelled = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue = asyncio.Queue()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self._cancelled.set()

    def put(self, item) -> None:
        """A Piece, or an exception at the end; from the device's thread."""
        try:
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, item)
        except RuntimeError:  # the loop is closed: the server ends
            self.cancel()

    async def pieces(self) -> AsyncIterator[Piece]:
        try:
            while True:
                item = await self._pieces.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
                if item.reason:
                    return
        finally:
            self.cancel()

    def run(self, session: Session) -> None:
        """In the device's thread."""
        if self.cancelled:
            return
        try:
            session.reset()
            self._generate(session)
        except Exception as e:  # the asker gets it, the thread goes on
            self.put(e)

    def _generate(self, session):
        steps = session.generate(self.prompt, self.n, session.eos,
                                 sampler=self.sampler)
        skip = -(-len(self.prompt) // session.chunk) - 1
        made = 0
        for i, step in enumerate(steps):
            if self.cancelled:
                return
            if i < skip:
                continue
            made += 1
            if step.token in session.eos:
                return self.put(Piece(self.text.rest(), made, "stop"))
            new = self.text.add(step.token)
            if self.text.stopped:
                return self.put(Piece(new, made, "stop"))
            if made < self.n:
                self.put(Piece(new, made, None))
        self.put(Piece(new + self.text.rest(), made, "length"))


class Engine:
    """The thread and its queue."""

    def __init__(self, session: Session, places: int):
        self.session, self.places = session, places
        self._waiting: collections.deque = collections.deque()
        self._changed = threading.Condition()
        self._ends = False
        self._running: Optional[Request] = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests that wait, without the one that runs."""
        return sum(not r.cancelled for r in list(self._waiting))

    @property
    def busy(self) -> bool:
        return self._running is not None

    def submit(self, request: Request) -> None:
        """Raises Full."""
        with self._changed:
            live = [r for r in self._waiting if not r.cancelled]
            self._waiting = collections.deque(live)
            if len(live) >= self.places:
                raise Full(f"{len(live)} requests wait already; try again "
                           "later")
            self._waiting.append(request)
            self._changed.notify()

    def close(self) -> None:
        """Ends the thread after the token that is being made."""
        with self._changed:
            self._ends = True
            for request in [*self._waiting, self._running]:
                if request:
                    request.cancel()
            self._changed.notify()
        self._thread.join()

    def _work(self):
        while True:
            with self._changed:
                while not self._waiting and not self._ends:
                    self._changed.wait()
                if self._ends:
                    return
                self._running = self._waiting.popleft()
            self._running.run(self.session)
            self._running = None
