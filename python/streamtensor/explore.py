"""streamtensor explore: a search over the designs of a package.

Trials are numbered. What trial n tries follows from the seed and from the
results of the generations before its own, so it does not matter which worker
runs it, when, or on which machine: the front of N trials is always the same.
The trials live in an Optuna study; workers claim numbers there.
"""

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import random
import shutil
import socket
import subprocess
import sys
import time

from .session import Error

GENERATION = 48  # trials that are proposed from the same results
STALE = 300      # seconds after which a trial of another machine is given up
STEPS = 28       # factors: 0.25, 0.25 * 2 ** (1/4), ..., 32
FACTORS = ("weights", "products", "rows")
RESOURCES = ("lut", "ff", "dsp", "bram36", "uram")
LOGIC = ("lut", "dsp")  # products can be made of either


def parser():
    p = argparse.ArgumentParser(
        prog="streamtensor explore",
        description="Search for designs that are fast and small.",
        epilog="The same command again goes on where it was ended. Workers on "
               "several machines may share one --storage.")
    p.add_argument("package", metavar="PKG")
    p.add_argument("-o", "--output", metavar="DIR",
                   help="front.json, front.svg and the study (default: "
                        "PKG.explore)")
    p.add_argument("-t", "--target", default="u55c", metavar="TARGET",
                   help="target (default u55c)")
    p.add_argument("-q", default="f32", metavar="Q",
                   help="quantisation (default f32)")
    p.add_argument("--kv", metavar="KV", help="caches, as of compile")
    p.add_argument("--prompt", metavar="N",
                   help="tokens read in chunks (default: an eighth of the "
                        "context, at most 128)")
    p.add_argument("--tokens", metavar="N",
                   help="tokens made after them (default: as many)")
    p.add_argument("--trials", type=int, default=384, metavar="N",
                   help="designs to estimate (default 384)")
    p.add_argument("--verify", type=int, default=4, metavar="N",
                   help="designs of the front to compile and simulate, the "
                        "fastest first (default 4)")
    p.add_argument("--workers", type=int, default=1, metavar="N",
                   help="processes (default 1)")
    p.add_argument("--seed", type=int, default=0, metavar="S")
    p.add_argument("--storage", metavar="URL",
                   help="Optuna storage (default: a SQLite file in DIR)")
    p.add_argument("--build", metavar="BUILD",
                   help="write the fastest design found as a build")
    p.add_argument("--json", action="store_true",
                   help="print front.json instead of a table")
    return p


# ---- the estimator ------------------------------------------------------


def command():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    for path in (os.environ.get("STREAMTENSOR"),
                 os.path.join(here, "bin", "streamtensor"),
                 os.path.join(root, "build", "streamtensor"),
                 shutil.which("streamtensor")):
        if path and os.path.exists(path):
            return path
    raise Error("the command streamtensor was not found; run make build")


def words_of(design):
    """As `estimate --lines` and `compile` take them."""
    factors = ",".join(f"{design[f]:g}" for f in FACTORS)
    return (factors if design["weights"] else "-",
            str(design["chunk"]) if design["chunk"] else "-")


