"""python -m streamtensor: the parts of the command that need Python."""

import argparse
import os
import sys
import traceback


def _parser():
    parser = argparse.ArgumentParser(
        prog="streamtensor export",
        description="Export a model from PyTorch to a package.",
        epilog="MODEL is a directory with a Hugging Face checkpoint "
               "(safetensors or GGUF), or FILE.py:FUNCTION where FUNCTION() "
               "returns (module, example inputs).")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("-o", "--output", required=True, metavar="PKG",
                        help="directory of the package to write")
    parser.add_argument("--chunk", type=int, metavar="T",
                        help="tokens of a prefill step (default 16)")
    parser.add_argument("--ctx", type=int, metavar="N",
                        help="longest context (default: the model's, at most "
                             "1024)")
    parser.add_argument("--config-only", action="store_true",
                        help="build the model from config.json alone, "
                             "without weights")
    parser.add_argument("--random-weights", type=int, metavar="SEED",
                        help="with --config-only: write random weights")
    parser.add_argument("--calibrate", metavar="TEXT",
                        help="round weights to integers so that the logits on "
                             "this text change least; self: a text that the "
                             "model makes")
    parser.add_argument("--group", type=int, metavar="N",
                        help="with --calibrate: elements that share a scale "
                             "(default 32)")
    parser.add_argument("--windows", type=int, metavar="N",
                        help="with --calibrate: pieces of 128 tokens of the "
                             "text (default 128)")
    parser.add_argument("--tune", type=int, metavar="N",
                        help="with --calibrate: steps of training the integers "
                             "(default 0)")
    return parser


def _calibration(args):
    """What export_causal_lm wants to know of it; or None."""
    from .errors import ExportError
    given = {k: v for k, v in (("group", args.group), ("steps", args.tune),
                               ("windows", args.windows)) if v is not None}
    if args.calibrate is None:
        if given:
            raise ExportError("--group, --windows and --tune go with "
                              "--calibrate")
        return None
    if ".py:" in args.model:
        raise ExportError("--calibrate is for language models")
    if args.config_only:
        raise ExportError("--calibrate needs the weights; leave out "
                          "--config-only")
    if args.calibrate != "self" and not os.path.isfile(args.calibrate):
        raise ExportError(f"--calibrate: there is no file {args.calibrate}")
    if not 16 <= given.get("group", 16) <= 1024:
        raise ExportError("--group is from 16 to 1024")
    if given.get("windows", 1) < 1:
        raise ExportError("--windows is at least 1")
    if given.get("steps", 0) < 0:
        raise ExportError("--tune is at least 0")
    return args.calibrate, given


def _tell_failure(model, e):
    """What went wrong without a traceback; the exit status: 1 if the user's
    own file takes part, else 70."""
    file = os.path.abspath(model.rpartition(":")[0])
    place = None
    for frame in traceback.extract_tb(e.__traceback__):
        if os.path.abspath(frame.filename) == file:
            place = f"{frame.filename}:{frame.lineno}"
    text = f"{type(e).__name__}: {e}"
    if place:
        print(f"{place}: error: {text}", file=sys.stderr)
        return 1
    if os.environ.get("STREAMTENSOR_TRACEBACK"):
        traceback.print_exception(e)
    print(f"{model}: error: the export failed: {text}\n"
          "note: STREAMTENSOR_TRACEBACK=1 in the environment shows where",
          file=sys.stderr)
    return 70


def export(argv):
    args = _parser().parse_args(argv)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")
    from .errors import ExportError
    try:
        calibration = _calibration(args)
        from . import export as exporter
        from . import package
        package.check_output(args.output)
        if args.random_weights is not None and not args.config_only:
            raise ExportError("--random-weights goes with --config-only")
        if ".py:" in args.model:
            exporter.export_module(args.model, args.output)
        else:
            exporter.export_causal_lm(args.model, args.output, args.chunk,
                                      args.ctx, args.config_only,
                                      args.random_weights, calibration)
    except ExportError as e:
        print(f"{args.model}: error: {e}", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"{e.filename or args.output}: error: {e.strerror}",
              file=sys.stderr)
        return 1
    except Exception as e:
        return _tell_failure(args.model, e)
    return 0


def generate(argv):
    from . import generate as generator
    return generator.main(argv)


def explore(argv):
    from . import explore as explorer
    return explorer.main(argv)


def chat(argv):
    from . import chat as talker
    return talker.main(argv)


def serve(argv):
    from . import serve as server
    return server.main(argv)


COMMANDS = {"export": export, "generate": generate, "chat": chat,
            "serve": serve, "explore": explore}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print("usage: python -m streamtensor " + "|".join(COMMANDS) + " ...",
              file=sys.stderr)
        return 2
    try:
        status = COMMANDS[sys.argv[1]](sys.argv[2:])
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\nstreamtensor: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
