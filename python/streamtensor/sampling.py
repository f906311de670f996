"""The choice of the next token from its logits."""

from typing import Optional

import numpy as np

from .errors import Error


class Sampler:
    """Chooses tokens; the same seed and logits give the same tokens.

    temperature: logits are divided by it, 0 takes the most likely token;
    top_k: only the k most likely tokens, 0 for all; top_p: of those the fewest
    most likely ones whose probabilities reach p together; seed: None takes one
    from the system.
    """

    def __init__(self, temperature: float = 0.0, top_k: int = 0,
                 top_p: float = 1.0, seed: Optional[int] = None):
        if not 0 <= temperature < float("inf"):
            raise Error(f"a temperature of {temperature} makes no sense; give "
                        "0 for the most likely token, or more")
        if top_k < 0:
            raise Error(f"top-k is {top_k}; give a number of tokens, or 0 for "
                        "all")
        if not 0 < top_p <= 1:
            raise Error(f"top-p is {top_p}; give more than 0 and at most 1")
        if seed is not None and seed < 0:
            raise Error(f"the seed is {seed}; give 0 or more")
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        self._random = np.random.default_rng(seed)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """[vocab] of the tokens that may be chosen, 0 for the others."""
        p = np.zeros(len(logits))
        if self.temperature == 0:
            p[np.argmax(logits)] = 1
            return p
        # most likely first; of equal ones the first
        order = np.argsort(-logits, kind="stable")
        if self.top_k:
            order = order[:self.top_k]
        kept = logits[order].astype(np.float64)
        weight = np.exp((kept - kept[0]) / self.temperature)
        weight /= weight.sum()
        before = np.cumsum(weight) - weight
        weight[before >= self.top_p] = 0
        p[order] = weight / weight.sum()
        return p

    def __call__(self, logits: np.ndarray) -> int:
        if self.temperature == 0:
            return int(np.argmax(logits))
        p = self.probabilities(logits)
        tokens = np.flatnonzero(p)
        sums = np.cumsum(p[tokens])
        at = np.searchsorted(sums, self._random.random() * sums[-1], "right")
        return int(tokens[min(at, len(tokens) - 1)])  # sums are rounded


def add_options(parser) -> None:
    """The options of commands that make tokens."""
    parser.add_argument("--temperature", type=float, default=0.0, metavar="X",
                        help="choose tokens by chance, more evenly the larger "
                             "it is; 0 (default): the most likely one")
    parser.add_argument("--top-k", type=int, default=0, metavar="K",
                        help="of the K most likely tokens (default: of all)")
    parser.add_argument("--top-p", type=float, default=1.0, metavar="P",
                        help="of the most likely tokens that have the "
                             "probability P together (default 1: of all)")
    parser.add_argument("--seed", type=int, metavar="N",
                        help="the same choices each time")


def from_options(args) -> Sampler:
    if args.temperature == 0 and (args.top_k or args.top_p != 1 or
                                  args.seed is not None):
        raise Error("--top-k, --top-p and --seed go with --temperature")
    return Sampler(args.temperature, args.top_k, args.top_p, args.seed)