class Estimator:
    """A process that answers for one package."""

    def __init__(self, args):
        words = [command(), "estimate", args.package, "-t", args.target, "-q",
                 args.q, "--lines"]
        for option in ("kv", "prompt", "tokens"):
            if getattr(args, option) is not None:
                words += [f"--{option}", getattr(args, option)]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.package = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Error(self.process.stderr.read().strip() or
                        "the estimator ended without an answer")
        return json.loads(line)

    def ask(self, design, how):
        self.process.stdin.write(" ".join([*words_of(design), how]) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.process.stderr.close()


# ---- proposals ----------------------------------------------------------


def factor(step):
    return round(0.25 * 2 ** (step / 4), 4)


def chunks(most):
    """The package's chunk, its half and its quarter; 0: no chunks."""
    return sorted({most // d for d in (1, 2, 4) if most // d}) or [0]


def design_of(steps, chunk):
    return {**{f: factor(s) for f, s in zip(FACTORS, steps)}, "chunk": chunk}


def key_of(design):
    return tuple(design[f] for f in FACTORS) + (design["chunk"],)


def steps_of(design):
    return [min(max(round(4 * math.log2(design[f] / 0.25)), 0), STEPS)
            for f in FACTORS]


def drawn(rng, sizes):
    """Anywhere; large chunks are more likely."""
    return design_of([rng.randint(0, STEPS) for _ in FACTORS],
                     sizes[-1] if rng.random() < 0.7 else rng.choice(sizes))


def varied(rng, parents, sizes):
    """A design near one of the parents, or between two."""
    one, two = rng.choice(parents), rng.choice(parents)
    steps = [a if rng.random() < 0.8 else b
             for a, b in zip(steps_of(one), steps_of(two))]
    for i in rng.sample(range(len(steps)), rng.randint(1, len(steps))):
        step = steps[i] + rng.choice((-6, -3, -2, -1, 1, 2, 3, 6))
        steps[i] = min(max(step, 0), STEPS)
    chunk = one["chunk"] if rng.random() < 0.9 else rng.choice(sizes)
    return design_of(steps, chunk)


def proposals(seed, generation, known, sizes):
    """What the trials of a generation try; known: {number: (design, result)}
    of all before it. Trial 0 is the compiler's own choice."""
    designs, seen = [], {key_of(d) for d, _ in known.values()}
    parents = [{**dict(zip(FACTORS, r["factors"])), "chunk": d["chunk"]}
               for _, d, r in front_of(known)]
    for i in range(GENERATION):
        number = generation * GENERATION + i
        rng = random.Random(f"{seed}/{number}")
        if number == 0:
            design = {**dict.fromkeys(FACTORS, 0.0), "chunk": sizes[-1]}
        for attempt in range(50 if number else 0):
            fresh = not parents or rng.random() < 0.15
            design = (drawn(rng, sizes) if fresh
                      else varied(rng, parents, sizes))
            if key_of(design) not in seen:
                break
        seen.add(key_of(design))
        designs.append(design)
    return designs


# ---- results ------------------------------------------------------------


def logic_of(result, available):
    """Mean share of what kernels are made of."""
    shares = [result["used"][r] / available[r] for r in LOGIC if available[r]]
    return sum(shares) / len(shares)


def front_of(known):
    """(number, design, result) of those that fit and that no other beats, the
    fastest first."""
    points = sorted((r["cycles"], r["logic"], n) for n, (_, r) in known.items()
                    if r["fits"])
    front, least = [], math.inf
    for _, logic, n in points:
        if logic < least:
            front.append((n, *known[n]))
            least = logic
    return front


# ---- the study ----------------------------------------------------------


def settings_of(args):
    """What the results depend on; a study is for one of them."""
    digest = hashlib.sha256()
    for name in ("model.json", "model.mlir"):
        try:
            with open(os.path.join(args.package, name), "rb") as f:
                digest.update(f.read())
        except OSError as e:
            raise Error(f"{e.filename}: error: {e.strerror}") from None
    return {"package": digest.hexdigest(), "target": args.target, "q": args.q,
            "kv": args.kv, "prompt": args.prompt, "tokens": args.tokens,
            "seed": args.seed, "generation": GENERATION}


def make_sampler():
    import optuna

    class Proposed(optuna.samplers.BaseSampler):
        """Takes what was proposed."""
        design = None

        def infer_relative_search_space(self, study, trial):
            return {}

        def sample_relative(self, study, trial, search_space):
            return {}

        def sample_independent(self, study, trial, param_name,
                               param_distribution):
            return self.design[param_name]

    return Proposed()


def open_study(args):
    import optuna
    import sqlalchemy.exc
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    settings = settings_of(args)
    name = "streamtensor-" + hashlib.sha256(
        json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    url = args.storage or "sqlite:///" + os.path.join(
        os.path.abspath(args.output), "study.db")
    for attempt in range(20):  # several workers may make its tables at once
        try:
            study = optuna.create_study(
                study_name=name, storage=url, sampler=make_sampler(),
                directions=["minimize", "minimize"], load_if_exists=True)
            study.set_user_attr("settings", settings)
            return study
        except (sqlalchemy.exc.OperationalError,
                sqlalchemy.exc.IntegrityError) as e:
            error = e
            time.sleep(0.1 + 0.1 * random.random())
        except (ValueError, sqlalchemy.exc.ArgumentError,
                ModuleNotFoundError) as e:
            error = e
            break
    raise Error(f"--storage {url}: error: {str(error).splitlines()[0]}")


def is_alive(trial):
    """Someone works on it, as far as one can see from here."""
    host, pid = trial.user_attrs.get("worker", ["", 0])
    if host == socket.gethostname():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True
    started = trial.datetime_start
    return started is not None and (
        time.time() - started.timestamp() < STALE)


def read_trials(study, most):
    """({number: (design, result)} of the finished, {number: first id that
    works on it})."""
    from optuna.trial import TrialState
    known, claimed = {}, {}
    for t in study.get_trials(deepcopy=False):
        n = t.user_attrs.get("number", most)
        if n >= most:
            continue
        if t.state == TrialState.COMPLETE:
            design = {k: t.params[k] for k in (*FACTORS, "chunk")}
            known[n] = design, t.user_attrs["result"]
        elif t.state == TrialState.RUNNING and is_alive(t):
            claimed.setdefault(n, t.number)
    return known, claimed


def run_trial(study, estimator, number, design, most):
    """False: someone else was first."""
    import optuna
    trial = study.ask()
    trial.set_user_attr("worker", [socket.gethostname(), os.getpid()])
    trial.set_user_attr("number", number)
    known, claimed = read_trials(study, most)
    if number in known or claimed.get(number, trial.number) < trial.number:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return False
    study.sampler.design = design
    for f in FACTORS:
        trial.suggest_float(f, 0, factor(STEPS))
    trial.suggest_int("chunk", 0, max(estimator.package["chunk"], 1))
    result = estimator.ask(design, "estimated")
    result["logic"] = logic_of(result, estimator.package["available"])
    trial.set_user_attr("result", result)
    study.tell(trial, [result["cycles"], result["logic"]])
    return True


def work(args):
    """Runs trials until all are finished."""
    study, estimator = open_study(args), Estimator(args)
    sizes = chunks(estimator.package["chunk"])
    rng, planned, designs = random.Random(os.getpid()), -1, []
    while True:
        known, claimed = read_trials(study, args.trials)
        if len(known) == args.trials:
            break
        generation = next(n for n in range(args.trials)
                          if n not in known) // GENERATION
        first = generation * GENERATION
        if generation != planned:
            before = {n: known[n] for n in range(first)}
            designs = proposals(args.seed, generation, before, sizes)
            planned = generation
        open_numbers = [n for n in range(first, min(first + GENERATION,
                                                    args.trials))
                        if n not in known and n not in claimed]
        if open_numbers:
            n = rng.choice(open_numbers)
            run_trial(study, estimator, n, designs[n - first], args.trials)
        else:
            time.sleep(0.05)  # the others finish the generation
    estimator.close()


# ---- progress -----------------------------------------------------------


class Progress:
    def __init__(self, trials):
        self.trials, self.start, self.first = trials, time.monotonic(), None
        self.told = -1

    def tell(self, known, clock):
        done = len(known)
        if self.first is None:
            self.first = done
        tty = sys.stderr.isatty()
        if done == self.told or (not tty and done < self.trials and
                                 done < self.told + self.trials // 10):
            return
        self.told = done
        text = f"explore: {done} of {self.trials} trials"
        front = front_of(known)
        if front:
            text += f", fastest {front[0][2]['cycles'] / clock / 1e3:.3f} ms"
        if done > self.first and done < self.trials:
            rate = (done - self.first) / (time.monotonic() - self.start)
            text += f", {(self.trials - done) / rate:.0f} s left"
        print(f"\r{text}   " if tty else text, end="" if tty else "\n",
              file=sys.stderr, flush=True)
        if tty and done == self.trials:
            print(file=sys.stderr)


def search(args, package):
    """Workers run the trials; {number: (design, result)}."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(args,), daemon=True)
               for _ in range(args.workers)]
    study, progress = open_study(args), Progress(args.trials)
    for w in workers:
        w.start()
    while any(w.is_alive() for w in workers):
        progress.tell(read_trials(study, args.trials)[0],
                      package["clock_mhz"])
        workers[0].join(0.5)
        time.sleep(0.1)
    known, _ = read_trials(study, args.trials)
    progress.tell(known, package["clock_mhz"])
    if len(known) < args.trials:
        raise Error("explore: error: the workers ended early; the same "
                    "command goes on")
    return study, known


# ---- compiled designs ---------------------------------------------------


def compiled(study, estimator, design):
    """Compiled and simulated; kept in the study."""
    name = "compiled " + " ".join(words_of(design))
    if name not in study.user_attrs:
        result = estimator.ask(design, "compiled")
        result["logic"] = logic_of(result, estimator.package["available"])
        study.set_user_attr(name, result)
    return study.user_attrs[name]


def verify(args, study, estimator, known):
    """The compiler's own design, and designs of the front that fit when they
    are compiled, the fastest first, each slower by 5 % at least than the one
    before."""
    points, last, tried = [], 0, 0
    entry = lambda n: {"trial": n, "design": known[n][0],
                       "estimated": known[n][1],
                       "compiled": compiled(study, estimator, known[n][0])}
    default = entry(0)
    if default["compiled"]["factors"] != default["estimated"]["factors"]:
        own = {**dict(zip(FACTORS, default["compiled"]["factors"])),
               "chunk": default["design"]["chunk"]}
        default["estimated"] = estimator.ask(own, "estimated")
    for n, _, result in front_of(known):
        if len(points) == args.verify or tried == 3 * args.verify:
            break
        if result["cycles"] < 1.05 * last or n == 0:
            continue
        point = entry(n)
        tried += 1
        print(f"explore: compiled {' '.join(words_of(point['design']))}" +
              ("" if point["compiled"]["fits"] else ": does not fit"),
              file=sys.stderr, flush=True)
        if point["compiled"]["fits"]:
            points.append(point)
            last = result["cycles"]
    return default, points


def pareto(default, points):
    """Of the compiled ones, the default among them."""
    known = {p["trial"]: (p["design"], p["compiled"])
             for p in [default, *points]}
    keep = {n for n, _, _ in front_of(known)}
    return [p for p in sorted([default, *points],
                              key=lambda p: p["compiled"]["cycles"])
            if p["trial"] in keep]


# ---- what is told -------------------------------------------------------


def table(package, default, front):
    ms = lambda cycles: f"{cycles / package['clock_mhz'] / 1e3:10.3f}"
    lines = [f"{'factors':>22} {'chunk':>5} {'all, ms':>10} {'token':>10} "
             f"{'chunk':>10}  " + " ".join(f"{r:>7}" for r in RESOURCES)]
    for p in [default, *(q for q in front if q["trial"] != default["trial"])]:
        r, (factors, chunk) = p["compiled"], words_of(p["design"])
        uses = " ".join(
            f"{100 * r['used'][k] / package['available'][k]:5.1f} %"
            if package["available"][k] else f"{'-':>7}" for k in RESOURCES)
        mark = " " if p in front else "x"
        lines.append(f"{mark}{'default' if factors == '-' else factors:>21} "
                     f"{chunk:>5} {ms(r['cycles'])} {ms(r['decode'])} "
                     f"{ms(r['prefill'])}  {uses}")
    lines.append("x: another is faster and smaller" if default not in front
                 else "the default is on the front")
    return "\n".join(lines)


def picture(package, known, default, front):
    """SVG: logic against time, both logarithmic."""
    width, height, left, bottom = 640, 420, 70, 50
    ms = lambda r: r["cycles"] / package["clock_mhz"] / 1e3
    fitting = [r for _, r in known.values() if r["fits"]]
    fitting += [p["compiled"] for p in [default, *front]]
    xs = [math.log10(r["logic"]) for r in fitting]
    ys = [math.log10(ms(r)) for r in fitting]

    def at(r):
        x = (math.log10(r["logic"]) - min(xs)) / ((max(xs) - min(xs)) or 1)
        y = (math.log10(ms(r)) - min(ys)) / ((max(ys) - min(ys)) or 1)
        return (left + x * (width - left - 20),
                height - bottom - y * (height - bottom - 20))

    def dot(r, size, fill):
        x, y = at(r)
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{fill}"/>'

    def word(x, y, s, more=""):
        return (f'<text x="{x}" y="{y}" font-size="12" '
                f'font-family="sans-serif"{more}>{s}</text>')

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
           f'height="{height}"><rect width="100%" height="100%" '
           'fill="white"/>']
    out += [dot(r, 2, "#b0b0b0") for _, r in known.values() if r["fits"]]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in
                    (at(p["compiled"]) for p in front))
    out.append(f'<polyline points="{line}" fill="none" stroke="#1060c0"/>')
    out += [dot(p["compiled"], 4, "#1060c0") for p in front]
    out.append(dot(default["compiled"], 4, "#d04020"))
    end = height - bottom + 18
    out += [word(left, end, f"{100 * 10 ** min(xs):.1f} %"),
            word(width - 60, end, f"{100 * 10 ** max(xs):.1f} %"),
            word(width // 2 - 90, height - 8,
                 "mean share of LUT and DSP"),
            word(6, height - bottom, f"{10 ** min(ys):.3g} ms"),
            word(6, 24, f"{10 ** max(ys):.3g} ms"),
            word(width - 330, 24, "grey: estimated; blue: front, simulated; "
                 "red: default"), "</svg>"]
    return "\n".join(out) + "\n"


def write_file(path, text):
    with open(path + ".part", "w") as f:
        f.write(text)
    os.replace(path + ".part", path)


def write_build(args, design):
    factors, chunk = words_of(design)
    words = [command(), "compile", args.package, "-o", args.build, "-t",
             args.target, "-q", args.q]
    words += ["--factors", factors] if factors != "-" else []
    words += ["--chunk", chunk] if chunk != "-" else []
    words += ["--kv", args.kv] if args.kv else []
    if subprocess.run(words).returncode:
        raise Error("explore: error: the build was not written")


def explore(args):
    args.output = args.output or args.package.rstrip("/") + ".explore"
    for name in ("trials", "workers"):
        if getattr(args, name) < 1:
            raise Error(f"--{name}: error: at least 1 is needed")
    estimator = Estimator(args)
    os.makedirs(args.output, exist_ok=True)
    study, known = search(args, estimator.package)
    default, points = verify(args, study, estimator, known)
    front = pareto(default, points)
    result = {"settings": settings_of(args), "package": estimator.package,
              "trials": args.trials, "default": default, "front": front,
              "estimated_front": [n for n, _, _ in front_of(known)]}
    text = json.dumps(result, indent=1)
    write_file(os.path.join(args.output, "front.json"), text + "\n")
    write_file(os.path.join(args.output, "front.svg"),
               picture(estimator.package, known, default, front))
    print(text if args.json else
          table(estimator.package, default, front), flush=True)
    estimator.close()
    if args.build:
        write_build(args, front[0]["design"])


def main(argv):
    args = parser().parse_args(argv)
    try:
        explore(args)
    except Error as e:
        text = str(e)
        print(text if "error:" in text else f"streamtensor: {text}",
              file=sys.stderr)
        return 1
    except OSError as e:
        print(f"{e.filename or args.output}: error: {e.strerror}",
              file=sys.stderr)
        return 1
    return 0
