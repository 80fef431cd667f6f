"""`paystream watch` and `paystream publish`: our own viewer and publisher.

What needs the chain or the key is done first, on trio; then the process begins anew without the key
(`offchain.cli.keyless`), and the media runs on asyncio.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from offchain.cli import options
from offchain.cli.chain import found_stream, payable, show_dry_run, tell_outlay, with_ledger
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.keyless import SignedIn, begin_without_key, signed_in
from offchain.cli.money import Money, money_of
from offchain.cli.output import Output, Row, facts
from offchain.cli.payment import (
    EXPIRES_IN_DEFAULT,
    GAP_MS_DEFAULT,
    Allowance,
    Delegate,
    plan_deposit,
    plan_grant,
)
from offchain.cli.rest import API, ask, obtain_token
from offchain.cli.spans import parse_span
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.keys import LocalKey
    from offchain.ledger.client import Ledger

T = TypeVar("T")

StreamOption = Annotated[int, options.option("--stream", "Number of the stream.", "STREAM", min=0)]
Seconds = Annotated[
    float | None,
    options.option(
        "--seconds", "How long; then it ends by itself.", "S", min=0, show_default="until stopped"
    ),
]


def add_to(app: typer.Typer, panel: str) -> None:
    """Register both commands."""
    command(
        app,
        "watch",
        'paystream watch --stream 1 --key viewer --deposit "1 UNIT" --cap "1 UNIT"',
        "paystream watch --stream 1 --key viewer --renew",
        "paystream watch --stream 1 --key viewer --seconds 30 --count-only --json",
        panel=panel,
    )(watch)
    command(
        app,
        "publish",
        "paystream publish --stream 1 --key creator --video film.mp4",
        "paystream publish --stream 1 --key creator",
        panel=panel,
    )(publish)


def watch(
    out: Output,
    wallets: Wallets,
    *,
    stream: StreamOption,
    key: options.Key = None,
    deposit: Annotated[
        str | None,
        options.option("--deposit", "Move this into the vault if money is missing.", "AMOUNT"),
    ] = None,
    cap: Annotated[
        str | None,
        options.option("--cap", "Give a missing grant, which costs at most this.", "AMOUNT"),
    ] = None,
    expires_in: Annotated[
        str, options.option("--expires-in", "How long such a grant lasts.", "TIME")
    ] = EXPIRES_IN_DEFAULT,
    seconds: Seconds = None,
    count_only: Annotated[
        bool, options.option("--count-only", "Count frames without decoding them.")
    ] = False,
    renewals: Annotated[
        int,
        options.option(
            "--renewals", "Periods of subscriptions that such a grant may renew.", "N", min=0
        ),
    ] = 0,
    renew: Annotated[
        bool,
        options.option(
            "--renew", "Renew a running subscription before it ends, as far as the grant allows."
        ),
    ] = False,
    sound_alone: Annotated[
        bool,
        options.option(
            "--sound-alone",
            "Where the path cannot carry the picture, go on with sound and pay for it; else it "
            "is free for 10 s, and then waits.",
        ),
    ] = False,
    dry_run: options.DryRun = False,
    chain: options.Chain = options.CHAIN_DEFAULT,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Watch a stream and pay for the seconds that arrive. Ctrl-C leaves and settles.

    With --deposit and --cap, what is missing is deposited and granted first, in one transaction.

    Where the server sends nothing, or no picture, it is said why; with --json in a line of JSON on
    standard error: {"event":"held",...}, and {"event":"flowing",...} once that is over.
    """
    viewer = signed_in()
    if viewer is None:
        signer = wallets.signer(key)
        token = obtain_token(server, signer, "watch")
        terms = ask(server, "GET", f"{API}/streams/{stream}/terms", token=token)
        expires_in_s = parse_span(expires_in, "--expires-in")
        allowance = _allowance(terms, deposit, cap, expires_in_s, renewals)
        if allowance is not None:
            _make_payable(out, chain, signer, terms, allowance, dry_run=dry_run)
        elif dry_run:
            _nothing_missing(out, stream)
        if dry_run:
            return
        viewer = SignedIn(account=signer.address, token=token, delegate=terms["delegate"])
        begin_without_key(viewer)

    from streaming.cli import WatchConfig, run_watch

    config = WatchConfig(
        server=server,
        stream=stream,
        signer=viewer,
        token=viewer.token,
        seconds=seconds,
        count_only=count_only,
        renew=renew,
        sound_alone=sound_alone,
        on_progress=_watching(out),
    )
    result = run_until_stopped(run_watch(config))
    out.progress_over()
    told = {
        "account": viewer.account,
        "delegate": viewer.delegate,
        "stream": stream,
        "session": None,
        "watched_ms": 0,
        "freezes_ms": 0,
        "frames_decoded": 0,
        "end_reason": "stopped",
        **({} if result is None else asdict(result)),
    }
    if out.json_mode:
        out.json(told)
        return
    rows: list[Row] = [
        ("Session", told["session"] or "none"),
        ("Watched", f"{told['watched_ms'] / 1000:.1f} s"),
        ("Stood still", f"{told['freezes_ms'] / 1000:.1f} s"),
        ("Sound alone", _after(told.get("sound_alone_ms"))),
        ("Frames", told["frames_decoded"]),
        ("First picture", _after(told.get("first_frame_ms"))),
        ("Delivered", _after(told.get("delivered_ms"))),
        ("Connected again", f"{told.get('reconnects', 0)} time(s)"),
        ("Ended", told["end_reason"]),
    ]
    out.show(facts(rows))


def publish(
    out: Output,
    wallets: Wallets,
    *,
    stream: StreamOption,
    key: options.Key = None,
    video: Annotated[
        Path | None,
        options.option(
            "--video", "Any file that ffmpeg reads.", "FILE", show_default="moving test pictures"
        ),
    ] = None,
    seconds: Seconds = None,
    stall: Annotated[
        float,
        options.option("--stall", "Freeze once for so long (SIGUSR1 says when).", "S", min=0),
    ] = 0.0,
    stall_after: Annotated[
        float | None,
        options.option(
            "--stall-after",
            "When to freeze, from the first frame.",
            "S",
            min=0,
            show_default="at SIGUSR1",
        ),
    ] = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Publish a file to a stream of one's own. Ctrl-C ends it.

    Prints one line of JSON when pictures flow: {"event":"live",...}.
    """
    if video is not None and not video.is_file():
        raise Failure(
            f"there is no file {video}: give one that ffmpeg reads, or leave --video away",
            Exit.USAGE,
            "video-missing",
        )
    creator = signed_in()
    if creator is None:
        signer = wallets.signer(key)
        token = obtain_token(server, signer, "publish", stream)
        creator = SignedIn(account=signer.address, token=token)
        begin_without_key(creator)

    from streaming.cli import PublishConfig, run_publish

    config = PublishConfig(
        server=server,
        stream=stream,
        signer=creator,
        token=creator.token,
        video=video,
        seconds=seconds,
        stall_s=stall,
        stall_after_s=stall_after,
        on_progress=_progress(out, event="live"),
    )
    result = run_until_stopped(run_publish(config))
    out.progress_over()
    told = {
        "account": creator.account,
        "stream": stream,
        "end_reason": "stopped",
        **({} if result is None else asdict(result)),
    }
    if out.json_mode:
        out.json(told)
    elif result is not None:
        out.note(f"Published {result.published_ms / 1000:.1f} s: {result.video_frames} frames.")
    else:
        out.note("Stopped publishing.")


def _allowance(
    terms: dict[str, Any],
    deposit: str | None,
    cap: str | None,
    expires_in_s: int,
    renewals: int,
) -> Allowance | None:
    """Say what would make a stream payable; None where nothing is missing.

    Raises Failure where the options do not allow what is missing.
    """
    # a slot frees itself when the session before has closed: the server says when
    missing = set(terms["missing"]) - {"slot"}
    if not missing:
        if not terms["payable"] and not terms["missing"]:
            raise Failure(
                f"stream {terms['stream']} is not active: wait until its owner resumes it",
                Exit.SERVER_REFUSED,
                "stream-not-active",
            )
        return None
    wants = {"--deposit AMOUNT"} if "funds" in missing and deposit is None else set()
    needs_grant = bool(missing - {"funds"})
    if needs_grant and cap is None:
        wants.add("--cap AMOUNT")
    if wants:
        raise Failure(
            f"stream {terms['stream']} cannot be paid yet, for lack of "
            f"{', '.join(sorted(missing))}: give {' '.join(sorted(wants, reverse=True))}",
            Exit.SERVER_REFUSED,
            "payment-required",
        )
    needs = terms.get("needs") or {}
    return Allowance(
        cap=cap if needs_grant else None,
        deposit=deposit if "funds" in missing else None,
        rate_max=None,
        sessions_max=1,
        gap_ms=max(GAP_MS_DEFAULT, int(needs.get("gap_ms", 0))),
        expires_in_s=expires_in_s,
        renewals=renewals,
    )


def _nothing_missing(out: Output, stream: int) -> None:
    if out.json_mode:
        out.json({"dry_run": True, "call": None, "stream": stream, "missing": []})
    else:
        out.show(facts([("Stream", stream), ("Missing", "nothing: it can be watched")]))


def _make_payable(
    out: Output,
    chain: str,
    signer: LocalKey,
    terms: dict[str, Any],
    allowance: Allowance,
    *,
    dry_run: bool,
) -> None:
    """Deposit and grant what is missing, and wait until it is final."""

    async def work(ledger: Ledger) -> None:
        if ledger.genesis_hash != terms["genesis_hash"]:
            raise Failure(
                f"the server pays on another chain (genesis {terms['genesis_hash']}) than --chain "
                f"{chain} ({ledger.genesis_hash}): name the same one",
                Exit.USAGE,
                "chain-differs",
            )
        entry = await found_stream(ledger, int(terms["stream"]))
        native, money = Money.of(ledger), await money_of(ledger, entry.asset)
        if allowance.cap is None:
            plan = await plan_deposit(ledger, money, signer.address, allowance.deposit or "0")
        else:
            rate = int(terms["rate_per_second"])
            delegate = Delegate.of_terms(terms)
            plan = await plan_grant(
                ledger, money, signer.address, delegate, allowance, rate_per_second=rate
            )
        reckoning = await payable(ledger, signer.address, plan)
        if dry_run:
            show_dry_run(out, native, signer.address, plan, reckoning)
            return
        tell_outlay(out, native, plan, reckoning)
        with out.working(f"{plan.name}: waiting for finality"):
            receipt = await ledger.submit_signed(
                plan.call, signer, wait="finalized", try_first=True
            )
        out.note(f"{plan.name} is final in block {receipt.block_number}")

    with_ledger(chain, work)


def run_until_stopped(work: Coroutine[Any, Any, T]) -> T | None:
    """Run on asyncio; SIGINT and SIGTERM cancel, upon which the work leaves properly.

    Gives None where it left without a result.
    """
    import asyncio

    async def run() -> T | None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(run())


def _progress(out: Output, event: str | None = None) -> Callable[[dict[str, Any]], None]:
    """Tell progress on standard error; one kind of `event` on standard output, for programs."""

    def tell(progress: dict[str, Any]) -> None:
        kind = str(progress.get("event", ""))
        if kind == event and not out.json_mode:
            out.progress_over()
            out.event(progress)
            return
        said = [_in_words(name, value) for name, value in progress.items() if name != "event"]
        out.progress(f"{kind}: {', '.join(said)}")

    return tell


def _watching(out: Output) -> Callable[[dict[str, Any]], None]:
    """Tell progress on standard error, and there, too, why the server sends nothing."""
    tell_progress = _progress(out)

    def tell(progress: dict[str, Any]) -> None:
        if progress["event"] not in ("held", "flowing"):
            tell_progress(progress)
            return
        out.progress_over()
        if out.json_mode:
            out.event(progress, stderr=True)
        elif progress["event"] == "flowing":
            out.note("the picture goes on")
        else:
            choose = (
                "; --sound-alone goes on with sound" if progress.get("choice") == "wait" else ""
            )
            out.warn(f"{progress['why']}{choose}")

    return tell


def _in_words(name: str, value: object) -> str:
    """Write `watched_ms 12345` as `watched 12.3 s`."""
    if name.endswith("_ms") and isinstance(value, int):
        return f"{name.removesuffix('_ms').replace('_', ' ')} {value / 1000:.1f} s"
    return f"{name.replace('_', ' ')} {value}"


def _after(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.2f} s"
